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
from glomclf.data.geometry import FILL_MODES, affine_matrix, warp
from glomclf.errors import SamplingError
from glomclf.samplers import AugmentationOverSampler
from glomclf.samplers.arrays import ArraySamplerMixin
from glomclf.samplers.augmentation import _content_digest, draw_evenly

REAL = Path(glomclf.__file__).parents[2] / "shared" / "data" / "aidpath"
STILL = {
    "rotation_range": 0,
    "width_shift_range": 0,
    "height_shift_range": 0,
    "shear_range": 0,
    "zoom_range": 0,
    "horizontal_flip": False,
    "vertical_flip": False,
}


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


def checks_of(module):
    return list(
        module.estimator_checks_generator(
            TableAugmentation(random_state=0),
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


@settings(deadline=None, max_examples=25)
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
    np.testing.assert_array_equal(sampler.replicates_ == 0, carried)
    np.testing.assert_array_equal(y_new, y[parents])
    assert Counter(y_new.tolist()) == {0: n_majority, 1: n_majority}


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
    new = sampler.replicates_ > 0
    assert 0.2 < new[: len(new) // 2].mean() < 0.8


# -- what a new image depends on ------------------------------------------------------


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(13)), st.integers(0, 9))
def test_the_order_of_rows_does_not_matter(order, seed):
    X, y = make_images()
    first, _ = AugmentationOverSampler(random_state=seed).fit_resample(X, y)
    moved, _ = AugmentationOverSampler(random_state=seed).fit_resample(
        X[list(order)], y[list(order)]
    )
    assert Counter(map(bytes, first)) == Counter(map(bytes, moved))


def replicates_of(image, X, y, seed):
    """Return {replicate: pixels} of the new images made of this one."""
    sampler = AugmentationOverSampler(random_state=seed)
    X_new, _ = sampler.fit_resample(X, y)
    made_of_it = [np.array_equal(X[i], image) for i in sampler.parent_indices_]
    return {
        int(sampler.replicates_[i]): bytes(X_new[i]) for i in np.flatnonzero(made_of_it)
    }


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 9), st.integers(1, 4), st.integers(0, 3))
def test_the_company_of_an_image_does_not_matter(seed, n_companions, place):
    X, y = make_images()
    image = X[y == 1][0]
    others, others_y = make_images(12, n_companions, seed=100 + seed)
    ours = replicates_of(image, X, y, seed)
    others = np.insert(others, place, image, axis=0)
    theirs = replicates_of(image, others, np.insert(others_y, place, 1), seed)
    common = ours.keys() & theirs.keys()
    assert {0, 1} <= common
    assert all(ours[replicate] == theirs[replicate] for replicate in common)


def test_identical_images_have_different_replicates():
    X, y = make_images(8, 1)
    X = np.concatenate([X, X[y == 1]])
    y = np.append(y, 1)
    sampler = AugmentationOverSampler(random_state=0)
    X_new, _ = sampler.fit_resample(X, y)
    new = sampler.replicates_ > 0
    assert sorted(sampler.replicates_[new]) == [1, 2, 3, 4, 5, 6]
    assert len({bytes(image) for image in X_new[new]}) == 6


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_one_seed_gives_one_result_with_any_number_of_threads(n_jobs):
    X, y = make_images()
    first = AugmentationOverSampler(random_state=7).fit_resample(X, y)
    again = AugmentationOverSampler(random_state=7, n_jobs=n_jobs).fit_resample(X, y)
    other = AugmentationOverSampler(random_state=8, n_jobs=n_jobs).fit_resample(X, y)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert Counter(map(bytes, first[0])) != Counter(map(bytes, other[0]))


def test_one_image_can_be_made_alone_before_and_after_fitting():
    X, y = make_images()
    fitted = AugmentationOverSampler(random_state=3)
    X_new, _ = fitted.fit_resample(X, y)
    for i in np.flatnonzero(fitted.replicates_):
        image, replicate = X[fitted.parent_indices_[i]], fitted.replicates_[i]
        fresh = AugmentationOverSampler(random_state=3)
        np.testing.assert_array_equal(X_new[i], fitted.augment_image(image, replicate))
        np.testing.assert_array_equal(X_new[i], fresh.augment_image(image, replicate))


def test_images_of_the_same_bytes_and_another_shape_differ():
    assert _content_digest(np.zeros((1, 4, 3), "uint8")) != _content_digest(
        np.zeros((4, 1, 3), "uint8")
    )


def test_replicates_and_images_differ_in_their_transforms():
    """Each image has draws of its own: one angle for all would mark the class."""
    gradient = np.repeat(np.arange(0, 240, 10, dtype="uint8"), 24 * 3)
    image = gradient.reshape(24, 24, 3)
    sampler = AugmentationOverSampler(**STILL | {"rotation_range": 180}, random_state=0)
    angles = set()
    for k in range(1, 5):
        for offset in range(3):
            dy, dx = np.gradient(sampler.augment_image(image + offset, k)[..., 0] / 1.0)
            angles.add(round(float(np.degrees(np.arctan2(dy[12, 12], dx[12, 12])))))
    assert len(angles) > 9


# -- transforms -----------------------------------------------------------------------


def variants(image, n=16, **ranges):
    sampler = AugmentationOverSampler(**STILL | ranges, random_state=0)
    return [sampler.augment_image(image, k) for k in range(1, n + 1)]


def test_with_all_transforms_off_the_image_is_copied():
    X, _ = make_images()
    assert all(np.array_equal(variant, X[0]) for variant in variants(X[0]))


@pytest.mark.parametrize(
    ("name", "axis"), [("horizontal_flip", 1), ("vertical_flip", 0)]
)
def test_flips_mirror_about_half_of_the_images_exactly(name, axis):
    X, _ = make_images()
    flipped = [
        np.array_equal(variant, np.flip(X[0], axis))
        for variant in variants(X[0], 100, **{name: True})
    ]
    kept = [
        np.array_equal(variant, X[0]) for variant in variants(X[0], 100, **{name: True})
    ]
    assert 30 < sum(flipped) < 70
    assert sum(flipped) + sum(kept) == 100


@pytest.mark.parametrize(
    ("name", "axis"), [("width_shift_range", 1), ("height_shift_range", 0)]
)
def test_shifts_move_along_their_own_axis_within_their_range(name, axis):
    image = np.zeros((40, 60, 3), "uint8")
    image[18:22, 28:32] = 255
    moves = []
    for variant in variants(image, **{name: 0.2}):
        weights = variant[..., 0] / variant[..., 0].sum()
        centre = [np.sum(weights * grid) for grid in np.indices((40, 60))]
        assert centre[1 - axis] == pytest.approx([19.5, 29.5][1 - axis], abs=1e-6)
        moves.append(centre[axis] - [19.5, 29.5][axis])
    largest = 0.2 * image.shape[axis]
    assert np.max(np.abs(moves)) < largest + 0.1
    assert np.min(moves) < -largest / 2
    assert np.max(moves) > largest / 2


def disc(size=64, radius=16):
    grid = np.indices((size, size)) - (size - 1) / 2
    inside = np.hypot(*grid) < radius
    return np.repeat(np.uint8(255) * inside[..., np.newaxis], 3, axis=2)


def test_zoom_scales_both_directions_alike_within_its_range():
    image = disc()
    widths = []
    for variant in variants(image, zoom_range=0.3):
        mask = variant[..., 0] > 127
        width, height = mask.any(axis=0).sum(), mask.any(axis=1).sum()
        assert abs(width - height) <= 1
        widths.append(width)
    assert 32 * 0.7 - 1 <= min(widths) < 28
    assert 36 < max(widths) <= 32 * 1.3 + 1


def test_shear_slants_and_keeps_the_area():
    image = disc()
    for variant in variants(image, shear_range=40):
        assert variant.sum() == pytest.approx(image.sum(), rel=0.02)
    assert any((variant != image).any() for variant in variants(image, shear_range=40))


def test_rotation_turns_by_its_angle():
    X, _ = make_images()
    matrix = affine_matrix(rotation=90, shear=0, zoom=1, flip_x=False, flip_y=False)
    turned = warp(X[0], matrix, np.zeros(2))
    np.testing.assert_allclose(turned.astype(int), np.rot90(X[0], -1), atol=1)


@pytest.mark.parametrize("fill_mode", sorted(FILL_MODES))
@pytest.mark.parametrize("shape", [(9, 9), (5, 14), (1, 1)])
def test_no_transform_leaves_holes(fill_mode, shape):
    image = np.full((*shape, 3), 200, "uint8")
    extremes = {
        "rotation_range": 180,
        "shear_range": 60,
        "zoom_range": 0.9,
        "width_shift_range": 0.9,
        "height_shift_range": 0.9,
    }
    fill = {"fill_mode": fill_mode, "fill_value": 200}
    for variant in variants(image, 40, **extremes, **fill):
        np.testing.assert_array_equal(variant, image)


def test_fill_value_shows_with_constant_fill_only():
    image = np.full((20, 20, 3), 200, "uint8")
    black = variants(image, rotation_range=45, fill_mode="constant", fill_value=0)
    assert min(variant.min() for variant in black) == 0
    grey = variants(image, rotation_range=45, fill_mode="constant", fill_value=90)
    assert any((variant[0, 0] == 90).all() for variant in grey)
    mirrored = variants(image, rotation_range=45, fill_value=0)
    assert min(variant.min() for variant in mirrored) == 200


def test_modes_continue_an_image_as_they_say():
    image = np.zeros((1, 4, 3), "uint8")
    image[0, :, :] = np.array([10, 20, 30, 40])[:, np.newaxis]
    shifted = {
        mode: warp(image, np.eye(2), np.array([2.0, 0]), mode, 99)[0, :, 0].tolist()
        for mode in FILL_MODES
    }
    assert shifted == {
        "reflect": [20, 10, 10, 20],
        "nearest": [10, 10, 10, 20],
        "wrap": [30, 40, 10, 20],
        "constant": [99, 99, 10, 20],
    }


def test_sampling_near_an_edge_sees_what_lies_beyond_it():
    """A picture on a ring has no edge: turning the ring first or last is the same."""
    X, _ = make_images()
    shift = np.array([0.5, 0.25])
    turned = np.roll(X[0], (3, 5), axis=(0, 1))
    np.testing.assert_array_equal(
        warp(turned, np.eye(2), shift, "wrap"),
        np.roll(warp(X[0], np.eye(2), shift, "wrap"), (3, 5), axis=(0, 1)),
    )


def test_shrinking_averages_fine_detail_in_place_of_aliasing():
    image = np.indices((64, 64)).sum(axis=0) % 2 * np.uint8(255)
    image = np.repeat(image[..., np.newaxis], 3, axis=2).astype("uint8")
    matrix = affine_matrix(rotation=0, shear=0, zoom=0.6, flip_x=False, flip_y=False)
    shrunk = warp(image, matrix, np.zeros(2))[20:44, 20:44]
    aliased = image[::2, ::2]
    assert shrunk.astype(float).std() < 40 < 127
    assert aliased.std() == 0  # every second pixel: all black
    assert abs(shrunk.mean() - 127.5) < 5


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real data is not at {REAL}")
def test_transformed_patches_keep_most_of_their_sharpness():
    folder = REAL / "globally_sclerotic_glomeruli"
    sampler = AugmentationOverSampler(**STILL | {"rotation_range": 180}, random_state=0)
    ratios = []
    for path in sorted(folder.glob("*.png"))[:10]:
        image = np.asarray(Image.open(path).convert("RGB"))
        sharpness = [
            np.abs(np.diff(i.astype(float), axis=0)).mean()
            for i in (sampler.augment_image(image), image)
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


def test_one_image_that_is_no_rgb_image_is_refused():
    with pytest.raises(SamplingError, match="needs RGB images"):
        AugmentationOverSampler().augment_image(np.zeros((5, 5), "uint8"))


def test_replicates_are_counted_from_one():
    X, _ = make_images()
    with pytest.raises(ValueError, match="replicate == 0, must be >= 1"):
        AugmentationOverSampler().augment_image(X[0], replicate=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rotation_range": 181},
        {"zoom_range": 1},
        {"width_shift_range": -0.1},
        {"height_shift_range": 1},
        {"shear_range": 90},
        {"fill_mode": "mirror"},
        {"fill_value": 256},
        {"horizontal_flip": "yes"},
        {"vertical_flip": None},
        {"n_jobs": 1.5},
    ],
    ids=str,
)
def test_parameters_out_of_range_are_named(wrong):
    (name,) = wrong
    X, y = make_images()
    sampler = AugmentationOverSampler(**wrong)
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        sampler.fit_resample(X, y)
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        sampler.augment_image(X[0])
