"""Participants stay whole, classes stay in proportion, or the split is refused."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_validate

from glomclf.data.splitting import (
    RepeatedStratifiedGroupKFold,
    StratifiedGroupShuffleSplit,
    leave_one_centre_out,
    train_test_split_by_participant,
)
from glomclf.errors import SplitError, SplitWarning

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CLOSE = 0.01  # the deviation at which the splitters stop improving, as documented

# Rows of class 0 and class 1 a participant.
participant_counts = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 40)).filter(any),
    min_size=2,
    max_size=9,
)


def rows_of(counts):
    """Write out y and groups, rows shuffled, from counts a participant and class."""
    y = np.concatenate([[0] * zeros + [1] * ones for zeros, ones in counts])
    groups = np.repeat(np.arange(len(counts)), [sum(pair) for pair in counts])
    order = np.random.RandomState(0).permutation(len(y))
    return y[order].astype(int), groups[order]


def carriers(counts):
    return (np.array(counts) > 0).sum(axis=0)


def class_shares(y, rows):
    return np.array([(y[rows] == c).sum() / (y == c).sum() for c in np.unique(y)])


def full_size_manifest(n_participants=112):
    """Draw as many, as uneven participants as the largest public set has."""
    rng = np.random.RandomState(0)
    sizes = np.maximum(rng.lognormal(3.5, 0.9, n_participants).astype(int), 1)
    ones = rng.binomial(sizes, rng.beta(0.8, 3.2, n_participants))
    return rows_of(np.column_stack([sizes - ones, ones]))


# ---------------------------------------------------------------- shuffle split


@given(participant_counts, st.floats(0.05, 0.95), st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_shuffle_split_holds_every_promise_for_all_inputs(counts, test_size, seed):
    assume((carriers(counts) >= 2).all())
    y, groups = rows_of(counts)
    assume(np.ceil(test_size * len(y)) < len(y))  # or nobody is left to train on
    cv = StratifiedGroupShuffleSplit(2, test_size=test_size, random_state=seed)
    largest_share = (np.array(counts) / np.sum(counts, axis=0)).max()
    for train, test in cv.split(y, y, groups):
        assert not set(groups[train]) & set(groups[test])
        assert sorted([*train, *test]) == list(range(len(y)))
        assert set(y[train]) == set(y[test]) == {0, 1}
        wanted = np.ceil(test_size * len(y)) / len(y)
        miss = np.sqrt(np.mean((class_shares(y, test) - wanted) ** 2))
        assert miss <= largest_share + 1e-9  # half the number of classes is 1


@given(participant_counts, st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_shuffle_split_comes_within_half_a_participant_of_the_best(counts, seed):
    assume((carriers(counts) >= 2).all())
    y, groups = rows_of(counts)
    shares = np.array(counts) / np.sum(counts, axis=0)
    wanted = np.ceil(0.3 * len(y)) / len(y)
    best = min(
        np.sqrt(np.mean((shares[sides].sum(axis=0) - wanted) ** 2))
        for sides in map(list, all_sides(len(counts)))
        if shares[sides].any(axis=0).all()
        and (shares[sides].sum(axis=0) < 1 - 1e-9).all()
    )
    cv = StratifiedGroupShuffleSplit(1, test_size=0.3, random_state=seed)
    _, test = next(cv.split(y, y, groups))
    miss = np.sqrt(np.mean((class_shares(y, test) - wanted) ** 2))
    assert miss <= max(best, CLOSE) + 0.5 * shares.max()


def all_sides(n_groups):
    return itertools.chain.from_iterable(
        itertools.combinations(range(n_groups), size) for size in range(1, n_groups)
    )


def test_shuffle_split_of_full_size_data_is_close_and_draws_all_participants_alike():
    y, groups = full_size_manifest()
    n_splits = 300
    cv = StratifiedGroupShuffleSplit(n_splits, test_size=0.2, random_state=0)
    drawn = np.zeros(112)
    for _, test in cv.split(y, y, groups):
        assert np.abs(class_shares(y, test) - 0.2).max() < 0.02
        drawn[np.unique(groups[test])] += 1
    spread = np.sqrt(0.2 * 0.8 / n_splits)
    assert abs((drawn / n_splits).std() / spread - 1) < 0.35
    assert np.abs(drawn / n_splits - 0.2).max() < 5 * spread


def test_shuffle_split_repeats_for_a_seed_and_ignores_the_order_of_rows():
    y, groups = full_size_manifest()
    order = np.random.RandomState(1).permutation(len(y))
    cv = StratifiedGroupShuffleSplit(3, test_size=0.2, random_state=7)
    tests = [test for _, test in cv.split(y, y, groups)]
    assert len({tuple(test) for test in tests}) == 3
    for test, again in zip(tests, cv.split(y, y, groups), strict=True):
        np.testing.assert_array_equal(test, again[1])
    for test, moved in zip(tests, cv.split(y, y[order], groups[order]), strict=True):
        assert set(groups[test]) == set(groups[order][moved[1]])


def test_shuffle_split_counts_rows_not_groups():
    y = np.array([0, 1] * 50)
    groups = np.r_[np.zeros(80), 1, 1, 1, 1, np.repeat(np.arange(2, 10), 2)]
    by_share = StratifiedGroupShuffleSplit(1, test_size=0.2, random_state=0)
    by_number = StratifiedGroupShuffleSplit(1, test_size=20, random_state=0)
    for cv in (by_share, by_number):
        assert len(next(cv.split(y, y, groups))[1]) == pytest.approx(20, abs=2)
    default = StratifiedGroupShuffleSplit(1, random_state=0)
    assert len(next(default.split(y, y, groups))[1]) == pytest.approx(20, abs=2)


def test_shuffle_split_works_with_three_participants_and_rare_class():
    y, groups = rows_of([(30, 1), (20, 0), (25, 2)])
    cv = StratifiedGroupShuffleSplit(5, test_size=0.15, random_state=0)
    for train, test in cv.split(y, y, groups):
        assert set(y[train]) == set(y[test]) == {0, 1}


def test_shuffle_split_of_three_classes_keeps_all_on_both_sides():
    rng = np.random.RandomState(0)
    groups = np.repeat(np.arange(30), 20)
    y = np.array(["normal", "segmental", "global"])[
        rng.choice(3, 600, p=[0.7, 0.2, 0.1])
    ]
    cv = StratifiedGroupShuffleSplit(3, test_size=0.25, random_state=0)
    for train, test in cv.split(y, y, groups):
        assert set(y[train]) == set(y[test]) == set(y)
        np.testing.assert_allclose(class_shares(y, test), 0.25, atol=0.05)


def test_shuffle_split_that_no_grouping_of_three_classes_allows_is_refused():
    y = np.array(list("abbcca"))  # any two of the three groups share a class
    groups = [0, 0, 1, 1, 2, 2]
    cv = StratifiedGroupShuffleSplit(1, test_size=1 / 3, random_state=0)
    with pytest.raises(SplitError, match="no split was found that has every class"):
        next(cv.split(y, y, groups))


@pytest.mark.parametrize(
    "Splitter", [StratifiedGroupShuffleSplit, RepeatedStratifiedGroupKFold]
)
@pytest.mark.parametrize(
    ("y", "groups", "message"),
    [
        ([0, 1, 0, 1], None, "groups is None; pass the participant of each row"),
        ([0, 1, 0, 1], ["a", "a", None, "b"], "lacks the participant of 1 of 4 rows"),
        ([0, 1, 0, 1], [0.0, 0.0, np.nan, np.nan], "lacks the participant of 2 of 4"),
        ([0.1, 0.2, 0.3, 0.4], list("aabb"), "got a target of type 'continuous'"),
        ([0, 0, 0, 0], list("aabb"), "y holds one class only, 0"),
        ([0, 1, 0, 1], list("aaaa"), "all rows belong to one participant"),
        (
            [0, 1, 0, 0],
            list("aabb"),
            "class 1 is found in one participant only, .*"
            r"\(participants: 2; class 0 in 2, class 1 in 1\); add participants",
        ),
    ],
)
def test_data_that_cannot_be_split_is_refused_with_the_reason(
    Splitter, y, groups, message
):
    with pytest.raises(SplitError, match=message):
        next(Splitter(2).split(np.zeros((4, 1)), y, groups))


def test_all_faults_of_y_and_groups_are_named_at_once():
    with pytest.raises(SplitError, match=r"(?s)'continuous'.*groups is None"):
        next(StratifiedGroupShuffleSplit().split([1, 2], [0.5, 0.7], None))


def test_bad_sizes_give_the_errors_of_scikit_learn():
    y, groups = rows_of([(2, 2)] * 4)
    with pytest.raises(ValueError, match=r"test_size=1\.5 should be either positive"):
        next(StratifiedGroupShuffleSplit(test_size=1.5).split(y, y, groups))


# ---------------------------------------------------------------- repeated k-fold


@given(participant_counts, st.integers(2, 4), st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_k_fold_holds_every_promise_for_all_inputs(counts, n_splits, seed):
    assume((carriers(counts) >= n_splits).all())
    y, groups = rows_of(counts)
    cv = RepeatedStratifiedGroupKFold(n_splits, n_repeats=2, random_state=seed)
    splits = list(cv.split(y, y, groups))
    assert len(splits) == cv.get_n_splits() == 2 * n_splits
    largest_share = (np.array(counts) / np.sum(counts, axis=0)).max()
    for repeat in (splits[:n_splits], splits[n_splits:]):
        tested = np.concatenate([test for _, test in repeat])
        assert sorted(tested) == list(range(len(y)))
        for train, test in repeat:
            assert not set(groups[train]) & set(groups[test])
            assert set(y[train]) == set(y[test]) == {0, 1}
            miss = np.abs(class_shares(y, test) - 1 / n_splits)
            assert miss.max() <= 2 * largest_share + 1e-9


def test_k_fold_of_full_size_data_is_close_and_really_shuffles():
    y, groups = full_size_manifest()
    n_repeats = 40
    cv = RepeatedStratifiedGroupKFold(5, n_repeats, random_state=0)
    fold_of = np.empty((n_repeats, 112))
    for number, (_, test) in enumerate(cv.split(y, y, groups)):
        assert np.abs(class_shares(y, test) - 0.2).max() < 0.025
        fold_of[number // 5, np.unique(groups[test])] = number % 5
    assert spread_of_pairs(fold_of) == pytest.approx(1, abs=0.15)


def spread_of_pairs(fold_of):
    """Compare how often pairs share a fold with what independent draws would give."""
    together = np.mean([row[:, None] == row for row in fold_of], axis=0)
    pairs = together[np.triu_indices(fold_of.shape[1], 1)]
    return pairs.std() / np.sqrt(0.2 * 0.8 / len(fold_of))


def test_shuffled_k_fold_of_scikit_learn_keeps_pairs_together():
    """Why `RepeatedStratifiedGroupKFold` does not repeat scikit-learn's folds.

    When this fails, scikit-learn shuffles better: use its folds instead of ours.
    """
    y, groups = full_size_manifest()
    fold_of = np.empty((40, 112))
    for repeat in range(40):
        cv = StratifiedGroupKFold(5, shuffle=True, random_state=repeat)
        for fold, (_, test) in enumerate(cv.split(y, y, groups)):
            fold_of[repeat, np.unique(groups[test])] = fold
    assert spread_of_pairs(fold_of) > 1.3


def test_k_fold_repeats_for_a_seed():
    y, groups = full_size_manifest()
    cv = RepeatedStratifiedGroupKFold(3, 2, random_state=3)
    for (_, test), (_, again) in zip(
        cv.split(y, y, groups), cv.split(y, y, groups), strict=True
    ):
        np.testing.assert_array_equal(test, again)


def test_k_fold_with_too_few_participants_of_a_class_warns_and_keeps_training_whole():
    y, groups = rows_of([(5, 3), (5, 2), (5, 0), (5, 0), (5, 0)])
    cv = RepeatedStratifiedGroupKFold(5, 1, random_state=0)
    message = r"class 1 in 2\) (fold \d of repeat 0 has no class 1(, )?){3};"
    with pytest.warns(SplitWarning, match=message):
        splits = list(cv.split(y, y, groups))
    for train, test in splits:
        assert set(y[train]) == {0, 1}
        assert len(set(groups[test])) == 1


def test_k_fold_with_as_many_folds_as_participants_leaves_no_fold_empty():
    y, groups = rows_of([(4, 1), (90, 2), (1, 1), (3, 70)])
    cv = RepeatedStratifiedGroupKFold(4, 3, random_state=0)
    assert all(len(set(groups[test])) == 1 for _, test in cv.split(y, y, groups))


def test_k_fold_names_all_bad_parameters_at_once():
    y, groups = rows_of([(2, 2)] * 3)
    with pytest.raises(
        SplitError, match=r"(?s)n_splits must be .* 1\n.*n_repeats .* 0"
    ):
        next(RepeatedStratifiedGroupKFold(1, 0).split(y, y, groups))
    with pytest.raises(
        SplitError, match=r"n_splits=5 .* there are 3; lower n_splits to 3"
    ):
        next(RepeatedStratifiedGroupKFold(5).split(y, y, groups))


# ---------------------------------------------------------------- inside scikit-learn


SPLITTERS = [
    StratifiedGroupShuffleSplit(2, test_size=0.3, random_state=0),
    RepeatedStratifiedGroupKFold(2, 2, random_state=0),
]


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
@pytest.mark.parametrize("routing", [False, True])
def test_splitters_work_in_cross_validate_and_grid_search(cv, routing):
    y, groups = rows_of([(4, 2)] * 6)
    X = np.zeros((len(y), 1))
    known = {"params": {"groups": groups}} if routing else {"groups": groups}
    search = GridSearchCV(DummyClassifier(), {"strategy": ["prior", "uniform"]}, cv=cv)
    with sklearn.config_context(enable_metadata_routing=routing):
        scores = cross_validate(DummyClassifier(), X, y, cv=cv, **known)
        search.fit(X, y, groups=groups)
    assert len(scores["test_score"]) == search.n_splits_ == cv.get_n_splits()


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
def test_splitters_request_groups_by_default(cv):
    assert cv.get_metadata_routing().split.requests == {"groups": True}


def test_splitters_print_their_parameters():
    assert repr(SPLITTERS[1]) == (
        "RepeatedStratifiedGroupKFold(n_repeats=2, n_splits=2, random_state=0)"
    )


# ---------------------------------------------------------------- one split, centres


def a_manifest():
    y, groups = rows_of([(4, 2)] * 6)
    return pd.DataFrame(
        {
            "path": [f"{i}.png" for i in range(len(y))],
            "label": y,
            "participant": [f"p{g}" for g in groups],
            "centre": np.array(["Graz", "Lyon", "Bern"])[groups % 3],
        }
    )


def test_one_split_takes_participants_from_the_manifest_and_keeps_types():
    manifest = a_manifest()
    parts = train_test_split_by_participant(
        manifest, manifest["label"], test_size=1 / 3, random_state=0
    )
    X_train, X_test, y_train, y_test = parts
    assert not set(X_train["participant"]) & set(X_test["participant"])
    assert len(X_train) + len(X_test) == len(manifest)
    pd.testing.assert_series_equal(y_train, X_train["label"])
    pd.testing.assert_series_equal(y_test, X_test["label"])


def test_one_split_returns_groups_that_were_passed():
    manifest = a_manifest()
    paths, groups = list(manifest["path"]), manifest["participant"].to_numpy()
    parts = train_test_split_by_participant(
        paths, manifest["label"].to_numpy(), groups=groups, random_state=0
    )
    X_train, X_test, _, _, groups_train, groups_test = parts
    assert isinstance(X_train, list)
    assert len(X_test) == len(groups_test)
    assert not set(groups_train) & set(groups_test)


def test_one_split_without_participants_is_refused():
    manifest = a_manifest().drop(columns="participant")
    with pytest.raises(SplitError, match="pass groups="):
        train_test_split_by_participant(manifest, manifest["label"])


def test_each_centre_is_left_out_once():
    manifest = a_manifest()
    splits = leave_one_centre_out(manifest)
    assert [manifest["centre"].iloc[test].unique().tolist() for _, test in splits] == [
        ["Bern"],
        ["Graz"],
        ["Lyon"],
    ]
    for train, test in splits:
        assert sorted([*train, *test]) == list(range(len(manifest)))
    scores = cross_validate(DummyClassifier(), manifest, manifest["label"], cv=splits)
    assert len(scores["test_score"]) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.drop(columns=["centre", "label"]), "no column centre, label"),
        (
            lambda m: m.assign(centre="Graz"),
            "'Graz' leaves no class 0",
        ),
        (
            lambda m: m.assign(centre=m["centre"].where(m.index > 1)),
            "lacks the centre of 2 of 36 rows",
        ),
        (
            lambda m: m.assign(centre=["Graz", "Lyon"] * 18),
            "participants occur in several centres, .* would leak: p0",
        ),
        (
            lambda m: m.assign(label=(m["centre"] == "Lyon").astype(int)),
            "leaving out centre 'Lyon' leaves no class 1 to train on",
        ),
    ],
)
def test_centres_that_cannot_be_left_out_are_refused(change, message):
    with pytest.raises(SplitError, match=message):
        leave_one_centre_out(change(a_manifest()))


def test_centre_without_sclerosis_is_split_with_a_warning():
    manifest = a_manifest()
    manifest.loc[manifest["centre"] == "Lyon", "label"] = 0
    with pytest.warns(SplitWarning, match="centre 'Lyon' has no class 1; score pooled"):
        assert len(leave_one_centre_out(manifest)) == 3


@pytest.mark.skipif(
    not DATA.exists(), reason="the real data are not beside the project"
)
def test_real_manifest_is_split_close_to_the_wanted_shares():
    manifest = pd.read_csv(DATA / "cmil_manifest_5758.csv")
    y, groups = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    for cv in (
        StratifiedGroupShuffleSplit(20, test_size=0.2, random_state=0),
        RepeatedStratifiedGroupKFold(5, 4, random_state=0),
    ):
        for _, test in cv.split(y, y, groups):
            assert np.abs(class_shares(y, test) - 0.2).max() < 0.015


@pytest.mark.parametrize(
    "splitter", [StratifiedGroupShuffleSplit(1), RepeatedStratifiedGroupKFold(2, 1)]
)
def test_no_rows_are_refused(splitter):
    with pytest.raises(SplitError, match="y is empty"):
        next(splitter.split([], [], []))
