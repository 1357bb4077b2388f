"""Each centre has its own scores, and the worst one cannot hide behind the others."""

import json

import numpy as np
import pandas as pd
import pytest

from glomclf.errors import ScoreError
from glomclf.evaluation.biopsy import biopsy_agreement
from glomclf.evaluation.evaluation import evaluate

QUICK = {"n_bootstrap": 100}


def three_centres(n_participants=24, n_patches=15, seed=0):
    """Draw participants of three centres, of which C's probabilities are too high."""
    rng = np.random.RandomState(seed)
    groups = np.repeat(np.arange(n_participants), n_patches)
    centre = pd.Series(np.array(list("ABC"))[groups % 3], name="centre")
    y = rng.binomial(1, 0.3, len(groups))
    logits = 4 * (y - 0.5) + 1.5 * rng.normal(size=len(y)) + 2.5 * (centre == "C")
    return y, 1 / (1 + np.exp(-logits.to_numpy())), groups, centre


@pytest.fixture(scope="module")
def result():
    y, y_score, groups, centre = three_centres()
    return evaluate(y, y_score, groups=groups, by=centre, **QUICK)


def test_scores_of_a_centre_are_those_of_its_rows_alone(result):
    y, y_score, groups, centre = three_centres()
    inside = (centre == "C").to_numpy()
    alone = evaluate(y[inside], y_score[inside], groups=groups[inside], **QUICK)
    of_c = result.subgroups.evaluations["C"]
    assert of_c.scores == alone.scores
    assert of_c.intervals == alone.intervals
    assert (of_c.n_samples, of_c.n_participants) == (inside.sum(), 8)


def test_a_difference_is_from_all_other_rows_and_shows_the_worse_centre(result):
    y, y_score, groups, centre = three_centres()
    outside = (centre != "C").to_numpy()
    others = evaluate(y[outside], y_score[outside], groups=groups[outside], **QUICK)
    parts = result.subgroups
    for name, value in parts.evaluations["C"].scores.items():
        expected = value - others.scores[name]
        assert parts.differences["C"].scores[name] == pytest.approx(
            expected, abs=1e-6, nan_ok=True
        )
    assert parts.worst == "C"
    assert parts.differences["C"].interval("specificity")[1] < 0
    low, high = parts.differences["A"].interval("roc_auc")
    assert low < 0 < high


def test_percentages_of_a_centre_are_those_of_its_biopsies_alone(result):
    y, y_score, groups, centre = three_centres()
    of_c, others = (
        biopsy_agreement(y[rows], y_score[rows], groups[rows], **QUICK)
        for rows in ((centre == "C").to_numpy(), (centre != "C").to_numpy())
    )
    parts = result.subgroups
    for name in ("mean_absolute_error", "bias"):
        value = of_c.scores[name]
        assert parts.percentages["C"].scores[name] == pytest.approx(value)
        assert parts.percentages["C"].interval(name) == pytest.approx(
            of_c.interval(name)
        )
        gap = parts.differences["C"].scores[name]
        assert gap == pytest.approx(value - others.scores[name])
    assert parts.differences["C"].interval("bias")[0] > 0  # C's are too high
    table = parts.to_frame()
    assert table.loc[("C", "bias"), "value"] == pytest.approx(of_c.scores["bias"])


@pytest.mark.parametrize("groups", [None, np.arange(360)])
def test_without_participants_of_several_rows_there_are_no_percentages(groups):
    y, y_score, _, centre = three_centres()
    parts = evaluate(y, y_score, groups=groups, by=centre, **QUICK).subgroups
    assert parts.percentages == {}
    assert "bias" not in parts.differences["C"].scores
    assert "mean_absolute_error" not in str(parts)


def test_the_table_has_every_score_of_every_value_with_counts(result):
    table = result.subgroups.to_frame()
    assert table.index.names == ["centre", "score"]
    assert len(table) == 3 * (len(result.scores) + 2)  # errors of percentages, too
    row = table.loc[("A", "recall")]
    assert row["n_samples"] == 120
    assert row["n_participants"] == 8
    assert row["difference_low"] < row["difference"] < row["difference_high"]
    counts = table["n_positive"].groupby("centre").first()
    assert counts.sum() == result.confusion_matrix[1].sum()


def test_an_evaluation_with_subgroups_becomes_json_and_text(result):
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))["subgroups"]
    assert (content["column"], content["worst"]) == ("centre", "C")
    recall = result.subgroups.evaluations["A"].scores["recall"]
    assert content["evaluations"]["A"]["scores"]["recall"] == recall
    assert content["percentages"].keys() == content["differences"].keys()
    assert "centre" in str(result)


def test_participants_with_several_values_are_resampled_as_wholes():
    y, y_score, groups, _ = three_centres()
    stain = np.where(np.arange(len(y)) % 2, "PAS", "H&E")
    parts = evaluate(y, y_score, groups=groups, by=stain, **QUICK).subgroups
    assert parts.column == "group"
    a, b = (parts.differences[value] for value in ("H&E", "PAS"))
    assert a.scores["f1"] == pytest.approx(-b.scores["f1"])
    assert np.isfinite(a.interval("f1")).all()


def test_a_value_without_one_class_has_the_scores_that_it_can_have():
    y, y_score, groups, centre = three_centres()
    y = np.where(centre == "A", 0, y)
    parts = evaluate(y, y_score, groups=groups, by=centre, **QUICK).subgroups
    of_a = parts.evaluations["A"]
    assert np.isnan(of_a.scores["recall"])
    assert "no row has class 1" in of_a.notes["recall"]
    assert of_a.scores["specificity"] > 0
    assert np.isnan(parts.differences["A"].scores["recall"])
    assert parts.worst == "C"


def test_missing_values_have_a_row_of_their_own():
    y, y_score, groups, centre = three_centres()
    by = centre.where(centre != "A")
    parts = evaluate(y, y_score, groups=groups, by=by, **QUICK).subgroups
    assert list(parts.evaluations) == ["B", "C", "not given"]


@pytest.mark.parametrize(
    ("by", "message"),
    [
        (["A"] * 3, r"by must have shape \(360,\)"),
        (["A"] * 360, "the one value 'A'"),
        (np.arange(360), "at most 20 are compared"),
    ],
)
def test_what_cannot_be_compared_is_refused(by, message):
    y, y_score, groups, _ = three_centres()
    with pytest.raises(ScoreError, match=message):
        evaluate(y, y_score, groups=groups, by=by)
