"""PatchAugmenter: another look of a patch, from its pixels and a key alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from glomclf.data.augmenter import AUGMENTER_NAMES, PatchAugmenter, make_augmenter
from glomclf.data.colours import apply_tables, colour_tables
from glomclf.errors import ParameterError
from glomclf.leakage.alignment import dihedral_views

STILL = {
    "flips": False,
    "rotation_range": 0,
    "zoom_range": 0,
    "shift_range": 0,
    "stain_range": 0,
    "light_range": 0,
}
PLACES = {"flips", "rotation_range", "zoom_range", "shift_range"}
WIDEST = dict.fromkeys(STILL, 0.99) | {"flips": True, "rotation_range": 180}
UNCHANGED = {
    "density_factors": np.ones(3),
    "density_shifts": np.zeros(3),
    "contrast": 1.0,
    "brightness": 1.0,
}
factors = st.floats(0, 10)
shifts = st.floats(-10, 10)


def make_images(n_images=6, size=16, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n_images, 4, 4, 3), dtype="uint8")
    return coarse.repeat(size // 4, axis=1).repeat(size // 4, axis=2)


def keys_of(n_images, seed=0):
    return [(seed, 3, row) for row in range(n_images)]


def ramp():
    """All 256 values, in all channels."""
    return np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(16, 16, 3)


# -- what a row depends on ------------------------------------------------------------


@settings(deadline=None, max_examples=8)
@given(
    order=st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True),
    n_threads=st.integers(1, 3),
    name=st.sampled_from(AUGMENTER_NAMES),
    seed=st.integers(0, 2**40),
)
def test_a_row_depends_on_its_image_and_its_key_alone(order, n_threads, name, seed):
    images, keys = make_images(), keys_of(6, seed)
    augmenter = make_augmenter(name)
    together = augmenter.transform(images, keys)
    apart = augmenter.transform(
        images[order], [keys[row] for row in order], n_threads=n_threads
    )
    np.testing.assert_array_equal(apart, together[order])


def test_keys_as_an_array_mean_the_same():
    images, keys = make_images(), keys_of(6)
    np.testing.assert_array_equal(
        PatchAugmenter().transform(images, np.array(keys)),
        PatchAugmenter().transform(images, keys),
    )


@pytest.mark.parametrize("name", AUGMENTER_NAMES)
def test_other_keys_give_other_looks(name):
    image = make_images(1).repeat(40, axis=0)
    looks = make_augmenter(name).transform(image, keys_of(40))
    n_looks = len({bytes(look) for look in looks})
    assert n_looks == (8 if name == "dihedral" else 40)


def test_the_input_is_left_as_it_was():
    images = make_images()
    before = images.copy()
    looks = make_augmenter("dihedral").transform(images, keys_of(6))
    looks[:] = 0
    PatchAugmenter().transform(images, keys_of(6))
    np.testing.assert_array_equal(images, before)


@settings(deadline=None, max_examples=12)
@given(
    name=st.sampled_from(sorted(set(STILL) - {"flips"})),
    value=st.floats(0, 0.9),
    seed=st.integers(0, 99),
)
def test_changing_one_range_leaves_the_draws_of_the_others_alone(name, value, seed):
    """Of two parts, places are seen in the shape and colours in one grey patch."""
    if name in PLACES:
        images = np.full((1, 16, 16, 3), 120, np.uint8)
    else:
        images, value = make_images(1), 0.0
    one, other = PatchAugmenter(), PatchAugmenter(**{name: value})
    if name not in PLACES:
        colourless = {part: 0 for part in STILL if part not in PLACES}
        one, other = PatchAugmenter(**colourless), other.set_params(**colourless)
    keys = [(seed,)]
    np.testing.assert_array_equal(
        one.transform(images, keys), other.transform(images, keys)
    )


# -- places ---------------------------------------------------------------------------


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32))
def test_zero_ranges_are_the_identity(seed):
    images = make_images(seed=seed)
    still = PatchAugmenter(**STILL).transform(images, keys_of(6, seed))
    np.testing.assert_array_equal(still, images)


def test_dihedral_looks_are_the_eight_views_about_as_often():
    image = make_images(1)
    looks = make_augmenter("dihedral").transform(
        image.repeat(400, axis=0), keys_of(400)
    )
    views = [bytes(np.ascontiguousarray(view)) for view in dihedral_views(image)]
    counts = np.array([sum(bytes(look) == view for look in looks) for view in views])
    assert counts.sum() == 400
    assert counts.min() > 25


def test_images_that_are_not_square_keep_their_shape():
    image = make_images(1)[:, :8]
    looks = make_augmenter("dihedral").transform(image.repeat(60, axis=0), keys_of(60))
    assert looks.shape == (60, 8, 16, 3)
    assert len({bytes(look) for look in looks}) == 4
    assert PatchAugmenter().transform(image, [(0,)]).shape == image.shape


def test_no_look_leaves_a_mark_at_the_edges():
    """Mirrored tissue goes on beyond the edges: one colour stays one colour."""
    images = np.full((30, 24, 24, 3), 200, np.uint8)
    wide = PatchAugmenter(**WIDEST | dict.fromkeys(set(STILL) - PLACES, 0))
    np.testing.assert_array_equal(wide.transform(images, keys_of(30)), images)


def disc(size=64, radius=16):
    grid = np.indices((size, size)) - (size - 1) / 2
    inside = np.hypot(*grid) < radius
    return np.repeat(np.uint8(255) * inside[..., np.newaxis], 3, axis=2)


def test_zoom_scales_within_its_range():
    images = disc()[np.newaxis].repeat(30, axis=0)
    zoomed = PatchAugmenter(**STILL | {"zoom_range": 0.3}).transform(
        images, keys_of(30)
    )
    widths = (zoomed[..., 0] > 127).any(axis=1).sum(axis=1)
    assert 32 * 0.7 - 1 <= widths.min() < 27
    assert 37 < widths.max() <= 32 * 1.3 + 1


def test_shifts_stay_within_their_range():
    images = disc(radius=8)[np.newaxis].repeat(30, axis=0)
    moved = PatchAugmenter(**STILL | {"shift_range": 0.1}).transform(
        images, keys_of(30)
    )
    weights = moved[..., 0] / moved[..., 0].sum(axis=(1, 2), keepdims=True)
    for grid in np.indices((64, 64)):
        moves = (weights * grid).sum(axis=(1, 2)) - 31.5
        assert np.abs(moves).max() <= 6.5
        assert moves.min() < -3
        assert moves.max() > 3


# -- colours --------------------------------------------------------------------------


@settings(max_examples=20)
@given(
    density_factors=st.tuples(factors, factors, factors),
    density_shifts=st.tuples(shifts, shifts, shifts),
    contrast=factors,
    brightness=factors,
)
def test_tables_never_wrap(density_factors, density_shifts, contrast, brightness):
    """Where values grow, new values never fall: a wrapped one would."""
    tables = colour_tables(
        ramp(),
        density_factors=density_factors,
        density_shifts=density_shifts,
        contrast=contrast,
        brightness=brightness,
    ).astype(int)
    assert (np.diff(tables, axis=1) >= 0).all()


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_unchanged_colours_are_the_identity(seed):
    image = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    tables = colour_tables(image, **UNCHANGED)
    np.testing.assert_array_equal(tables, np.tile(np.arange(256), (3, 1)))
    np.testing.assert_array_equal(apply_tables(image, tables), image)


def test_more_stain_is_darker_and_white_stays_white():
    tables = colour_tables(ramp(), **UNCHANGED | {"density_factors": [1.5, 1, 1]})
    assert (tables[0, 10:246] < np.arange(10, 246)).all()
    assert tables[0, 255] == 255
    np.testing.assert_array_equal(tables[1:], np.tile(np.arange(256), (2, 1)))


def test_densities_are_scaled_as_beer_and_lambert_say():
    """Twice the density lets through the square of the light."""
    tables = colour_tables(ramp(), **UNCHANGED | {"density_factors": [2, 2, 2]})
    light = (np.arange(256) + 1) / 256
    expected = np.maximum(light**2, 1 / 256)  # black is the least there is
    np.testing.assert_allclose((tables[0] + 1.0) / 256, expected, atol=0.51 / 256)


def test_contrast_keeps_the_mean_and_brightness_scales_it():
    image = np.random.default_rng(0).integers(80, 170, (64, 64, 3), dtype=np.uint8)
    more = apply_tables(image, colour_tables(image, **UNCHANGED | {"contrast": 1.5}))
    assert more.mean() == pytest.approx(image.mean(), abs=0.1)
    assert more.std() == pytest.approx(1.5 * image.std(), rel=0.01)
    dim = apply_tables(image, colour_tables(image, **UNCHANGED | {"brightness": 0.5}))
    assert dim.mean() == pytest.approx(0.5 * image.mean(), abs=0.3)


@pytest.mark.parametrize("name", sorted(set(STILL) - PLACES))
def test_each_range_of_colour_changes_colours_alone(name):
    images = ramp()[np.newaxis].repeat(20, axis=0)
    looks = PatchAugmenter(**STILL | {name: 0.3}).transform(images, keys_of(20))
    assert len({bytes(look) for look in looks}) > 15
    by_value = looks.reshape(20, 256, 3).astype(int)
    assert (np.diff(by_value, axis=1) >= 0).all()
    grey = bool((by_value == by_value[..., :1]).all())
    assert not grey


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32))
def test_the_widest_ranges_keep_black_darker_than_white(seed):
    """Half black, half white: wrapped values or holes would mix them up."""
    images = np.zeros((4, 16, 16, 3), np.uint8)
    images[:, :, 8:] = 255
    looks = PatchAugmenter(**STILL | {"stain_range": 0.99})
    seen = looks.transform(images, keys_of(4, seed))
    assert (seen[:, :, :8] <= seen[:, :, 8:]).all()


# -- names and errors -----------------------------------------------------------------


def test_names_give_augmenters():
    assert make_augmenter(None) is None
    whole = make_augmenter("geometry+stain")
    assert whole.get_params() == PatchAugmenter().get_params()
    still = make_augmenter("dihedral").get_params()
    assert {name for name, value in still.items() if value} == {"flips"}
    geometry = make_augmenter("geometry").get_params()
    assert {name for name, value in geometry.items() if value} == PLACES


def test_an_augmenter_is_cloned():
    mine = PatchAugmenter(zoom_range=0.1)
    made = make_augmenter(mine)
    assert made is not mine
    assert made.get_params() == mine.get_params() == clone(mine).get_params()


@pytest.mark.parametrize("wrong", ["flip", "stain", PatchAugmenter, 3, ["dihedral"]])
def test_what_is_no_augmentation_is_refused_with_the_names(wrong):
    with pytest.raises(ParameterError, match="dihedral, geometry, geometry\\+stain"):
        make_augmenter(wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"flips": "yes"}, {"rotation_range": 181}]
    + [{name: 1} for name in sorted(set(STILL) - {"flips", "rotation_range"})]
    + [{"zoom_range": -0.1}, {"stain_range": "0.1"}],
    ids=str,
)
def test_parameters_out_of_range_are_named(wrong):
    (name,) = wrong
    for use in (
        lambda augmenter: augmenter.transform(make_images(1), [(0,)]),
        make_augmenter,
    ):
        with pytest.raises(ValueError, match=f"The '{name}' parameter"):
            use(PatchAugmenter(**wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 8, 8, 3), np.float32),
        np.zeros((2, 8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((2, 512), np.float32),
    ],
    ids=["floats", "RGBA", "one image", "features"],
)
def test_what_is_no_rgb_image_is_refused(wrong):
    with pytest.raises(ParameterError, match="needs RGB images") as raised:
        PatchAugmenter().transform(wrong, keys_of(2))
    assert str(wrong.shape) in str(raised.value)


def test_one_key_an_image_is_needed():
    with pytest.raises(ParameterError, match="5 keys were given for 6 images"):
        PatchAugmenter().transform(make_images(), keys_of(5))
