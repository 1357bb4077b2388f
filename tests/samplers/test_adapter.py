"""ImageSampler: imbalanced-learn's samplers, unchanged but for the images they take."""

import pickle
import tracemalloc
from collections import Counter
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from imblearn import FunctionSampler
from imblearn.combine import SMOTEENN, SMOTETomek
from imblearn.over_sampling import (
    ADASYN,
    SMOTE,
    SVMSMOTE,
    BorderlineSMOTE,
    RandomOverSampler,
)
from imblearn.pipeline import Pipeline
from imblearn.under_sampling import (
    ClusterCentroids,
    NearMiss,
    RandomUnderSampler,
    TomekLinks,
)
from imblearn.utils import estimator_checks as imblearn_checks
from scipy import sparse
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import estimator_checks as sklearn_checks

from glomclf.errors import SamplingError
from glomclf.samplers import AugmentationOverSampler, ImageSampler, neighbors
from glomclf.samplers import arrays as row_arrays
from glomclf.samplers.arrays import to_dtype
from glomclf.samplers.neighbors import RowNeighbors, squared_distances

# -- imbalanced-learn's and scikit-learn's own checks ---------------------------------

EXPECTED_FAILURES = {
    "check_samplers_pandas_sparse": "images are dense; sparse input is refused",
}


def checks_of(module, estimators):
    return [
        pair
        for estimator in estimators
        for pair in module.estimator_checks_generator(
            estimator, expected_failed_checks=EXPECTED_FAILURES, mark="xfail"
        )
    ]


def check_id(part):
    return part.func.__name__ if isinstance(part, partial) else str(part.sampler)


CHECKED = [
    ImageSampler(SMOTE(), random_state=0),
    ImageSampler(RandomUnderSampler(), random_state=0),
    ImageSampler(SMOTETomek(), random_state=0),
]


@pytest.mark.parametrize(
    ("estimator", "check"), checks_of(imblearn_checks, CHECKED), ids=check_id
)
def test_passes_the_checks_of_imbalanced_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("estimator", "check"), checks_of(sklearn_checks, CHECKED), ids=check_id
)
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


# -- the result is that of the sampler ------------------------------------------------


def make_images(n_majority=40, n_minority=14, size=6, seed=0):
    """Noise around one of two greys that overlap, so that classes have a border."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1], [n_majority, n_minority]))
    spread = rng.integers(0, 120, (len(y), 1, 1, 1)) + 30 * y.reshape(-1, 1, 1, 1)
    noise = rng.integers(0, 60, (len(y), size, size, 3))
    return (spread + noise).astype("uint8"), y


SAMPLERS = [
    SMOTE(random_state=1),
    SMOTE(random_state=1, k_neighbors=NearestNeighbors(n_neighbors=4)),
    BorderlineSMOTE(random_state=1),
    BorderlineSMOTE(random_state=1, kind="borderline-2"),
    ADASYN(random_state=1),
    SVMSMOTE(random_state=1),
    SMOTETomek(random_state=1),
    SMOTEENN(random_state=1),
    RandomOverSampler(random_state=1),
    RandomOverSampler(random_state=1, shrinkage=0.2),
    RandomUnderSampler(random_state=1),
    NearMiss(),
    TomekLinks(),
    ClusterCentroids(random_state=1),
]
each_sampler = pytest.mark.parametrize("sampler", SAMPLERS, ids=str)


def sorted_rows(X, y):
    table = np.column_stack([y, X.reshape(len(X), -1)]).astype(float)
    return table[np.lexsort(table.T[::-1])]


@each_sampler
def test_rows_are_those_of_the_sampler_on_flattened_floats(sampler):
    X, y = make_images()
    X_new, y_new = ImageSampler(sampler, random_state=0).fit_resample(X, y)
    table = X.reshape(len(X), -1).astype("float32")
    expected, y_expected = clone(sampler).fit_resample(table, y)
    expected = to_dtype(expected, X.dtype)
    assert X_new.dtype == np.uint8
    assert X_new.shape == (len(y_expected), *X.shape[1:])
    # One grey of difference: a value halfway between two greys may go either way.
    np.testing.assert_allclose(
        sorted_rows(X_new, y_new), sorted_rows(expected, y_expected), atol=1
    )


@each_sampler
def test_carried_over_rows_are_those_of_the_input_bit_for_bit(sampler):
    X, y = make_images()
    lifted = ImageSampler(sampler, random_state=0)
    X_new, y_new = lifted.fit_resample(X, y)
    source = lifted.source_indices_
    carried = source >= 0
    np.testing.assert_array_equal(X_new[carried], X[source[carried]])
    np.testing.assert_array_equal(y_new[carried], y[source[carried]])


@pytest.mark.parametrize(
    "sampler",
    [SMOTE(), BorderlineSMOTE(), ADASYN(), SVMSMOTE(), RandomOverSampler()],
    ids=str,
)
def test_over_samplers_keep_each_row_and_say_which_are_new(sampler):
    X, y = make_images()
    lifted = ImageSampler(sampler, random_state=0)
    _, y_new = lifted.fit_resample(X, y)
    counts = Counter(lifted.source_indices_.tolist())
    n_synthetic = counts.pop(-1, 0)
    assert set(counts) == set(range(len(X)))
    duplicates = sum(counts.values()) - len(X)
    assert n_synthetic + duplicates == len(y_new) - len(y) > 0


def test_rows_that_a_combined_sampler_removes_are_not_claimed():
    X, y = make_images()
    lifted = ImageSampler(SMOTEENN(random_state=1), random_state=0)
    lifted.fit_resample(X, y)
    kept = lifted.source_indices_[lifted.source_indices_ >= 0]
    assert 0 < len(kept) < len(X)
    assert len(set(kept)) == len(kept)


def test_duplicate_images_are_matched_one_to_one():
    X, y = make_images()
    X = np.concatenate([X, X[:5]])
    y = np.concatenate([y, y[:5]])
    lifted = ImageSampler(SVMSMOTE(random_state=1), random_state=0)
    lifted.fit_resample(X, y)
    kept = lifted.source_indices_[lifted.source_indices_ >= 0]
    np.testing.assert_array_equal(np.sort(kept), np.arange(len(X)))


@pytest.mark.parametrize("strategy", ["auto", "minority", 0.75, {1: 33}])
def test_sampling_strategy_means_what_it_means_in_imbalanced_learn(strategy):
    X, y = make_images()
    plain = SMOTE(sampling_strategy=strategy)
    lifted = ImageSampler(plain, random_state=0)
    _, y_new = lifted.fit_resample(X, y)
    _, y_expected = plain.fit_resample(X.reshape(len(X), -1), y)
    assert Counter(y_new.tolist()) == Counter(y_expected.tolist())
    assert lifted.sampling_strategy_ == plain.sampling_strategy_


def test_a_ratio_that_is_reached_already_is_imbalanced_learns_error():
    X, y = make_images(20, 14)
    with pytest.raises(ValueError, match="Please increase the ratio"):
        ImageSampler(SMOTE(sampling_strategy=0.5)).fit_resample(X, y)


# -- pixels ---------------------------------------------------------------------------


@settings(deadline=None, max_examples=15)
@given(arrays("uint8", (2, 2, 2, 3)), st.integers(0, 99))
def test_smote_pixels_lie_between_those_of_their_parents(parents, seed):
    X = np.concatenate([np.zeros((9, 2, 2, 3), "uint8"), parents])
    y = np.repeat([0, 1], [9, 2])
    lifted = ImageSampler(SMOTE(k_neighbors=1), random_state=seed)
    X_new, y_new = lifted.fit_resample(X, y)
    synthetic = X_new[lifted.source_indices_ < 0]
    assert len(synthetic) == 7
    assert (y_new[lifted.source_indices_ < 0] == 1).all()
    assert (synthetic >= parents.min(axis=0)).all()
    assert (synthetic <= parents.max(axis=0)).all()


def test_plain_smote_on_uint8_wraps_and_the_lifted_one_does_not():
    """The fault that ImageSampler is for; should it go, the float detour may go too."""
    X = np.repeat(np.array([0, 250, 100, 200], "uint8"), [9, 1, 1, 1])[:, np.newaxis]
    X = np.repeat(X, 12, axis=1)
    y = np.repeat([0, 1], [9, 3])
    sampler = SMOTE(k_neighbors=2, random_state=0)
    plain, _ = sampler.fit_resample(X, y)
    assert plain[12:].min() < 100
    lifted = ImageSampler(sampler)
    X_new, y_new = lifted.fit_resample(X.reshape(-1, 2, 2, 3), y)
    assert X_new[y_new == 1].min() == 100


def test_extrapolated_pixels_are_clipped():
    def overshoot(X, y):
        return np.vstack([X, X[:1] * 0 + 300.4, X[:1] * 0 - 7.5]), np.append(y, [0, 0])

    X, y = make_images()
    lifted = ImageSampler(FunctionSampler(func=overshoot))
    X_new, _ = lifted.fit_resample(X, y)
    synthetic = X_new[lifted.source_indices_ < 0]
    assert sorted(synthetic.reshape(2, -1).mean(axis=1)) == [0, 255]


@settings(max_examples=20)
@given(arrays("float64", 5, elements=st.floats(-1e6, 1e6)))
def test_conversion_to_uint8_rounds_and_never_wraps(values):
    converted = to_dtype(values, np.dtype("uint8"))
    inside = np.clip(values, 0, 255)
    assert np.abs(converted - inside).max() <= 0.5


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_float_maps_keep_dtype_and_are_not_clipped(dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(scale=1000, size=(30, 2, 2, 5)).astype(dtype)
    y = np.repeat([0, 1], [20, 10])
    X_new, _ = ImageSampler(SMOTE(), random_state=0).fit_resample(X, y)
    assert X_new.dtype == dtype
    assert X_new.shape == (40, 2, 2, 5)
    assert X_new.min() < 0
    assert X_new.max() > 255


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 2, 3)])
@pytest.mark.parametrize("sampler", [SMOTE(), RandomUnderSampler()], ids=str)
def test_any_number_of_dimensions_is_kept(sampler, shape):
    X = np.arange(20 * np.prod(shape), dtype="uint8").reshape(20, *shape)
    y = np.repeat([0, 1], [12, 8])
    X_new, y_new = ImageSampler(sampler, random_state=0).fit_resample(X, y)
    assert X_new.shape == (len(y_new), *shape)
    assert X_new.dtype == np.uint8


# -- order and seeds ------------------------------------------------------------------


def test_rows_are_shuffled():
    X, y = make_images()
    lifted = ImageSampler(SMOTE(), random_state=0)
    lifted.fit_resample(X, y)
    synthetic = lifted.source_indices_ < 0
    assert 0.2 < synthetic[: len(synthetic) // 2].mean() < 0.8


@each_sampler
def test_one_seed_gives_one_result(sampler):
    X, y = make_images()
    unseeded = clone(sampler)
    if "random_state" in unseeded.get_params():
        unseeded.set_params(random_state=None)
    first = ImageSampler(unseeded, random_state=3).fit_resample(X, y)
    again = ImageSampler(unseeded, random_state=3).fit_resample(X, y)
    other = ImageSampler(unseeded, random_state=4).fit_resample(X, y)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert first[0].shape != other[0].shape or (first[0] != other[0]).any()


def test_seeds_are_set_where_there_is_none_and_kept_where_there_is_one():
    X, y = make_images()
    combined = SMOTETomek(smote=SMOTE(), random_state=5)
    lifted = ImageSampler(combined, random_state=0)
    lifted.fit_resample(X, y)
    assert lifted.sampler_.random_state == 5
    assert isinstance(lifted.sampler_.smote.random_state, int)
    assert combined.smote.random_state is None


def test_input_is_left_alone():
    X, y = make_images()
    X_before, y_before = X.copy(), y.copy()
    ImageSampler(SMOTE()).fit_resample(X, y)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)


# -- what is learned and kept ---------------------------------------------------------


def test_sample_indices_are_in_the_order_of_the_result_and_only_where_they_apply():
    X, y = make_images()
    lifted = ImageSampler(RandomUnderSampler(), random_state=0)
    X_new, _ = lifted.fit_resample(X, y)
    np.testing.assert_array_equal(X_new, X[lifted.sample_indices_])
    lifted.set_params(sampler=SMOTE()).fit_resample(X, y)
    assert not hasattr(lifted, "sample_indices_")


def test_a_smoothed_bootstrap_is_synthetic():
    X, y = make_images()
    X = X.astype("float32")
    lifted = ImageSampler(RandomOverSampler(shrinkage=0.5), random_state=0)
    lifted.fit_resample(X, y)
    new = lifted.source_indices_ < 0
    assert new.sum() == 26
    assert (y[lifted.sample_indices_[new]] == 1).all()


def test_number_of_features_is_that_of_tables_only():
    X, y = make_images()
    lifted = ImageSampler(SMOTE()).fit(X.reshape(len(X), -1), y)
    assert lifted.n_features_in_ == 108
    assert not hasattr(lifted.fit(X, y), "n_features_in_")


@each_sampler
def test_a_pickle_holds_no_images(sampler):
    X, y = make_images(size=12)
    lifted = ImageSampler(sampler)
    lifted.fit_resample(X, y)
    assert len(pickle.dumps(lifted)) < 6000 < X.nbytes


@pytest.mark.parametrize("sampler", [SMOTE(), RandomUnderSampler(), ADASYN()], ids=str)
def test_memory_beyond_the_result_is_a_fraction_of_a_float_copy(sampler, monkeypatch):
    monkeypatch.setattr(neighbors, "_NUMBERS_AT_ONCE", 2**16)
    monkeypatch.setattr(row_arrays, "ROWS_AT_ONCE", 8)
    X, y = make_images(160, 40, size=64)
    lifted = ImageSampler(sampler, random_state=0)
    tracemalloc.start()
    X_new, _ = lifted.fit_resample(X, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - X_new.nbytes < X.nbytes < X.astype("float32").nbytes / 3


def test_frames_come_back_as_imbalanced_learn_returns_them():
    X, y = make_images()
    frame = pd.DataFrame(X.reshape(len(X), -1)).rename(columns=str)
    X_frame, y_series = ImageSampler(SMOTE(), 0).fit_resample(frame, pd.Series(y))
    assert isinstance(X_frame, pd.DataFrame)
    assert isinstance(y_series, pd.Series)
    assert (X_frame.dtypes == "uint8").all()


def test_works_as_a_step_of_an_imblearn_pipeline():
    X, y = make_images()
    pipeline = Pipeline(
        [("sample", ImageSampler(SMOTE())), ("net", DummyClassifier(strategy="prior"))]
    )
    pipeline.set_params(sample__sampler__k_neighbors=3).fit(X, y)
    np.testing.assert_allclose(pipeline.predict_proba(X)[0], [0.5, 0.5])


# -- errors ---------------------------------------------------------------------------


@pytest.mark.parametrize("table", [True, False], ids=["table", "images"])
@pytest.mark.parametrize(
    ("sampler", "n_minority", "remedy"),
    [
        (SMOTE(), 4, "lower k_neighbors or"),
        (SVMSMOTE(m_neighbors=2), 4, "lower k_neighbors or m_neighbors"),
        (NearMiss(), 2, "lower n_neighbors or"),
    ],
    ids=str,
)
def test_too_few_images_for_the_neighbours_is_a_named_error(
    sampler, n_minority, remedy, table
):
    X, y = make_images(20, n_minority)
    X = X.reshape(len(X), -1) if table else X
    counts = rf"rows \(20 of class 0, {n_minority} of class 1\)"
    with pytest.raises(SamplingError, match=counts) as raised:
        ImageSampler(sampler, random_state=0).fit_resample(X, y)
    assert remedy in str(raised.value)
    assert "'augment', 'oversample' or 'undersample'" in str(raised.value)


def test_other_failures_keep_the_samplers_reason():
    X, y = make_images()
    X[y == 1] //= 20
    X[y == 0] //= 20
    X[y == 1] += 230
    with pytest.raises(SamplingError, match=r"ADASYN cannot .*14 of class 1.*major"):
        ImageSampler(ADASYN()).fit_resample(X, y)


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (SMOTE, "expected an instance"),
        (DummyClassifier(), "must be an object implementing 'fit_resample'"),
        (ImageSampler(SMOTE()), "use it without ImageSampler"),
        (AugmentationOverSampler(), "use it without ImageSampler"),
    ],
    ids=["class", "classifier", "lifted already", "augmentation"],
)
def test_what_is_no_table_sampler_is_refused(sampler, message):
    X, y = make_images()
    with pytest.raises(ValueError, match=message):
        ImageSampler(sampler).fit_resample(X, y)


def test_a_sampler_that_changes_the_columns_is_refused():
    X, y = make_images()
    halving = FunctionSampler(func=lambda X, y: (X[:, ::2], y))
    with pytest.raises(SamplingError, match="keeps the columns"):
        ImageSampler(halving).fit_resample(X, y)


@pytest.mark.parametrize("method", ["fit", "fit_resample"])
def test_booleans_are_refused(method):
    X, y = make_images()
    with pytest.raises(SamplingError, match="dtype bool; expected integers or floats"):
        getattr(ImageSampler(SMOTE()), method)(X > 100, y)


# -- neighbours -----------------------------------------------------------------------


@settings(deadline=None, max_examples=20)
@given(arrays("uint8", (9, 7)), st.permutations(range(9)), st.integers(1, 20))
def test_distances_between_uint8_rows_are_exact(images, rows, width):
    queries = np.array(rows[:4])
    rows = np.array(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbors, "_NUMBERS_AT_ONCE", width)
        squared = squared_distances(images, queries, rows)
    differences = images[queries, np.newaxis].astype(int) - images[rows].astype(int)
    np.testing.assert_array_equal(squared, (differences**2).sum(axis=2))


def test_neighbours_are_those_of_scikit_learn():
    images = np.random.default_rng(0).normal(loc=1e4, size=(30, 12))
    rows, queries = np.arange(5, 30), np.arange(10)
    identity = sparse.eye_array(30, format="csr")
    ours = RowNeighbors(images, 4).fit(identity[rows])
    theirs = NearestNeighbors(n_neighbors=4, algorithm="kd_tree").fit(images[rows])
    distances, indices = ours.kneighbors(identity[queries])
    expected_distances, expected_indices = theirs.kneighbors(images[queries])
    np.testing.assert_array_equal(indices, expected_indices)
    # scikit-learn's own two algorithms differ by as much, this far from the origin
    np.testing.assert_allclose(distances, expected_distances, atol=1e-6)


def test_cloning_a_search_for_neighbours_does_not_copy_the_images():
    images = np.zeros((3, 4))
    assert clone(RowNeighbors(images, 2)).images is images
