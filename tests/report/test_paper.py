"""What goes on paper, methods, model card and plans, has its numbers from the run."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from glomclf.evaluation.evaluation import evaluate
from glomclf.evaluation.sample_size import plan_validation
from glomclf.report import Code, Table, evaluation_report

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.RandomState(0)
    groups = np.repeat([f"P{n:02}" for n in range(20)], 20)
    y = rng.binomial(1, 0.3, 400)
    y_score = 1 / (1 + np.exp(-3 * (y - 0.5) - rng.normal(size=400)))
    return y, y_score, groups


def report_of(rows, **options):
    y, y_score, groups = rows
    by = options.pop("by", None)
    evaluation = evaluate(y, y_score, groups=groups, by=by, n_bootstrap=100)
    return evaluation_report(
        None, y, y_score, groups=groups, evaluation=evaluation, **options
    ), evaluation


def blocks(report, title):
    (found,) = [one.blocks for one in report.sections if one.title == title]
    return found


def text_of(report):
    (code,) = [one for one in blocks(report, "Methods") if isinstance(one, Code)]
    return code.text


@pytest.fixture(scope="module")
def plain(rows):
    return report_of(rows)


def test_methods_tell_the_numbers_of_the_run(plain, rows):
    report, evaluation = plain
    text = text_of(report)
    assert f"400 patches of 20 participants, of which {rows[0].sum()}" in text
    low, high = evaluation.interval("recall")
    assert f"recall {evaluation.scores['recall']:.3f} ({low:.3f} to {high:.3f})" in text
    assert "from a probability of 0.5 on" in text
    assert "20 biopsies" in text


def test_methods_leave_out_what_the_run_does_not_know(plain, rows):
    text = text_of(plain[0])
    assert "trained on" not in text
    assert "centre" not in text
    assert "{" not in text
    trained = SimpleNamespace(
        training_record_={"n_samples": 90, "n_participants": 14}, history_={}
    )
    assert "It was trained on 90 patches of 14 participants." in text_of(
        report_of(rows, classifier=trained)[0]
    )


def test_next_validation_is_planned_from_the_rows(plain, rows):
    table = next(
        one for one in blocks(plain[0], "Next validation") if isinstance(one, Table)
    )
    planned = plan_validation(*rows)
    shown = {row[0]: row for row in table.rows}
    expected = planned.loc["specificity"]
    assert shown["Specificity"][3] == f"{expected['n_patches']:.0f}"
    assert shown["Specificity"][5] == f"{max(5, expected['n_participants']):.0f}"
    assert len(shown) == len(planned)


def test_nothing_is_planned_from_participants_who_are_not_known(rows):
    y, y_score, _ = rows
    report = evaluation_report(None, y, y_score)
    assert "Next validation" not in [one.title for one in report.sections]


def test_model_card_has_scores_subgroups_and_no_participant(rows):
    centre = pd.Series(np.where(np.arange(400) < 200, "A|B", "C<b>"), name="centre")
    train = pd.DataFrame({"label": [0, 1], "participant": ["P01", "Q1"]})
    report, evaluation = report_of(rows, by=centre, train=train)
    card = report.card
    assert f"| Recall | {evaluation.scores['recall']:.3f} |" in card
    assert "### By centre" in card
    assert r"| A\|B | 200 | 10 |" in card
    assert "<b>" not in card
    assert "1 participants of the test set were trained on" in card
    assert not re.search(r"\bP\d\d\b", card)
    assert "P01" in " ".join(
        one.text for one in blocks(report, "Summary") if hasattr(one, "text")
    )


def test_heterogeneity_of_centres_fills_the_items_that_ask_for_it(rows):
    centre = pd.Series(np.where(np.arange(400) < 200, "A", "B"), name="centre")
    tables = [
        {row[0]: row[3] for row in one.rows}
        for one in blocks(report_of(rows, by=centre)[0], "Reporting checklists")[1:]
    ]
    _, tripod, stard = tables
    assert tripod["23b"].startswith("By centre: A: recall")
    assert stard["21"] == tripod["12d"] == tripod["23b"]
    assert re.match(r"Called sclerotic: \d+ that are", stard["30"])
