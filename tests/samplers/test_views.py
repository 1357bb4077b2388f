"""AugmentedViews: new views of every training row, from content and seed alone."""

from collections import Counter
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import RandomOverSampler
from imblearn.utils import estimator_checks as imblearn_checks
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import GroupKFold, KFold, train_test_split
from sklearn.utils import estimator_checks as sklearn_checks

from glomclf import (
    AugmentedViews,
    GlomeruliClassifier,
    PatchAugmenter,
    make_glomeruli,
)
from glomclf.data.dihedral import DihedralImages
from glomclf.data.streaming import ArraySource
from glomclf.errors import SamplingError
from glomclf.leakage.alignment import dihedral_views
from glomclf.leakage.splits import audit_fit, audit_splits
from glomclf.report.displays import LeakyPairsDisplay, SyntheticImagesDisplay
from glomclf.samplers import ImageSampler, SamplerChain, make_sampler, needs_images
from glomclf.samplers.arrays import ArraySamplerMixin
from glomclf.samplers.trace import trace_resampling


def make_images(n_majority=6, n_minority=3, size=8, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1], [n_majority, n_minority]))
    return rng.integers(0, 256, (len(y), size, size, 3), dtype="uint8"), y


# -- imbalanced-learn's and scikit-learn's own checks ---------------------------------


class TableViews(AugmentedViews):
    """Takes the tables of the check suites: each row rides along with an image.

    The image is made of the row's bytes, and the rows that come back are those whose
    images were drawn. All but the pixels is the sampler's own.
    """

    def _check_X_y(self, X, y):
        return ArraySamplerMixin._check_X_y(self, X, y)

    def _fit_resample(self, X, y):
        content = np.ascontiguousarray(X).view(np.uint8).reshape(len(X), 1, -1, 1)
        _, y_resampled = super()._fit_resample(np.repeat(content, 3, axis=3), y)
        return X[self.parent_indices_], y_resampled

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.dataframe = True
        return tags


EXPECTED_FAILURES = {
    "check_samplers_pandas_sparse": "images are dense; sparse input is refused",
}


def checks_of(room):
    return list(
        room.estimator_checks_generator(
            TableViews(augmentation="dihedral", random_state=0),
            expected_failed_checks=EXPECTED_FAILURES,
            mark="xfail",
        )
    )


def check_id(part):
    return part.func.__name__ if isinstance(part, partial) else "views"


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


# -- what is added --------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), st.integers(0, 9))
def test_each_row_is_kept_and_has_as_many_views(n_majority, n_minority, n_views, seed):
    X, y = make_images(n_majority, n_minority, seed=seed)
    sampler = AugmentedViews(n_views, random_state=seed)
    X_new, y_new = sampler.fit_resample(X, y)
    source, parents = sampler.source_indices_, sampler.parent_indices_
    carried = source >= 0
    np.testing.assert_array_equal(np.sort(source[carried]), np.arange(len(X)))
    np.testing.assert_array_equal(X_new[carried], X[source[carried]])
    np.testing.assert_array_equal(source[carried], parents[carried])
    np.testing.assert_array_equal(sampler.replicates_ == 0, carried)
    np.testing.assert_array_equal(y_new, y[parents])
    seen = Counter(zip(parents.tolist(), sampler.replicates_.tolist(), strict=True))
    rows, numbers = range(len(X)), range(n_views + 1)
    assert seen == Counter((row, number) for row in rows for number in numbers)
    assert X_new.dtype == np.uint8


def test_rows_are_shuffled():
    X, y = make_images(60, 20)
    sampler = AugmentedViews(augmentation="dihedral", random_state=0)
    sampler.fit_resample(X, y)
    new = sampler.replicates_ > 0
    assert 0.3 < new[: len(new) // 2].mean() < 0.7


def test_views_are_what_the_augmentation_makes():
    X, y = make_images()
    sampler = AugmentedViews(3, "dihedral", random_state=0)
    X_new, _ = sampler.fit_resample(X, y)
    for image, parent in zip(X_new, sampler.parent_indices_, strict=True):
        views = dihedral_views(X[parent][np.newaxis])
        assert any(np.array_equal(image, view[0]) for view in views)
    still = PatchAugmenter(
        **{name: 0 for name in PatchAugmenter().get_params() if name != "flips"},
        flips=False,
    )
    X_new, _ = AugmentedViews(1, still).fit_resample(X, y)
    assert Counter(map(bytes, X_new)) == Counter(2 * list(map(bytes, X)))


# -- what a view depends on -----------------------------------------------------------


@settings(deadline=None, max_examples=20)
@given(
    st.permutations(range(9)),
    st.lists(st.booleans(), min_size=9, max_size=9),
    st.integers(0, 9),
)
def test_neither_order_nor_company_of_rows_matters(order, kept, seed):
    """Folds share images: what one of them makes of an image, the others make too."""
    X, y = make_images()
    kept = (
        np.array(kept) | (np.arange(9) == np.argmin(y)) | (np.arange(9) == y.argmax())
    )
    rows = np.array(order)[kept[order]]
    whole, part = (AugmentedViews(2, random_state=seed) for _ in range(2))
    X_whole, _ = whole.fit_resample(X, y)
    X_part, _ = part.fit_resample(X[rows], y[rows])
    expected = X_whole[np.isin(whole.parent_indices_, rows)]
    assert Counter(map(bytes, X_part)) == Counter(map(bytes, expected))


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_one_seed_gives_one_result_with_any_number_of_threads(n_jobs):
    X, y = make_images()
    first = AugmentedViews(2, random_state=7).fit_resample(X, y)
    again = AugmentedViews(2, random_state=7, n_jobs=n_jobs).fit_resample(X, y)
    other = AugmentedViews(2, random_state=8, n_jobs=n_jobs).fit_resample(X, y)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert Counter(map(bytes, first[0])) != Counter(map(bytes, other[0]))


def test_more_views_leave_the_first_as_they_were():
    """So that a study over their number computes no feature twice."""
    X, y = make_images()
    few, many = (
        Counter(map(bytes, AugmentedViews(n, random_state=0).fit_resample(X, y)[0]))
        for n in (1, 3)
    )
    assert few <= many


def test_identical_images_have_views_of_their_own():
    X, y = make_images(4, 1)
    X, y = np.concatenate([X, X[y == 1]]), np.append(y, 1)
    sampler = AugmentedViews(2, random_state=0)
    X_new, y_new = sampler.fit_resample(X, y)
    new = (sampler.replicates_ > 0) & (y_new == 1)
    assert sorted(sampler.replicates_[new]) == [1, 2, 3, 4]
    assert len({bytes(image) for image in X_new[new]}) == 4


def test_one_view_can_be_made_alone_before_and_after_fitting():
    X, y = make_images()
    fitted = AugmentedViews(2, random_state=3)
    X_new, _ = fitted.fit_resample(X, y)
    for i in np.flatnonzero(fitted.replicates_):
        image, view = X[fitted.parent_indices_[i]], fitted.replicates_[i]
        fresh = AugmentedViews(random_state=3)
        np.testing.assert_array_equal(X_new[i], fitted.view_image(image, view))
        np.testing.assert_array_equal(X_new[i], fresh.view_image(image, view))


# -- among other samplers -------------------------------------------------------------


def test_it_goes_after_other_samplers_and_keeps_proportions():
    X, y = make_images(12, 4)
    sampler = make_sampler(
        ["augment", AugmentedViews(2, "dihedral")], random_state=0, n_jobs=2
    )
    assert isinstance(sampler, SamplerChain)
    assert [step.n_jobs for step in sampler.samplers] == [2, 2]
    X_new, y_new = sampler.fit_resample(X, y)
    assert Counter(y_new.tolist()) == {0: 36, 1: 36}  # the named one goes all the way
    carried = sampler.source_indices_ >= 0
    np.testing.assert_array_equal(X_new[carried], X[sampler.source_indices_[carried]])
    assert carried.sum() == 16
    assert needs_images(AugmentedViews())


def test_repeated_rows_are_seen_from_several_sides():
    X, y = make_images(8, 2)
    steps = [RandomOverSampler(random_state=0), AugmentedViews(random_state=0)]
    X_new, _ = SamplerChain(steps).fit_resample(X, y)
    n_views = Counter(map(bytes, X_new)).keys() - set(map(bytes, X))
    assert len(n_views) == 16


def test_pictures_show_each_view_beside_the_image_it_is_of():
    X, y = make_images()
    sampler = AugmentedViews(1, "dihedral", random_state=0)
    sampler.fit_resample(X, y)
    (step,) = trace_resampling(sampler, X, y)
    assert step.name == "AugmentedViews"
    assert step.counts_after == {0: 12, 1: 6}
    for source, view in zip(step.sources, step.synthetic, strict=True):
        views = dihedral_views(source[np.newaxis])
        assert any(np.array_equal(view, known[0]) for known in views)
    lines = SyntheticImagesDisplay([step])._lines()
    assert [title for title, _ in lines] == ["source", "augmented views"]


# -- leakage --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny():
    """48 patches of 12 participants, of 32 pixels a side."""
    return make_glomeruli(
        48, n_participants=12, sclerotic_fraction=0.4, image_size=32, random_state=0
    )


class Watched(ClassifierMixin, BaseEstimator):
    """Takes validation rows as the network does, and guesses."""

    def fit(self, X, y, X_val=None, y_val=None):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.resize(self.classes_, len(X))


def tiny_classifier():
    return GlomeruliClassifier(
        sampler=["smote", AugmentedViews(2)],
        backbone="cnn",
        weights=None,
        image_size=32,
        dense_units=8,
        epochs=2,
        patience=1,
        validation_fraction=0.25,
        random_state=0,
    )


def kinds(audit):
    return set(audit.to_frame().query("leaks")["kind"])


def test_within_the_classifier_views_are_trained_on_and_never_watched(tiny):
    audit = audit_fit(tiny_classifier(), *tiny)
    assert audit.to_frame().empty, str(audit)
    assert (audit.folds["n_unrecognised"] == 0).all()
    validation = audit.folds.query("role == 'validation'")
    assert len(validation)
    assert (validation["n_synthetic"] == 0).all()
    net = audit.folds.query("role == 'training' and step == 'PatchClassifier'")
    (views,) = audit.folds.query("step == 'AugmentedViews'")["n_rows"]
    assert net["n_rows"].tolist() == [3 * views]
    assert (net["n_synthetic"] >= 2 * views).all()


class Leaky(ClassifierMixin, BaseEstimator):
    """Makes views of rows that they must not be made of."""

    def __init__(self, way, judged=None):
        self.way = way
        self.judged = judged

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        views = AugmentedViews(random_state=0)
        if self.way == "views of judged rows":
            labels = np.resize([0, 1], len(self.judged))
            X, y = np.concatenate([X, self.judged]), np.append(y, labels)
        if self.way != "views of training rows":
            X, y = views.fit_resample(X, y)
        X, X_val, y, y_val = train_test_split(X, y, stratify=y, random_state=0)
        if self.way == "views of training rows":
            X, y = views.fit_resample(X, y)
        self.net_ = Watched().fit(X, y, X_val=X_val, y_val=y_val)
        return self

    def predict(self, X):
        return self.net_.predict(X)


@pytest.mark.parametrize(
    ("way", "found"),
    [
        ("views of training rows", set()),
        ("views before the validation split", {"validation row is not real"}),
        (
            "views of judged rows",
            {"judged participant seen", "validation row is not real"},
        ),
    ],
)
def test_views_of_the_wrong_rows_are_caught(tiny, way, found):
    X, y, _ = tiny
    split = (np.arange(36), np.arange(36, 48))
    audit = audit_fit(Leaky(way, X[split[1]]), X, y, cv=[split])
    assert kinds(audit) == found, str(audit)


class Turning(ClassifierMixin, BaseEstimator):
    """Predicts turned training images within the fit."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.net_ = Watched().fit(X, y)
        self.net_.predict(DihedralImages(ArraySource(X), 3))
        return self

    def predict(self, X):
        return self.net_.predict(X)


def test_turned_sources_are_traced_to_the_rows_they_are_of(tiny):
    X, y, _ = tiny
    audit = audit_fit(Turning(), X, y, np.arange(48), cv=KFold(2))
    assert set(audit.to_frame()["kind"]) == {"own participants predicted"}
    assert (audit.folds["n_unrecognised"] == 0).all()


def test_views_made_before_a_split_are_on_both_sides_of_it():
    X, y, groups = make_glomeruli(
        12, n_participants=4, sclerotic_fraction=0.5, image_size=64, random_state=0
    )
    sampler = AugmentedViews(1, "dihedral", random_state=0)
    X_new, y_new = sampler.fit_resample(X, y)
    owners = groups[sampler.parent_indices_]
    careless = [(np.arange(12), np.arange(12, 24))]
    assert "participant on both sides" in kinds(
        audit_splits(X_new, y_new, careless, owners)
    )
    assert not audit_splits(X_new, y_new, GroupKFold(2), owners).is_leaky
    # without names, turned copies are still seen in the pixels
    nameless = audit_splits(X_new, y_new, careless)
    assert kinds(nameless) & {"identical", "re-encoded", "near-duplicate"}
    display = LeakyPairsDisplay.from_audit(nameless, X_new, figure=Figure())
    for _, pair in display.pairs.iterrows():
        ends = sampler.parent_indices_[[pair["train_row"], pair["test_row"]]]
        assert ends[0] == ends[1]  # an image and a view of it


# -- errors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "X",
    [np.zeros((4, 7)), np.zeros((4, 5, 5, 3), "float32"), np.zeros((4, 5, 5, 4))],
    ids=["features", "float maps", "RGBA"],
)
@pytest.mark.parametrize("method", ["fit", "fit_resample"])
def test_what_is_no_rgb_image_is_refused(X, method):
    with pytest.raises(SamplingError, match="needs RGB images") as raised:
        getattr(AugmentedViews(), method)(X, [0, 0, 0, 1])
    assert str(X.shape) in str(raised.value)


def test_views_are_counted_from_one():
    X, _ = make_images()
    with pytest.raises(ValueError, match="view == 0, must be >= 1"):
        AugmentedViews().view_image(X[0], view=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_views": 0},
        {"n_views": 1.5},
        {"augmentation": None},
        {"augmentation": "stain"},
        {"n_jobs": 1.5},
    ],
    ids=str,
)
def test_parameters_out_of_range_are_named(wrong):
    (name,) = wrong
    X, y = make_images()
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        AugmentedViews(**wrong).fit_resample(X, y)


def test_ranges_of_its_augmenter_are_named_and_can_be_set():
    X, y = make_images()
    sampler = AugmentedViews(augmentation=PatchAugmenter(zoom_range=2))
    with pytest.raises(ValueError, match="The 'zoom_range' parameter"):
        sampler.fit_resample(X, y)
    mended = clone(sampler).set_params(augmentation__zoom_range=0.1)
    assert len(mended.fit_resample(X, y)[0]) == 18


def test_images_alone_go_in_a_lifted_sampler_never():
    with pytest.raises(SamplingError, match="use it without ImageSampler"):
        ImageSampler(AugmentedViews()).fit_resample(*make_images())
