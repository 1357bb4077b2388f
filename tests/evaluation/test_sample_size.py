"""Sample sizes are those of the literature, and grow with what participants share."""

import numpy as np
import pytest

from glomclf.errors import ScoreError
from glomclf.evaluation.evaluation import evaluate
from glomclf.evaluation.sample_size import (
    WIDTHS,
    plan_validation,
    validation_sample_size,
)

# The example of Riley 2021, heart valves that fail, as its authors' program
# pmvalsampsize prints it in its guide: prevalence 0.018, c-statistic 0.8, linear
# predictor normal with mean -5 and SD 2.5, interval of O/E of width 1.
PUBLISHED = {
    "observed_expected_ratio": (1.0, 905),
    "calibration_slope": (0.2, 4544),
    "roc_auc": (0.1, 4252),
}
VALVES = {
    "prevalence": 0.018,
    "roc_auc": 0.8,
    "recall": 0.8,
    "specificity": 0.9,
    "threshold": 0.08,
    "logits": np.random.RandomState(1).normal(-5, 2.5, 300_000),
}


@pytest.fixture(scope="module")
def valves():
    widths = {name: width for name, (width, _) in PUBLISHED.items()}
    return validation_sample_size(**VALVES, widths=widths)["n_patches"]


def test_area_and_ratio_take_as_many_as_the_published_example(valves):
    assert valves["roc_auc"] == PUBLISHED["roc_auc"][1]
    # The program tries standard errors in steps of 0.0001, and takes the next one up.
    ratio = PUBLISHED["observed_expected_ratio"][1]
    assert valves["observed_expected_ratio"] == pytest.approx(ratio, abs=1)


def test_slope_takes_as_many_as_the_published_example_but_for_its_simulation(valves):
    published = PUBLISHED["calibration_slope"][1]
    assert valves["calibration_slope"] == pytest.approx(published, rel=0.01)


def test_recall_takes_what_a_proportion_of_the_positives_takes():
    table = validation_sample_size(**VALVES, widths={"recall": 0.1})
    positives = 0.8 * 0.2 / (0.05 / 1.959964) ** 2
    wanted = np.ceil(positives / 0.018)
    assert table.loc["recall", "n_patches"] == wanted
    many = validation_sample_size(
        **VALVES,
        widths={"recall": 0.1},
        patches_per_participant=10,
        design_effect=1 + 9 * 0.2,
    )
    assert many.loc["recall", "n_patches"] == wanted
    assert many.loc["recall", "n_participants"] == np.ceil(positives / 0.018 * 0.28)


def clustered(n_participants, between, seed=0):
    rng = np.random.RandomState(seed)
    groups = np.repeat(np.arange(n_participants), 20)
    y = rng.binomial(1, 0.4, len(groups))
    logits = 3 * (y - 0.5) + 1.2 * rng.normal(size=len(y))
    logits += between * rng.normal(size=n_participants)[groups]
    return y, 1 / (1 + np.exp(-logits)), groups


def test_independent_patches_have_no_design_effect_and_alike_ones_have():
    alone = plan_validation(*clustered(300, between=0))["design_effect"]
    alike = plan_validation(*clustered(300, between=1.5))["design_effect"]
    assert list(alone.index) == list(WIDTHS)
    assert (alone < 1.4).all()
    assert (alike[["recall", "specificity", "roc_auc"]] > 2).all()


def test_a_study_of_the_planned_size_has_an_interval_of_the_width():
    y, y_score, groups = clustered(100, between=1.0)
    seen = evaluate(y, y_score, groups=groups, n_bootstrap=400).intervals
    widths = {name: np.ptp(seen[name]) for name in ("recall", "specificity", "roc_auc")}
    planned = plan_validation(y, y_score, groups, widths=widths)
    assert planned["n_participants"].to_list() == pytest.approx([100] * 3, rel=0.15)


def test_what_is_expected_without_error_has_no_number():
    table = validation_sample_size(**(VALVES | {"recall": 1.0, "roc_auc": 1.0}))
    assert np.isnan(table.loc["recall", "n_participants"])
    assert np.isnan(table.loc["roc_auc", "n_patches"])
    assert table.loc["specificity", "n_patches"] > 0


def test_all_that_cannot_be_planned_with_is_told_at_once():
    with pytest.raises(ScoreError) as caught:
        validation_sample_size(
            **(VALVES | {"prevalence": 0.0, "recall": 1.2}),
            widths={"f1": 0.1, "recall": 0.0},
            patches_per_participant=0.5,
            design_effect={"f1": 2.0},
        )
    told = str(caught.value)
    for part in ("prevalence", "recall must", "'f1'", "width of recall", "[1, inf)"):
        assert part in told
    assert "design_effect lacks recall" in told


def test_one_class_or_one_participant_is_refused():
    y, y_score, groups = clustered(5, between=0)
    with pytest.raises(ScoreError, match="both classes"):
        plan_validation(np.zeros_like(y), y_score, groups)
    with pytest.raises(ScoreError, match="two participants"):
        plan_validation(y, y_score, np.zeros_like(groups))
