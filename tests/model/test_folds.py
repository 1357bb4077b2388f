import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedKFold

from glomclf.data.splitting import RepeatedStratifiedGroupKFold
from glomclf.model.folds import predict_folds


class Watched(ClassifierMixin, BaseEstimator):
    """Predicts a row's own number, and refuses rows and participants it saw."""

    def fit(self, X, y, groups=None):
        self.classes_, self.rows_, self.groups_ = np.unique(y), set(X), groups
        self.threshold_ = len(X) / 1000
        return self

    def predict_proba(self, X):
        assert not self.rows_ & set(X)
        X = np.asarray(X, dtype=float)
        return np.column_stack([1 - X / 1000, X / 1000])


class WithoutThreshold(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)


GROUPS = np.repeat(np.arange(12), 5)
Y = (np.arange(60) % 3 == 0).astype(int)


def test_every_row_is_predicted_once_by_a_classifier_that_did_not_see_it():
    rows = np.arange(60)
    table = predict_folds(Watched(), rows, Y, groups=GROUPS, cv=4, random_state=0)
    assert sorted(table.row) == list(rows)
    np.testing.assert_allclose(table.probability, table.row / 1000)
    assert sorted(set(table.fold)) == [0, 1, 2, 3]
    per_fold = table.groupby("fold").threshold.nunique()
    assert (per_fold == 1).all()


def test_an_int_keeps_participants_whole():
    rows = np.arange(60)
    table = predict_folds(Watched(), rows, Y, groups=GROUPS, cv=4, random_state=0)
    owners = table.assign(owner=GROUPS[table.row])
    assert (owners.groupby("owner").fold.nunique() == 1).all()


def test_the_column_of_a_manifest_names_the_participants():
    X = pd.DataFrame({"participant": GROUPS})
    table = predict_folds(WithoutThreshold(), X, Y, cv=4, random_state=0)
    owners = table.assign(owner=GROUPS[table.row])
    assert (owners.groupby("owner").fold.nunique() == 1).all()


def test_repeats_give_every_row_as_often():
    cv = RepeatedStratifiedGroupKFold(3, 2, random_state=0)
    table = predict_folds(Watched(), np.arange(60), Y, groups=GROUPS, cv=cv)
    assert (table.row.value_counts() == 2).all()
    assert table.fold.nunique() == 6


def test_without_participants_or_threshold_rows_are_split_and_cut_at_half():
    table = predict_folds(WithoutThreshold(), np.arange(60), Y, cv=StratifiedKFold(3))
    assert set(table.threshold) == {0.5}
    assert sorted(table.row) == list(range(60))


@pytest.mark.parametrize("seed", [0, 1])
def test_same_seed_gives_the_same_folds(seed):
    options = {"groups": GROUPS, "cv": 3, "random_state": seed}
    first = predict_folds(Watched(), np.arange(60), Y, **options)
    again = predict_folds(Watched(), np.arange(60), Y, **options)
    assert first.equals(again)
