import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glomclf.errors import SplitError
from glomclf.model.threshold import out_of_fold


class Watched:
    """A classifier that notes which rows it saw."""

    def __init__(self, X, y, groups):
        self.seen, self.groups, self.y = set(X.tolist()), groups, y

    def predict_proba(self, X):
        assert not self.seen & set(X.tolist())
        return np.column_stack([1 - X / 1000, X / 1000])


@settings(max_examples=30, deadline=None)
@given(
    n_participants=st.integers(4, 12),
    n_rows=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_out_of_fold_no_row_is_predicted_by_what_saw_its_participant(
    n_participants, n_rows, seed
):
    groups = np.repeat(np.arange(n_participants), n_rows)
    y = groups % 2
    models = []

    def fit(X, y_inner, inner_groups):
        assert set(groups[X]) == set(inner_groups)
        np.testing.assert_array_equal(y_inner, y[X])
        models.append(Watched(X, y_inner, inner_groups))
        return models[-1]

    rows = np.arange(len(y))
    probability = out_of_fold(fit, rows, y, groups, positive=1, random_state=seed)
    np.testing.assert_allclose(probability, rows / 1000)
    assert 2 <= len(models) <= 5
    for model in models:
        held_out = set(rows) - model.seen
        assert not set(groups[list(held_out)]) & set(model.groups)


@pytest.mark.parametrize("names", ["ABCD", "BACD", "DCBA"])
def test_every_inner_fold_trains_on_both_classes(names):
    # scikit-learn's StratifiedGroupKFold puts both carriers of class 1 into one fold.
    counts = {"A": (0, 9), "B": (3, 1), "C": (5, 0), "D": (2, 0)}
    y = np.concatenate([np.repeat([0, 1], counts[name]) for name in names])
    groups = np.repeat(list(names), [sum(counts[name]) for name in names])

    def fit(X, y_inner, inner_groups):
        assert set(y_inner) == {0, 1}
        return Watched(X, y_inner, inner_groups)

    for seed in range(5):
        out_of_fold(fit, np.arange(len(y)), y, groups, positive=1, random_state=seed)


def test_out_of_fold_with_one_participant_of_a_class_says_so():
    groups = np.repeat(np.arange(5), 4)
    with pytest.raises(SplitError, match=r"at least two participants .* got 1"):
        out_of_fold(
            Watched,
            np.arange(20),
            (groups == 0) * 1,
            groups,
            positive=1,
            random_state=0,
        )


def test_out_of_fold_without_participants_splits_rows():
    y = np.tile([0, 1], 10)
    rows = np.arange(20)
    probability = out_of_fold(Watched, rows, y, None, positive=1, random_state=0)
    np.testing.assert_allclose(probability, rows / 1000)
