"""The section on thresholds marks the one in use, and says when 0.5 is a bad one."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

from glomclf.evaluation.evaluation import evaluate
from glomclf.report import Caution, Paragraph, Table
from glomclf.report.displays import DecisionCurveDisplay, ThresholdsDisplay
from glomclf.report.evaluated_model import EvaluatedModel
from glomclf.report.sections.thresholds import thresholds_section


def rows(odds=1.0):
    """Draw patches whose true odds are those of their probability over `odds`."""
    rng = np.random.RandomState(0)
    groups = np.repeat([f"P{n:02}" for n in range(20)], 20)
    truth = rng.uniform(size=400)
    y = rng.binomial(1, truth)
    return y, truth / (truth + (1 - truth) / odds), groups


def thresholds_of(rows_, threshold=0.5):
    y, y_score, groups = rows_
    options = {"groups": groups, "threshold": threshold, "n_bootstrap": 100}
    told = {"groups": groups, "evaluation": evaluate(y, y_score, **options)}
    return thresholds_section(EvaluatedModel(X=None, y=y, y_score=y_score, **told))


def test_the_threshold_in_use_stands_in_the_table_and_the_pictures():
    section = thresholds_of(rows(), threshold=0.33)
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    assert [row[0] for row in table.rows].count("0.33 (in use)") == 1
    assert len(table.rows) == 20
    by_cut = {row[0]: row for row in table.rows}
    y, y_score, _ = rows()
    recall = (y_score[y == 1] >= 0.8).mean()
    assert by_cut["0.8"][1] == f"{recall:.2f}"


@pytest.mark.parametrize(
    ("odds", "threshold", "is_told"),
    [(1.0, 0.5, False), (9.0, 0.5, True), (9.0, 0.9, False)],
)
def test_advice_on_a_half_is_given_where_calibration_speaks_against_it(
    odds, threshold, is_told
):
    section = thresholds_of(rows(odds), threshold)
    cautions = [one.text for one in section.blocks if isinstance(one, Caution)]
    assert bool(cautions) == is_told
    if is_told:
        assert "0.5 is not the threshold to use" in cautions[0]
        assert "Either class is as frequent at 0.89" in cautions[0]
    assert any(isinstance(block, Paragraph) for block in section.blocks)


def test_one_class_alone_has_no_thresholds():
    _, y_score, groups = rows()
    assert thresholds_of((np.zeros(400, dtype=int), y_score, groups)) is None


@pytest.mark.parametrize("display", [DecisionCurveDisplay, ThresholdsDisplay])
def test_displays_draw_the_table_and_the_threshold_of_the_classifier(display):
    y, y_score, groups = rows()
    X = y_score[:, None]
    classifier = LogisticRegression().fit(X, y)
    probability = classifier.predict_proba(X)[:, 1]
    options = {"groups": groups, "n_bootstrap": 100}
    one = display.from_estimator(classifier, X, y, ax=Figure().subplots(), **options)
    other = display.from_predictions(y, probability, ax=Figure().subplots(), **options)
    column = "net_benefit" if display is DecisionCurveDisplay else "recall"
    for each in (one, other):
        assert each.lines_[0].get_ydata() == pytest.approx(other.table[column])
    labels = [text.get_text() for text in one.ax_.get_legend().get_texts()]
    assert "in use: 0.5" in labels
