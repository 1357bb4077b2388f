"""Samplers by name, chains of them, and which of them need images."""

import pickle
from collections import Counter
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import ADASYN, SMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline
from imblearn.under_sampling import RandomUnderSampler
from imblearn.utils import estimator_checks as imblearn_checks
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.utils import estimator_checks as sklearn_checks

from glomclf.errors import SamplingError
from glomclf.samplers import (
    SAMPLER_NAMES,
    AugmentationOverSampler,
    ImageSampler,
    SamplerChain,
    make_sampler,
    needs_images,
)
from glomclf.samplers.named import half_the_majority, near_the_minority

# -- imbalanced-learn's and scikit-learn's own checks ---------------------------------

EXPECTED_FAILURES = {
    "check_samplers_pandas_sparse": "images are dense; sparse input is refused",
}


def checks_of(module):
    return list(
        module.estimator_checks_generator(
            SamplerChain([RandomOverSampler(), RandomUnderSampler()], random_state=0),
            expected_failed_checks=EXPECTED_FAILURES,
            mark="xfail",
        )
    )


def check_id(part):
    return part.func.__name__ if isinstance(part, partial) else "chain"


@pytest.mark.parametrize(
    ("estimator", "check"), checks_of(imblearn_checks), ids=check_id
)
def test_passes_the_checks_of_imbalanced_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("estimator", "check"), checks_of(sklearn_checks), ids=check_id
)
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


# -- names ----------------------------------------------------------------------------


def make_images(n_majority, n_minority, size=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1], [n_majority, n_minority]))
    return rng.integers(0, 256, (len(y), size, size, 3), dtype="uint8"), y


def resampled_counts(spec, n_majority, n_minority):
    X, y = make_images(n_majority, n_minority)
    X_new, y_new = make_sampler(spec, random_state=0).fit_resample(X, y)
    assert X_new.dtype == np.uint8
    assert X_new.shape == (len(y_new), *X.shape[1:])
    return Counter(y_new.tolist())


@pytest.mark.parametrize("name", sorted({*SAMPLER_NAMES} - {"undersample"}))
def test_over_samplers_go_to_equality(name):
    assert resampled_counts(name, 40, 10) == {0: 40, 1: 40}


def test_undersample_goes_to_equality():
    assert resampled_counts("undersample", 40, 10) == {0: 10, 1: 10}


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("smote", SMOTE),
        ("oversample", RandomOverSampler),
        ("undersample", RandomUnderSampler),
    ],
)
def test_names_stand_for_the_samplers_of_imbalanced_learn(spec, kind):
    sampler = make_sampler(spec)
    assert isinstance(sampler, ImageSampler)
    assert type(sampler.sampler) is kind
    assert sampler.sampler.get_params() == kind().get_params()


def test_augment_stands_for_augmentation():
    assert isinstance(make_sampler("augment"), AugmentationOverSampler)


def test_none_is_no_sampler():
    assert make_sampler(None) is None


def chain_stages(spec, n_majority, n_minority):
    """Return the class counts after each step of a chain."""
    X, y = make_images(n_majority, n_minority)
    chain = make_sampler(spec, random_state=0)
    stages = []
    for sampler in chain.samplers:
        X, y = sampler.set_params(random_state=0).fit_resample(X, y)
        stages.append((int(np.sum(y == 0)), int(np.sum(y == 1))))
    return stages


@pytest.mark.parametrize("join", ["smote+augment", " smote + augment ", "list"])
def test_smote_then_augment_meets_at_half_the_majority(join):
    spec = ["smote", "augment"] if join == "list" else join
    assert chain_stages(spec, 41, 10) == [(41, 20), (41, 41)]


def test_smote_draws_nothing_where_half_is_reached():
    assert chain_stages("smote+augment", 20, 12) == [(20, 12), (20, 20)]


def test_smote_needs_no_neighbours_where_it_draws_nothing():
    assert chain_stages("smote+augment", 6, 3) == [(6, 3), (6, 6)]


def test_balanced_classes_stay_as_they_are():
    for spec in ("smote+augment", "undersample+augment", *SAMPLER_NAMES):
        assert resampled_counts(spec, 8, 8) == {0: 8, 1: 8}


def test_undersample_then_augment_meets_at_1200():
    assert chain_stages("undersample+augment", 1500, 950) == [(1200, 950), (1200, 1200)]


def test_undersample_then_augment_meets_at_four_thirds_of_a_small_minority():
    assert chain_stages("undersample+augment", 60, 15) == [(20, 15), (20, 20)]


def test_the_chains_reproduce_the_counts_of_the_published_pipeline():
    assert half_the_majority(np.repeat([0, 1], [4704, 1054])) == {0: 4704, 1: 2352}
    assert near_the_minority(np.repeat([0, 1], [3999, 896])) == {0: 1200, 1: 896}


def test_any_names_can_be_joined():
    assert chain_stages("smote+undersample", 40, 10) == [(40, 20), (20, 20)]
    assert chain_stages("undersample+oversample", 40, 9) == [(12, 9), (12, 12)]


counts = st.lists(st.integers(1, 3000), min_size=2, max_size=4)


@settings(max_examples=20)
@given(counts)
def test_half_the_majority_never_removes_and_never_overshoots(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    target = half_the_majority(y)
    for label, n in enumerate(counts):
        assert target[label] == max(n, max(counts) // 2)


@settings(max_examples=20)
@given(counts)
def test_near_the_minority_never_adds_and_never_goes_below_the_minority(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    target = near_the_minority(y)
    for label, n in enumerate(counts):
        assert min(counts) <= target[label] <= n
    assert max(target.values()) <= max(1200, 4 * min(counts) // 3)


# -- samplers and lists ---------------------------------------------------------------


def test_a_sampler_of_imbalanced_learn_is_cloned_and_lifted():
    plain = ADASYN(n_neighbors=3)
    sampler = make_sampler(plain, random_state=4)
    assert isinstance(sampler, ImageSampler)
    assert sampler.sampler is not plain
    assert sampler.sampler.n_neighbors == 3
    assert sampler.random_state == 4


@pytest.mark.parametrize(
    "sampler", [ImageSampler(SMOTE()), AugmentationOverSampler()], ids=str
)
def test_a_sampler_of_images_is_cloned_and_seeded_where_it_has_no_seed(sampler):
    made = make_sampler(sampler, random_state=4)
    assert type(made) is type(sampler)
    assert made.random_state == 4
    assert sampler.random_state is None
    seeded = clone(sampler).set_params(random_state=1)
    assert make_sampler(seeded, random_state=4).random_state == 1


def test_a_chain_is_passed_through():
    chain = SamplerChain([SMOTE()], random_state=1)
    made = make_sampler(chain, random_state=2)
    assert isinstance(made, SamplerChain)
    assert made is not chain
    assert made.random_state == 1


def test_a_list_may_mix_names_and_samplers():
    chain = make_sampler(["undersample", SMOTE(k_neighbors=2)], random_state=0)
    assert [type(step.sampler) for step in chain.samplers] == [
        RandomUnderSampler,
        SMOTE,
    ]
    X, y = make_images(60, 15)
    _, y_new = chain.fit_resample(X, y)
    assert Counter(y_new.tolist()) == {0: 20, 1: 20}


def test_a_list_of_one_is_that_one():
    assert isinstance(make_sampler(["smote"]), ImageSampler)


# -- chains ---------------------------------------------------------------------------


@settings(deadline=None, max_examples=6)
@given(st.integers(12, 30), st.integers(6, 11), st.integers(0, 99))
def test_rows_are_traced_through_a_chain(n_majority, n_minority, seed):
    X, y = make_images(n_majority, n_minority, seed=seed)
    for spec in ("smote+augment", "undersample+augment", "smote+undersample"):
        chain = make_sampler(spec, random_state=seed)
        X_new, y_new = chain.fit_resample(X, y)
        source = chain.source_indices_
        carried = source >= 0
        np.testing.assert_array_equal(X_new[carried], X[source[carried]])
        np.testing.assert_array_equal(y_new[carried], y[source[carried]])
        assert len(set(source[carried])) == carried.sum()
        if spec == "smote+augment":
            assert carried.sum() == len(X)


def test_an_augmented_synthetic_image_is_synthetic():
    X, y = make_images(40, 10)
    chain = make_sampler("smote+augment", random_state=0)
    _, y_new = chain.fit_resample(X, y)
    assert np.sum(chain.source_indices_ < 0) == len(y_new) - len(y) == 30
    assert chain.sampling_strategy_ == [{0: 0, 1: 10}, {1: 20}]


def test_one_seed_gives_one_result_and_the_steps_have_seeds_of_their_own():
    X, y = make_images(40, 10)
    first = make_sampler("smote+augment", random_state=1)
    X_first, y_first = first.fit_resample(X, y)
    X_again, y_again = clone(first).fit_resample(X, y)
    X_other, _ = make_sampler("smote+augment", random_state=2).fit_resample(X, y)
    np.testing.assert_array_equal(X_first, X_again)
    np.testing.assert_array_equal(y_first, y_again)
    assert (X_first != X_other).any()
    assert len({step.random_state for step in first.samplers_}) == 2
    assert all(step.random_state is None for step in first.samplers)


def test_a_chain_works_in_a_pipeline_and_survives_pickle_and_clone():
    X, y = make_images(40, 10)
    pipeline = Pipeline(
        [
            ("sample", make_sampler("smote+augment", random_state=0)),
            ("net", DummyClassifier(strategy="prior")),
        ]
    )
    pipeline = pickle.loads(pickle.dumps(clone(pipeline)))
    pipeline.fit(X, y)
    np.testing.assert_allclose(pipeline.predict_proba(X)[0], [0.5, 0.5])


# -- feature space --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (None, False),
        ("smote", False),
        ("undersample+oversample", False),
        ("augment", True),
        ("smote+augment", True),
        (SMOTE(), False),
        (ImageSampler(SMOTE()), False),
        (AugmentationOverSampler(), True),
        ([SMOTE(), "augment"], True),
        (SamplerChain([SMOTE(), AugmentationOverSampler()]), True),
        (SamplerChain([SMOTE(), RandomUnderSampler()]), False),
    ],
    ids=str,
)
def test_only_augmentation_needs_images(spec, expected):
    assert needs_images(spec) is expected


@pytest.mark.parametrize("spec", ["smote", "oversample", "undersample", "smote+smote"])
def test_samplers_that_need_no_images_take_features(spec):
    X = np.random.default_rng(0).normal(size=(40, 7)).astype("float32")
    y = np.repeat([0, 1], [30, 10])
    X_new, y_new = make_sampler(spec, random_state=0).fit_resample(X, y)
    assert X_new.dtype == np.float32
    assert len(set(Counter(y_new.tolist()).values())) == 1


# -- errors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "faults"),
    [
        ("smoot", ["'smoot' is not the name of a sampler (did you mean 'smote'?)"]),
        ("SMOTE", ["'SMOTE' is not the name of a sampler (did you mean 'smote'?)"]),
        ("smote+xyz", ["'xyz' is not the name of a sampler."]),
        ("agument+undersampel", ["'augment'?); 'undersampel'", "'undersample'?)."]),
        ("", ["'' is not the name of a sampler"]),
        ("smote+", ["'' is not the name of a sampler"]),
        ([], ["The list is empty"]),
        ([SMOTE, "smote", 3], ["SMOTE'> is not an instance of a sampler; 3 is not"]),
        (DummyClassifier(), ["DummyClassifier() is not an instance of a sampler"]),
        (["smote", None], ["None is not an instance of a sampler"]),
    ],
    ids=str,
)
def test_what_is_no_sampler_is_named_with_the_names_there_are(spec, faults):
    with pytest.raises(SamplingError, match="Cannot make a sampler from") as raised:
        make_sampler(spec)
    for fault in [*faults, "augment, oversample, smote, undersample"]:
        assert fault in str(raised.value)


@pytest.mark.parametrize(
    ("samplers", "fault"),
    [
        ([], "The list is empty"),
        (["smote"], "'smote' is not the name of a sampler"),
        ([SMOTE(), 3], "3 is not an instance of a sampler"),
        ("smote", "must be an instance of 'list'"),
    ],
    ids=str,
)
def test_a_chain_refuses_what_is_no_sampler(samplers, fault):
    X, y = make_images(9, 6)
    with pytest.raises(ValueError, match=fault):
        SamplerChain(samplers).fit_resample(X, y)


def test_features_are_refused_by_a_chain_that_augments():
    with pytest.raises(SamplingError, match="needs RGB images"):
        make_sampler("smote+augment").fit_resample(np.zeros((9, 4)), [0] * 6 + [1] * 3)
