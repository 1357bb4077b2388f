"""The worst centre stands at the top of the report, and every centre has its table."""

import numpy as np
import pandas as pd
import pytest

from glomclf.data.participants import KIND
from glomclf.evaluation.evaluation import evaluate
from glomclf.report import Caution, Paragraph, Table, evaluation_report

pytestmark = pytest.mark.usefixtures("undrawn")


def report_of(shift, n_centre_c=8):
    """Report participants of three centres, probabilities of C raised by a shift."""
    rng = np.random.RandomState(0)
    groups = np.repeat([f"P{n:02}" for n in range(24)], 15)
    centre = pd.Series(np.array(list("ABC"))[np.arange(360) // 15 % 3], name="centre")
    few = np.unique(groups[centre == "C"])[n_centre_c:]
    centre[np.isin(groups, few)] = "A"
    y = rng.binomial(1, 0.3, 360)
    logits = 3 * (y - 0.5) + rng.normal(size=360) + shift * (centre == "C")
    y_score = 1 / (1 + np.exp(-logits.to_numpy()))
    evaluation = evaluate(y, y_score, groups=groups, by=centre, n_bootstrap=100)
    return evaluation_report(None, y, y_score, groups=groups, evaluation=evaluation)


def worst_in_summary(report):
    (told,) = [
        block
        for block in report.sections[0].blocks
        if isinstance(block, Paragraph) and "Worst by centre" in block.text
    ]
    return told


def test_a_centre_that_is_worse_is_a_caution_in_the_summary():
    report = report_of(shift=3)
    told = worst_in_summary(report)
    assert isinstance(told, Caution)
    assert "Worst by centre: C, with recall" in told.text
    assert "120 patches of 8 participants" in told.text
    (section,) = [one for one in report.sections if one.title == "By centre"]
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
    assert "By centre" in report.render()


def test_where_slides_stand_for_participants_no_error_of_percentages_is_told():
    y, y_score = np.tile([0, 1], 12), np.tile([0.2, 0.8], 12)
    slides = np.repeat([f"S{n}" for n in range(8)], 3)
    X = pd.DataFrame({"slide": slides, "participant": slides})
    X.attrs[KIND] = "slide"
    centre = pd.Series(np.repeat(["A", "B"], 12), name="centre")
    evaluation = evaluate(y, y_score, groups=slides, by=centre, n_bootstrap=100)
    told = {"groups": slides, "evaluation": evaluation, "n_mistakes": 0}
    report = evaluation_report(X, y, y_score, **told)
    (section,) = [one for one in report.sections if one.title == "By centre"]
    captions = [block.caption for block in section.blocks if isinstance(block, Table)]
    assert captions
    assert not [one for one in captions if "biopsy" in one]


def test_centres_that_differ_by_chance_are_told_so():
    told = worst_in_summary(report_of(shift=0))
    assert not isinstance(told, Caution)
    assert "Chance may explain the difference" in told.text


def test_a_centre_of_one_participant_is_told_without_a_verdict():
    told = worst_in_summary(report_of(shift=3, n_centre_c=1))
    assert not isinstance(told, Caution)
    assert "Worst by centre: C" in told.text
    assert "15 patches of 1 participant." in told.text
    assert "too few to tell more" in told.text


def test_without_a_column_nothing_is_said_of_subgroups():
    y, y_score = [0, 1] * 6, [0.2, 0.8] * 6
    report = evaluation_report(None, y, y_score, groups=list("aabbccddeeff"))
    assert not [one.title for one in report.sections if one.title.startswith("By ")]
