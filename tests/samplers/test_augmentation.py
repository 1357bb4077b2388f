"""AugmentationOverSampler: new images that depend on content and seed alone."""

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.utils import estimator_checks as imblearn_checks
from PIL import Image
from sklearn.utils import estimator_checks as sklearn_checks

import glomclf
from glomclf.data.augmenter import PatchAugmenter
from glomclf.data.geometry import move
from glomclf.errors import SamplingError
from glomclf.samplers import AugmentationOverSampler
from glomclf.samplers.arrays import ArraySamplerMixin
from glomclf.samplers.augmentation import draw_evenly

REAL = Path(glomclf.__file__).parents[2] / "shared" / "data" / "aidpath"


def make_images(n_majority=9, n_minority=4, size=12, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1], [n_majority, n_minority]))
    coarse = rng.integers(0, 256, (len(y), 4, 4, 3), dtype="uint8")
    images = [np.asarray(Image.fromarray(c).resize((size, size))) for c in coarse]
    return np.array(images), y


# -- imbalanced-learn's and scikit-learn's own checks ---------------------------------


class TableAugmentation(AugmentationOverSampler):
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
            TableAugmentation(augmentation="dihedral", random_state=0),
            expected_failed_checks=EXPECTED_FAILURES,
            mark="xfail",
        )
    )


def check_id(part):
    return part.func.__name__ if isinstance(part, partial) else "augmentation"


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


# -- what is drawn --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("auto", {0: 9, 1: 9}),
        ("minority", {0: 9, 1: 9}),
        (0.7, {0: 9, 1: 6}),
        ({0: 11, 1: 4}, {0: 11, 1: 4}),
        (lambda y: {1: 2 * int(np.sum(y == 1))}, {0: 9, 1: 8}),
    ],
    ids=["auto", "minority", "ratio", "counts", "callable"],
)
def test_sampling_strategy_means_what_it_means_in_imbalanced_learn(strategy, expected):
    X, y = make_images()
    sampler = AugmentationOverSampler(strategy, random_state=0)
    X_new, y_new = sampler.fit_resample(X, y)
    assert Counter(y_new.tolist()) == expected
    assert X_new.shape == (len(y_new), *X.shape[1:])
    assert X_new.dtype == np.uint8


@settings(deadline=None, max_examples=8)
@given(st.integers(5, 12), st.integers(1, 5), st.integers(0, 9))
def test_each_row_is_kept_and_each_new_one_has_a_parent(n_majority, n_minority, seed):
    X, y = make_images(n_majority, n_minority, seed=seed)
    sampler = AugmentationOverSampler(random_state=seed)
    X_new, y_new = sampler.fit_resample(X, y)
    source, parents = sampler.source_indices_, sampler.parent_indices_
    carried = source >= 0
    np.testing.assert_array_equal(np.sort(source[carried]), np.arange(len(X)))
    np.testing.assert_array_equal(X_new[carried], X[source[carried]])
    np.testing.assert_array_equal(source[carried], parents[carried])
    np.testing.assert_array_equal(y_new, y[parents])
    assert Counter(y_new.tolist()) == {0: n_majority, 1: n_majority}


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(0, 40), st.integers(0, 2**31 - 1))
def test_images_are_used_as_evenly_as_can_be(n_images, n_new, seed):
    digests = [bytes([i]) for i in range(n_images)]
    draws = draw_evenly(digests, n_new, seed)
    used = Counter(i for i, _ in draws)
    assert len(draws) == n_new
    assert {used[i] for i in range(n_images)} <= {
        n_new // n_images,
        -(-n_new // n_images),
    }
    assert len(set(draws)) == n_new
    for i in used:
        replicates = [replicate for j, replicate in draws if j == i]
        assert replicates == list(range(1, used[i] + 1))


def test_which_images_are_used_once_more_depends_on_the_seed():
    digests = [bytes([i]) for i in range(20)]
    firsts = {draw_evenly(digests, 1, seed)[0][0] for seed in range(20)}
    assert len(firsts) > 5


def test_rows_are_shuffled():
    X, y = make_images(60, 20)
    sampler = AugmentationOverSampler(random_state=0)
    sampler.fit_resample(X, y)
    new = sampler.source_indices_ < 0
    assert 0.2 < new[: len(new) // 2].mean() < 0.8


# -- what a new image depends on ------------------------------------------------------


@settings(deadline=None, max_examples=8)
@given(st.permutations(range(13)), st.integers(0, 9))
def test_the_order_of_rows_does_not_matter(order, seed):
    X, y = make_images()
    first, _ = AugmentationOverSampler(random_state=seed).fit_resample(X, y)
    moved, _ = AugmentationOverSampler(random_state=seed).fit_resample(
        X[list(order)], y[list(order)]
    )
    assert Counter(map(bytes, first)) == Counter(map(bytes, moved))


def looks_of(image, X, y, seed):
    """Return the pixels of the new images made of this one."""
    sampler = AugmentationOverSampler(random_state=seed)
    X_new, _ = sampler.fit_resample(X, y)
    made_of_it = [np.array_equal(X[i], image) for i in sampler.parent_indices_]
    return {bytes(X_new[i]) for i in np.flatnonzero(made_of_it)}


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 9), st.integers(1, 4), st.integers(0, 3))
def test_the_company_of_an_image_does_not_matter(seed, n_companions, place):
    X, y = make_images()
    image = X[y == 1][0]
    others, others_y = make_images(12, n_companions, seed=100 + seed)
    ours = looks_of(image, X, y, seed)
    others = np.insert(others, place, image, axis=0)
    theirs = looks_of(image, others, np.insert(others_y, place, 1), seed)
    assert ours <= theirs or theirs <= ours
    assert min(len(ours), len(theirs)) > 1


def test_identical_images_have_different_looks():
    X, y = make_images(8, 1)
    X = np.concatenate([X, X[y == 1]])
    y = np.append(y, 1)
    sampler = AugmentationOverSampler(random_state=0)
    X_new, _ = sampler.fit_resample(X, y)
    new = sampler.source_indices_ < 0
    assert len({bytes(image) for image in X_new[new]}) == new.sum() == 6


def test_images_are_changed_as_the_augmenter_says():
    X, y = make_images()
    mine = PatchAugmenter(rotation_range=0, zoom_range=0, shift_range=0, flips=False)
    for augmentation, changes in (("dihedral", False), (mine, True)):
        sampler = AugmentationOverSampler(augmentation=augmentation, random_state=0)
        X_new, _ = sampler.fit_resample(X, y)
        new = np.flatnonzero(sampler.source_indices_ < 0)
        parents = X[sampler.parent_indices_[new]]
        same_pixels = [
            sorted(look.ravel()) == sorted(parent.ravel())
            for look, parent in zip(X_new[new], parents, strict=True)
        ]
        assert any(same_pixels) != changes


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_one_seed_gives_one_result_with_any_number_of_threads(n_jobs):
    X, y = make_images()
    first = AugmentationOverSampler(random_state=7).fit_resample(X, y)
    again = AugmentationOverSampler(random_state=7, n_jobs=n_jobs).fit_resample(X, y)
    other = AugmentationOverSampler(random_state=8, n_jobs=n_jobs).fit_resample(X, y)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert Counter(map(bytes, first[0])) != Counter(map(bytes, other[0]))


# -- moving ---------------------------------------------------------------------------


STILL = {"rotation": 0, "zoom": 1, "shift": np.zeros(2)}


def test_without_any_move_the_image_is_copied():
    X, _ = make_images()
    np.testing.assert_array_equal(move(X[0], **STILL), X[0])


def test_rotation_turns_by_its_angle():
    X, _ = make_images()
    turned = move(X[0], **STILL | {"rotation": 90})
    np.testing.assert_allclose(turned.astype(int), np.rot90(X[0], -1), atol=1)


@pytest.mark.parametrize("shape", [(9, 9), (5, 14), (1, 1)])
def test_no_move_leaves_holes(shape):
    image = np.full((*shape, 3), 200, "uint8")
    rng = np.random.default_rng(0)
    for angle, zoom, *shift in rng.uniform(-1, 1, (40, 4)):
        shift = 0.9 * np.array(shift) * shape[::-1]
        moved = move(image, rotation=180 * angle, zoom=1 + 0.9 * zoom, shift=shift)
        np.testing.assert_array_equal(moved, image)


def test_an_image_is_mirrored_beyond_its_edges():
    image = np.zeros((1, 4, 3), "uint8")
    image[0, :, :] = np.array([10, 20, 30, 40])[:, np.newaxis]
    shifted = move(image, **STILL | {"shift": np.array([2.0, 0])})
    assert shifted[0, :, 0].tolist() == [20, 10, 10, 20]


def test_shrinking_averages_fine_detail_in_place_of_aliasing():
    image = np.indices((64, 64)).sum(axis=0) % 2 * np.uint8(255)
    image = np.repeat(image[..., np.newaxis], 3, axis=2).astype("uint8")
    shrunk = move(image, **STILL | {"zoom": 0.6})[20:44, 20:44]
    aliased = image[::2, ::2]
    assert shrunk.astype(float).std() < 40 < 127
    assert aliased.std() == 0  # every second pixel: all black
    assert abs(shrunk.mean() - 127.5) < 5


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real data is not at {REAL}")
def test_rotated_patches_keep_most_of_their_sharpness():
    folder = REAL / "globally_sclerotic_glomeruli"
    ratios = []
    for angle, path in enumerate(sorted(folder.glob("*.png"))[:10]):
        image = np.asarray(Image.open(path).convert("RGB"))
        sharpness = [
            np.abs(np.diff(i.astype(float), axis=0)).mean()
            for i in (move(image, **STILL | {"rotation": 36 * angle + 10}), image)
        ]
        ratios.append(sharpness[0] / sharpness[1])
    assert 0.9 < np.mean(ratios) < 1.1


# -- errors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "got"),
    [
        (np.zeros((4, 7)), r"\(4, 7\) and dtype float64"),
        (np.zeros((4, 5, 5, 3), "float32"), r"\(4, 5, 5, 3\) and dtype float32"),
        (np.zeros((4, 5, 5, 4), "uint8"), r"\(4, 5, 5, 4\) and dtype uint8"),
        (np.zeros((4, 5, 5), "uint8"), r"\(4, 5, 5\) and dtype uint8"),
    ],
    ids=["features", "float maps", "RGBA", "grey"],
)
@pytest.mark.parametrize("method", ["fit", "fit_resample"])
def test_what_is_no_rgb_image_is_refused(X, got, method):
    with pytest.raises(SamplingError, match=got) as raised:
        getattr(AugmentationOverSampler(), method)(X, [0, 0, 0, 1])
    assert "needs RGB images" in str(raised.value)


@pytest.mark.parametrize(
    "wrong",
    [{"augmentation": "flips"}, {"augmentation": None}, {"n_jobs": 1.5}],
    ids=str,
)
def test_parameters_out_of_range_are_named(wrong):
    (name,) = wrong
    X, y = make_images()
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        AugmentationOverSampler(**wrong).fit_resample(X, y)
