from itertools import repeat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin

from glomclf.errors import SplitError
from glomclf.model.folds import fit_folds, inner_folds
from glomclf.model.rows import Rows


class Watched(ClassifierMixin, BaseEstimator):
    """Predicts a row's own number, and refuses rows that it saw."""

    def fit(self, X, y, groups=None):
        assert set(y) == {0, 1}
        self.seen_, self.groups_ = set(X.tolist()), groups
        return self

    def predict_proba(self, X):
        assert not self.seen_ & set(X.tolist())
        return np.column_stack([1 - X / 1000, X / 1000])


def out_of_inner_folds(y, groups, seed=0):
    rows = Rows(np.arange(len(y)), y, groups)
    folds = inner_folds(y, groups, seed, chosen="threshold")
    probability, models = np.empty(len(y)), []
    for one in fit_folds(repeat(Watched()), rows, folds):
        probability[one.test] = one.probability
        models.append(one.model)
    np.testing.assert_allclose(probability, rows.X / 1000)
    return models


@settings(max_examples=15)
@given(
    n_participants=st.integers(4, 12),
    n_rows=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_no_row_is_predicted_by_what_saw_its_participant(n_participants, n_rows, seed):
    groups = np.repeat(np.arange(n_participants), n_rows)
    models = out_of_inner_folds(groups % 2, groups, seed)
    assert 2 <= len(models) <= 5
    for model in models:
        assert set(groups[list(model.seen_)]) == set(model.groups_)
        held_out = set(range(len(groups))) - model.seen_
        assert not set(groups[list(held_out)]) & set(model.groups_)


@pytest.mark.parametrize("names", ["ABCD", "BACD", "DCBA"])
def test_every_inner_fold_trains_on_both_classes(names):
    # scikit-learn's StratifiedGroupKFold puts both carriers of class 1 into one fold.
    counts = {"A": (0, 9), "B": (3, 1), "C": (5, 0), "D": (2, 0)}
    y = np.concatenate([np.repeat([0, 1], counts[name]) for name in names])
    groups = np.repeat(list(names), [sum(counts[name]) for name in names])
    for seed in range(5):
        out_of_inner_folds(y, groups, seed)


def test_one_participant_of_a_class_is_too_few_and_says_so():
    groups = np.repeat(np.arange(5), 4)
    with pytest.raises(SplitError, match=r"at least two participants .* got 1"):
        out_of_inner_folds((groups == 0) * 1, groups)


def test_without_participants_rows_are_split():
    assert len(out_of_inner_folds(np.tile([0, 1], 10), None)) == 5
