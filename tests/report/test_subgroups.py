"""The worst centre stands at the top of the report, and every centre has its table."""

import numpy as np
import pandas as pd
import pytest

from glomclf.data.participants import KIND
from glomclf.evaluation.evaluation import evaluate
from glomclf.report import Caution, Paragraph, Report, Table
from glomclf.report.evaluated_model import EvaluatedModel
from glomclf.report.sections.scores import subgroups_section, summary_section


def model_of(shift, n_centre_c=8):
    """Judge participants of three centres, probabilities of C raised by a shift."""
    rng = np.random.RandomState(0)
    groups = np.repeat([f"P{n:02}" for n in range(24)], 15)
    centre = pd.Series(np.array(list("ABC"))[np.arange(360) // 15 % 3], name="centre")
    few = np.unique(groups[centre == "C"])[n_centre_c:]
    centre[np.isin(groups, few)] = "A"
    y = rng.binomial(1, 0.3, 360)
    logits = 3 * (y - 0.5) + rng.normal(size=360) + shift * (centre == "C")
    p = 1 / (1 + np.exp(-logits.to_numpy()))
    evaluation = evaluate(y, p, groups=groups, by=centre, n_bootstrap=100)
    return EvaluatedModel(X=None, y=y, y_score=p, groups=groups, evaluation=evaluation)


def worst_in_summary(model):
    (told,) = [
        block
        for block in summary_section(model).blocks
        if isinstance(block, Paragraph) and "Worst by centre" in block.text
    ]
    return told


def test_a_centre_that_is_worse_is_a_caution_in_the_summary():
    model = model_of(shift=3)
    told = worst_in_summary(model)
    assert isinstance(told, Caution)
    assert "Worst by centre: C, with recall" in told.text
    assert "120 patches of 8 participants" in told.text
    section = subgroups_section(model)
    tables = [block for block in section.blocks if isinstance(block, Table)]
    counted, scores, apart, percentages, *all_scores = tables
    assert counted.columns[-1] == "falsely called sclerotic, of class 0"
    fp, _, n, rate, _ = counted.rows[2][-1].replace("(", "").split()
    assert float(rate) == pytest.approx(100 * int(fp) / int(n), abs=0.05)
    specificity = float(scores.rows[2][2].split()[0])
    assert float(rate) / 100 == pytest.approx(1 - specificity, abs=0.01)
    assert [row[:2] for row in percentages.rows] == [[c, "8"] for c in "ABC"]
    assert float(percentages.rows[2][4].split()[0]) > 20  # its bias, in points
    assert [row[0] for row in counted.rows] == ["A", "B", "C"]
    assert [row[0] for row in scores.rows] == ["A", "B", "C"]
    assert all(cell.startswith("-") for cell in (apart.rows[2][2], apart.rows[2][3]))
    assert [len(table.rows) for table in all_scores] == [14, 14, 14]
    assert "By centre" in Report("Run", "Lead.", [section]).render()


def test_where_slides_stand_for_participants_no_error_of_percentages_is_told():
    y, y_score = np.tile([0, 1], 12), np.tile([0.2, 0.8], 12)
    slides = np.repeat([f"S{n}" for n in range(8)], 3)
    X = pd.DataFrame({"slide": slides, "participant": slides})
    X.attrs[KIND] = "slide"
    centre = pd.Series(np.repeat(["A", "B"], 12), name="centre")
    evaluation = evaluate(y, y_score, groups=slides, by=centre, n_bootstrap=100)
    told = {"groups": slides, "evaluation": evaluation}
    section = subgroups_section(EvaluatedModel(X=X, y=y, y_score=y_score, **told))
    captions = [block.caption for block in section.blocks if isinstance(block, Table)]
    assert captions
    assert not [one for one in captions if "biopsy" in one]


def test_centres_that_differ_by_chance_are_told_so():
    told = worst_in_summary(model_of(shift=0))
    assert not isinstance(told, Caution)
    assert "Chance may explain the difference" in told.text


def test_a_centre_of_one_participant_is_told_without_a_verdict():
    told = worst_in_summary(model_of(shift=3, n_centre_c=1))
    assert not isinstance(told, Caution)
    assert "Worst by centre: C" in told.text
    assert "15 patches of 1 participant." in told.text
    assert "too few to tell more" in told.text


def test_without_a_column_nothing_is_said_of_subgroups():
    told = {"y": [0, 1] * 6, "y_score": [0.2, 0.8] * 6, "groups": list("aabbccddeeff")}
    found = evaluate(told["y"], told["y_score"], n_bootstrap=100)
    model = EvaluatedModel(X=None, evaluation=found, **told)
    assert subgroups_section(model) is None
    assert "Worst" not in str(summary_section(model))
