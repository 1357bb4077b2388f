"""StainNormalizer: one stain for all, learned from training images alone."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks
from sklearn.utils.validation import validate_data

import glomclf
from glomclf import ImageLoader, StainNormalizer, make_glomeruli, read_manifest
from glomclf.data.archive import read_model, write_model
from glomclf.data.feature_stream import stream_features
from glomclf.data.stain import NORMALIZER_METHODS, NORMALIZER_NAMES, make_normalizer
from glomclf.data.store import FeatureStore, content_keys
from glomclf.errors import ParameterError, StainError
from glomclf.leakage import audit_fit

REAL = Path(glomclf.__file__).parents[2] / "shared" / "data" / "aidpath"
HAEMATOXYLIN = np.array([0.65, 0.70, 0.29]) / np.linalg.norm([0.65, 0.70, 0.29])
SCHIFF = np.array([0.18, 0.97, 0.15]) / np.linalg.norm([0.18, 0.97, 0.15])

every_method = pytest.mark.parametrize("method", NORMALIZER_METHODS)
any_images = arrays.arrays(
    np.uint8, st.tuples(st.integers(1, 4), st.just(6), st.just(5), st.just(3))
)


@pytest.fixture(scope="module")
def glomeruli():
    """24 patches of 8 participants whose slides differ in stain."""
    return make_glomeruli(
        24, n_participants=8, sclerotic_fraction=0.4, image_size=32, random_state=1
    )


def stained(amounts, *colours):
    """Photograph tissue that holds these amounts of stain: (..., n_stains) to RGB."""
    light = np.exp(-(np.asarray(amounts) @ np.array(colours)))
    return np.clip(np.rint(256 * light - 1), 0, 255).astype(np.uint8)


def two_stains(seed=0, size=64):
    """Amounts of two stains: nuclei here, the other there, mixtures, and glass."""
    amounts = np.random.default_rng(seed).uniform(0.2, 1.2, (size, size, 2))
    amounts[: size // 4, :, 0] = 0
    amounts[size // 4 : size // 2, :, 1] = 0
    amounts[-4:] = 0
    return amounts


# -- scikit-learn's own checks ---------------------------------------------------------


class TableNormalizer(StainNormalizer):
    """Takes the tables of the check suite: the bytes of a row are a grey image.

    What comes out is a table again. All but the pixels is the normaliser's own.
    """

    def fit(self, X, y=None):
        return super().fit(as_images(validate_data(self, X, dtype=np.float64)))

    def transform(self, X):
        estimator_checks.check_is_fitted(self)
        table = validate_data(self, X, dtype=np.float64, reset=False)
        changed = super().transform(as_images(table))
        return changed[:, 0, :, 0].astype(np.float64)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.three_d_array = False
        return tags


def as_images(table):
    content = np.ascontiguousarray(table).view(np.uint8)
    return np.repeat(content.reshape(len(table), 1, -1, 1), 3, axis=3)


CHECKS = list(
    estimator_checks.estimator_checks_generator(
        TableNormalizer(), expected_failed_checks={}, mark="xfail"
    )
)


@pytest.mark.parametrize(
    ("estimator", "check"),
    CHECKS,
    ids=lambda part: part.func.__name__ if isinstance(part, partial) else "stain",
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# -- what comes out --------------------------------------------------------------------


@every_method
@given(X=any_images, Z=any_images, min_density=st.sampled_from([0, 0.15, 2]))
@settings(max_examples=15)
def test_any_images_give_images(method, X, Z, min_density):
    X[0, :3] = two_stain_corner()
    normalizer = StainNormalizer(method, min_density=min_density)
    try:
        normalizer.fit(X)
    except StainError:
        return
    assert np.isfinite(normalizer.target_).all()
    assert 1 <= normalizer.n_images_ <= len(X)
    changed = normalizer.transform(Z)
    assert (changed.shape, changed.dtype) == (Z.shape, np.uint8)


def two_stain_corner():
    return stained(two_stains(size=16)[3:6, :5], HAEMATOXYLIN, SCHIFF)


@every_method
@given(rows=st.lists(st.integers(0, 23), min_size=1, max_size=5))
@settings(max_examples=3)
def test_an_images_result_depends_on_that_image_alone(method, glomeruli, rows):
    X = glomeruli[0]
    normalizer = StainNormalizer(method).fit(X)
    together = normalizer.transform(X)
    np.testing.assert_array_equal(normalizer.transform(X[rows]), together[rows])


@every_method
def test_threads_and_the_order_of_rows_change_nothing(method, glomeruli):
    X = glomeruli[0]
    one = StainNormalizer(method).fit(X)
    other = StainNormalizer(method, n_jobs=2).fit(X[::-1])
    np.testing.assert_array_equal(one.target_, other.target_)
    np.testing.assert_array_equal(one.transform(X), other.transform(X))


@every_method
def test_an_image_that_has_the_stain_already_stays(method):
    X = stained(two_stains(), HAEMATOXYLIN, SCHIFF)[np.newaxis]
    changed = StainNormalizer(method).fit_transform(X)
    assert np.abs(changed.astype(int) - X).max() <= 1


@every_method
def test_two_slides_look_alike_afterwards(method):
    """The same tissue, stained weaker by a third and photographed again."""
    amounts = two_stains()
    X = stained([amounts, amounts * [0.7, 0.6]], HAEMATOXYLIN, SCHIFF)
    before = np.abs(X[0].astype(int) - X[1]).mean()
    one, other = StainNormalizer(method).fit(X[:1]).transform(X).astype(int)
    assert np.abs(one - other).mean() < before / 3


@every_method
def test_images_are_brought_to_the_median_stain(method, glomeruli):
    X = glomeruli[0]
    normalizer = StainNormalizer(method).fit(X)
    spread = [
        np.std([normalizer._measure(image) for image in images], axis=0).max()
        for images in (X, normalizer.transform(X))
    ]
    assert spread[1] < spread[0] / 2


@every_method
@pytest.mark.parametrize("shade", [255, 240])
def test_glass_stays_glass(method, shade):
    X = stained([two_stains(0), two_stains(1) * 0.4], HAEMATOXYLIN, SCHIFF)
    X[:, -20:] = shade
    changed = StainNormalizer(method).fit(X[:1]).transform(X)
    np.testing.assert_array_equal(changed[:, -20:], shade)


def test_glass_and_tissue_meet_without_an_edge():
    """A ramp from glass to tissue is a ramp afterwards: no jump at the threshold."""
    ramp = np.linspace(0, 1.5, 300)[:, np.newaxis] * np.ones((1, 4))
    X = stained(ramp[np.newaxis, ..., np.newaxis], SCHIFF)
    normalizer = StainNormalizer().fit(
        stained(two_stains()[None], HAEMATOXYLIN, SCHIFF)
    )
    steps = np.diff(normalizer.transform(X)[0, :, 0].astype(int), axis=0)
    assert np.abs(steps).max() <= 5


def test_reinhard_gives_tissue_the_mean_and_spread_of_the_target(glomeruli):
    X = glomeruli[0]
    normalizer = StainNormalizer(min_density=0).fit(X[:5])
    for image in normalizer.transform(X):
        mean, spread = normalizer._measure(image)
        np.testing.assert_allclose(mean, normalizer.target_[0], atol=0.03)
        np.testing.assert_allclose(spread, normalizer.target_[1], rtol=0.3)


def test_macenko_finds_the_stains_that_were_used():
    normalizer = StainNormalizer("macenko")
    normalizer.fit(stained(two_stains()[None], HAEMATOXYLIN, SCHIFF))
    np.testing.assert_allclose(normalizer.target_[0, :3], HAEMATOXYLIN, atol=0.05)
    np.testing.assert_allclose(normalizer.target_[1, :3], SCHIFF, atol=0.05)
    np.testing.assert_allclose(normalizer.target_[:, 3], 1.2, atol=0.1)


@pytest.mark.parametrize("swapped", [False, True])
def test_macenko_names_the_stains_by_their_red(swapped):
    """Whichever stain covers more of the image."""
    amounts = two_stains() * ([1, 0.3] if swapped else [0.3, 1])
    normalizer = StainNormalizer("macenko")
    normalizer.fit(stained(amounts[None], HAEMATOXYLIN, SCHIFF))
    assert normalizer.target_[0, 0] > 2 * normalizer.target_[1, 0]


# -- no stain --------------------------------------------------------------------------


@every_method
def test_an_image_without_tissue_passes_unchanged_and_teaches_nothing(method):
    tissue = stained(two_stains(), HAEMATOXYLIN, SCHIFF)
    glass = np.full_like(tissue, 250)
    glass[:5, :5] = 100  # dust
    normalizer = StainNormalizer(method).fit([tissue, glass])
    assert normalizer.n_images_ == 1
    np.testing.assert_array_equal(
        normalizer.target_, StainNormalizer(method).fit([tissue]).target_
    )
    np.testing.assert_array_equal(normalizer.transform([glass])[0], glass)


def test_one_colour_is_not_taken_for_two_stains():
    tissue = stained(two_stains(), HAEMATOXYLIN, SCHIFF)
    one_colour = np.repeat(tissue[..., :1], 3, axis=-1)
    normalizer = StainNormalizer("macenko").fit([tissue])
    np.testing.assert_array_equal(normalizer.transform([one_colour])[0], one_colour)
    with pytest.raises(StainError, match="in two colours"):
        normalizer.fit([one_colour])


@every_method
def test_no_stain_anywhere_is_an_error_that_says_what_was_expected(method):
    with pytest.raises(StainError, match="None of the 3 images has a stain") as raised:
        StainNormalizer(method).fit(np.full((3, 8, 8, 3), 255, np.uint8))
    assert f'method="{method}"' in str(raised.value)
    assert "min_density=0.15" in str(raised.value)


@every_method
def test_faint_images_are_not_blown_up(method):
    tissue = stained(two_stains(), HAEMATOXYLIN, SCHIFF)
    faint = stained(two_stains(1) * 0.05 + 0.2, HAEMATOXYLIN, SCHIFF)
    normalizer = StainNormalizer(method).fit([tissue])
    contrast = [x.astype(float).std(axis=(0, 1)).max() for x in (faint, tissue)]
    changed = normalizer.transform([faint])[0].astype(float)
    assert changed.std(axis=(0, 1)).max() < 6 * contrast[0] + 2 < contrast[1] * 1.5


# -- training rows alone ---------------------------------------------------------------


class NormalizedBeforehand(ClassifierMixin, BaseEstimator):
    """The mistake: a normaliser fitted on all images, those to be judged included."""

    def __init__(self, everything=None):
        self.everything = everything

    def fit(self, X, y):
        self.stain_ = StainNormalizer().fit(self.everything)
        self.model_ = make_pipeline(*rest_of_the_pipeline())
        self.model_.fit(self.stain_.transform(X), y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(self.stain_.transform(X))

    def predict(self, X):
        return self.model_.predict(self.stain_.transform(X))


def mean_colours(images):
    return np.asarray(images).mean(axis=(1, 2))


def rest_of_the_pipeline():
    return FunctionTransformer(mean_colours), LogisticRegression(max_iter=1000)


@pytest.mark.parametrize("lazy", [False, True], ids=["array", "lazy"])
def test_in_a_pipeline_it_is_fitted_on_training_rows_alone(glomeruli, lazy):
    X, y, groups = glomeruli
    loader = ImageLoader(32, lazy=lazy, cache_dir=False)
    pipeline = make_pipeline(loader, StainNormalizer(), *rest_of_the_pipeline())
    audit = audit_fit(pipeline, X, y, groups, cv=GroupKFold(4))
    audit.raise_if_leaky()
    fitted = audit.folds.query("step == 'StainNormalizer'")
    assert len(fitted) >= 4


def test_a_normaliser_fitted_beforehand_is_caught(glomeruli):
    X, y, groups = glomeruli
    audit = audit_fit(NormalizedBeforehand(X), X, y, groups, cv=GroupKFold(4))
    kinds = set(audit.findings["kind"])
    assert "judged participant seen" in kinds


def test_labels_teach_nothing(glomeruli):
    X, y, _ = glomeruli
    np.testing.assert_array_equal(
        StainNormalizer().fit(X, y).target_, StainNormalizer().fit(X, 1 - y).target_
    )


# -- images read a few at a time -------------------------------------------------------


@pytest.fixture(scope="module")
def files(glomeruli, tmp_path_factory):
    folder = tmp_path_factory.mktemp("patches")
    for n, image in enumerate(glomeruli[0]):
        Image.fromarray(image).save(folder / f"{n:02d}.png")
    return sorted(folder.iterdir())


@every_method
def test_lazy_images_give_what_an_array_gives(method, files, glomeruli):
    X = glomeruli[0]
    lazy = ImageLoader(32, lazy=True, cache_dir=False).transform(files)
    expected = StainNormalizer(method).fit_transform(X)
    normalizer = StainNormalizer(method).fit(lazy)
    images = normalizer.transform(lazy)
    assert (images.shape, len(images), images.dtype) == (X.shape, 24, np.uint8)
    np.testing.assert_array_equal(images[[3, -1]], expected[[3, -1]])
    np.testing.assert_array_equal(images[5], expected[5])
    np.testing.assert_array_equal(images.read(np.array([2, 1])), expected[[2, 1]])
    np.testing.assert_array_equal(np.asarray(images), expected)
    np.testing.assert_array_equal(images[::7], expected[::7])
    assert images.read(np.arange(0)).shape == (0, *X.shape[1:])


def test_lazy_images_are_changed_when_they_are_read(files):
    lazy = ImageLoader(32, lazy=True, cache_dir=False).transform(files)
    normalizer = StainNormalizer().fit(lazy)
    changed = []
    change = normalizer._change
    normalizer._change = lambda image: changed.append(1) or change(image)
    images = normalizer.transform(lazy)
    assert changed == []
    images.read(np.arange(5))
    assert len(changed) == 5


def test_stored_features_are_those_of_the_normalised_pixels(files, tmp_path):
    """Two folds' normalisers share a store, and neither gets the other's features."""
    lazy = ImageLoader(32, lazy=True, cache_dir=tmp_path).transform(files)
    store = FeatureStore(tmp_path, "mean colours")
    computed = []

    def network(images):
        computed.extend(images)
        return mean_colours(images).astype(np.float32)

    for rows in (slice(0, 8), slice(8, 16), slice(0, 8)):
        images = StainNormalizer().fit(lazy[rows]).transform(lazy)
        features = stream_features(
            images, network, store, batch_size=8, advance=lambda n: None
        )
        expected = mean_colours(np.asarray(images))
        np.testing.assert_allclose(features, expected, atol=1e-5)
    assert len(computed) == 2 * len(files)


def test_images_of_a_fixed_stain_are_changed_once(files, tmp_path):
    lazy = ImageLoader(32, lazy=True, cache_dir=tmp_path).transform(files)
    fixed = StainNormalizer(target="fixed").fit(lazy)
    rows = np.arange(16)
    expected = StainNormalizer(target="fixed").fit(lazy).transform(np.asarray(lazy))
    np.testing.assert_array_equal(fixed.transform(lazy).read(rows), expected[:16])
    fixed._change = None  # all is kept by now
    again = fixed.transform(
        ImageLoader(32, lazy=True, cache_dir=tmp_path).transform(files)
    )
    assert again.known_keys(rows) == content_keys(expected[:16])
    np.testing.assert_array_equal(again.read(rows[::-1]), expected[:16][::-1])


@pytest.mark.parametrize("other", [{"method": "density"}, {"min_density": 0.3}])
def test_other_settings_find_images_of_their_own(files, tmp_path, other):
    lazy = ImageLoader(32, lazy=True, cache_dir=tmp_path).transform(files)
    StainNormalizer(target="fixed").fit(lazy).transform(lazy).read(np.arange(4))
    changed = StainNormalizer(target="fixed", **other).fit(lazy).transform(lazy)
    assert changed.known_keys(np.arange(4)) == [None] * 4


def test_images_of_another_size_are_kept_beside_them(files, tmp_path):
    for size in (48, 32):
        lazy = ImageLoader(size, lazy=True, cache_dir=tmp_path).transform(files)
        images = StainNormalizer(target="fixed").fit(lazy).transform(lazy)
        assert images.read(np.arange(3)).shape == (3, size, size, 3)


def test_a_learned_stain_keeps_no_images(files, tmp_path):
    lazy = ImageLoader(32, lazy=True, cache_dir=tmp_path).transform(files)
    images = StainNormalizer().fit(lazy).transform(lazy)
    images.read(np.arange(4))
    assert images.known_keys(np.arange(4)) == [None] * 4


# -- errors, names, files --------------------------------------------------------------


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
def test_what_is_no_rgb_image_is_refused(X, got, glomeruli):
    with pytest.raises(ValueError, match=got):
        StainNormalizer().fit(X)
    with pytest.raises(ValueError, match=got):
        StainNormalizer().fit(glomeruli[0]).transform(X)


@pytest.mark.parametrize(
    "wrong", [{"method": "vahadane"}, {"min_density": -1}, {"n_jobs": 1.5}], ids=str
)
def test_parameters_out_of_range_are_named(wrong, glomeruli):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        StainNormalizer(**wrong).fit(glomeruli[0])


def test_a_normaliser_is_made_by_name():
    for name in NORMALIZER_METHODS:
        for prefix, target in (("", "training"), ("fixed-", "fixed")):
            assert prefix + name in NORMALIZER_NAMES
            assert make_normalizer(prefix + name, n_jobs=2).get_params() == {
                "method": name,
                "target": target,
                "min_density": 0.15,
                "n_jobs": 2,
            }
    assert len(NORMALIZER_NAMES) == 2 * len(NORMALIZER_METHODS)
    given = StainNormalizer()
    assert make_normalizer(given) is given
    assert make_normalizer(None) is None


@pytest.mark.parametrize("wrong", ["vahadane", 3, StainNormalizer, ["reinhard"]])
def test_another_name_is_an_error_that_lists_the_names(wrong):
    with pytest.raises(ParameterError, match='"reinhard", "density", "macenko"'):
        make_normalizer(wrong)


@every_method
def test_the_fixed_stain_is_that_of_drawn_patches(method):
    X, _, _ = make_glomeruli(64, n_participants=16, image_size=224, random_state=0)
    learned, fixed = StainNormalizer(method), StainNormalizer(method, target="fixed")
    expected = learned.fit(X).target_
    np.testing.assert_allclose(fixed.fit(X).target_, expected, rtol=0.01, atol=1e-3)


@every_method
def test_nothing_is_learned_of_a_fixed_stain(method, glomeruli):
    X, _, _ = glomeruli
    one = StainNormalizer(method, target="fixed").fit(X[:4])
    other = StainNormalizer(method, target="fixed").fit(255 - X[4:])
    np.testing.assert_array_equal(one.transform(X), other.transform(X))
    assert one.n_images_ == 0


@every_method
@pytest.mark.parametrize("target", ["training", "fixed"])
def test_a_model_file_brings_it_back(method, target, glomeruli, tmp_path):
    X = glomeruli[0]
    fitted = StainNormalizer(method, target=target, min_density=0.3).fit(X)
    write_model(tmp_path / "model", *fitted._to_parts())
    loaded = StainNormalizer(n_jobs=2)
    header, arrays = read_model(tmp_path / "model")
    described = {name: header[name] for name in ("parameters", "n_images")}
    loaded._set_parts(described, arrays)
    assert loaded.get_params() == {**fitted.get_params(), "n_jobs": 2}
    assert loaded.n_images_ == fitted.n_images_
    np.testing.assert_array_equal(loaded.transform(X), fitted.transform(X))


def test_a_clone_is_not_fitted(glomeruli):
    fitted = Pipeline([("stain", StainNormalizer("density"))]).fit(glomeruli[0])
    copy = clone(fitted["stain"])
    assert (copy.method, hasattr(copy, "target_")) == ("density", False)


# -- real patches ----------------------------------------------------------------------


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real data is not at {REAL}")
@pytest.mark.filterwarnings("ignore::glomclf.errors.ParticipantWarning")
@every_method
def test_centres_are_less_different_afterwards(method):
    patches = read_manifest(REAL / "public.csv").groupby("centre").head(12)
    images = ImageLoader(64, cache_dir=False).fit_transform(patches)
    changed = StainNormalizer(method).fit_transform(images)
    distances = []
    for X in (images, changed):
        means = [
            X[(patches["centre"] == c).to_numpy()].mean(axis=(0, 1, 2))
            for c in patches["centre"].unique()
        ]
        distances.append(np.ptp(means, axis=0).max())
    assert distances[1] < distances[0] / 2
