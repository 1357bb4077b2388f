import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glomclf.data.participants import participants_of, refuse_shared_participants
from glomclf.errors import LeakageError, SplitError
from glomclf.model.validation import are_enough, out_of_fold, split_validation


class Watched:
    """A classifier that notes which rows it saw."""

    def __init__(self, X, y, groups):
        self.seen, self.groups, self.y = set(X.tolist()), groups, y

    def predict_proba(self, X):
        assert not self.seen & set(X.tolist())
        return np.column_stack([1 - X / 1000, X / 1000])


def test_participants_come_from_the_column_alone():
    table = pd.DataFrame({"path": ["a"], "participant": ["p"]})
    assert participants_of(table).tolist() == ["p"]
    assert participants_of(table[["path"]]) is None
    assert participants_of(["a"]) is None
    assert participants_of(table, groups=["q"]).tolist() == ["q"]


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        (["a", None, "b", np.nan], "missing in rows 1, 3"),
        (["a", 1, "b", "c"], "some are numbers"),
    ],
)
def test_participants_that_cannot_be_told_apart_are_refused(groups, told):
    with pytest.raises(SplitError, match=told):
        participants_of(np.zeros(4), groups)
    with pytest.raises(SplitError, match=told):
        participants_of(pd.DataFrame({"participant": groups}))


def test_participants_that_are_not_one_a_row_are_refused():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        participants_of(np.zeros(4), ["a"] * 3)


def test_shared_participants_are_all_named():
    X_val = pd.DataFrame({"path": list("abc"), "participant": ["p1", "p2", "p9"]})
    with pytest.raises(LeakageError, match=r"2 participants .* p1, p2\."):
        refuse_shared_participants(np.array(["p1", "p2", "p3"]), X_val)
    refuse_shared_participants(np.array(["p3"]), X_val)
    numbered = pd.DataFrame({"participant": ["101", "102"]})
    with pytest.raises(LeakageError, match="both X and X_val: 101"):
        refuse_shared_participants(np.array([100, 101]), numbered)
    refuse_shared_participants(None, X_val)


def test_validation_split_keeps_participants_whole():
    groups = np.repeat(np.arange(20), 5)
    y = (np.arange(100) % 3 == 0).astype(int)
    train, validation = split_validation(y, groups, 0.2, 0)
    assert not set(groups[train]) & set(groups[validation])
    assert sorted([*train, *validation]) == list(range(100))
    assert set(y[validation]) == {0, 1}


def test_validation_split_that_cannot_have_both_classes_says_what_to_do():
    y = np.array([1] + [0] * 9)
    with pytest.raises(SplitError, match="validation_fraction=None"):
        split_validation(y, None, 0.3, 0)


@pytest.mark.parametrize(
    ("sizes", "enough"),
    [([10] * 5, True), ([10] * 4, False), ([100, 1, 1, 1, 1, 1], False)],
)
def test_enough_is_counted_in_equal_participants_of_either_class(sizes, enough):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    y = np.tile([0, 1], groups.size)
    assert are_enough(y, np.repeat(groups, 2)) is enough


def test_enough_without_participants_counts_rows():
    assert are_enough([0] * 5 + [1] * 5, None)
    assert not are_enough([0] * 5 + [1] * 4, None)
    assert not are_enough([0] * 50, None)


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
    probability = out_of_fold(fit, rows, y, groups, random_state=seed)
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
        out_of_fold(fit, np.arange(len(y)), y, groups, random_state=seed)


def test_out_of_fold_with_one_participant_of_a_class_says_so():
    groups = np.repeat(np.arange(5), 4)
    with pytest.raises(SplitError, match=r"at least two participants .* got 1"):
        out_of_fold(Watched, np.arange(20), (groups == 0) * 1, groups, random_state=0)


def test_out_of_fold_without_participants_splits_rows():
    y = np.tile([0, 1], 10)
    rows = np.arange(20)
    probability = out_of_fold(Watched, rows, y, None, random_state=0)
    np.testing.assert_allclose(probability, rows / 1000)
