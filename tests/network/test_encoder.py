"""PatchEncoder: an image's features, whatever else is asked at the same time."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.src.legacy.saving import legacy_h5_format
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.utils import estimator_checks

from glomclf import PatchEncoder
from glomclf.errors import EngineError, WeightsError
from glomclf.network import engines
from glomclf.network.backbones import BACKBONES, load_backbone
from glomclf.network.cuts import make_trunk

# Keras writes weights through a call that numpy 2 is leaving behind; only tests write.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


def make_cnn_trunk(**parameters):
    return PatchEncoder("cnn", weights=None, **{"cache_dir": False, **parameters})


@pytest.fixture
def n_computed(monkeypatch):
    """Count the images that run through the network."""
    counts = []
    compile_trunk = engines.compile_trunk

    def counting(*arguments):
        forward = compile_trunk(*arguments)

        def count(images):
            counts.append(len(images))
            return forward(images)

        return count

    monkeypatch.setattr(engines, "compile_trunk", counting)
    return counts


# -- scikit-learn's own checks ---------------------------------------------------------

# The other checks feed two-dimensional features, which are no images; their meaning
# for images is tested below.
CHECKS = [
    estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_estimator_tags_renamed,
    estimator_checks.check_estimators_unfitted,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_mixin_order,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_set_params,
    estimator_checks.check_valid_tag_types,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_passes_the_checks_of_scikit_learn_that_need_no_features(check):
    check("PatchEncoder", make_cnn_trunk())


def test_scikit_learn_knows_that_it_takes_no_two_dimensional_features():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator_checks.check_estimator(make_cnn_trunk())
    assert any(issubclass(w.category, SkipTestWarning) for w in caught)


# -- features --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trainable_layers", "cut", "shape"),
    [(0, "avg_pool", (128,)), (1, "block4_out", (2, 2, 128))],
)
def test_features_are_the_output_of_the_cut(patches, trainable_layers, cut, shape):
    X, _ = patches
    trunk = make_cnn_trunk(trainable_layers=trainable_layers).fit(X)
    features = trunk.transform(X)
    assert trunk.cut_ == cut
    assert (features.shape, features.dtype) == ((len(X), *shape), np.float32)
    expected = make_trunk(load_backbone("cnn", None), cut).predict(X, verbose=0)
    # Another batch is added up in another order; what that costs goes with the largest.
    accuracy = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=accuracy)


@given(
    rows=st.lists(st.integers(0, 23), min_size=1, max_size=12),
    batch_size=st.integers(1, 9),
)
@settings(max_examples=10)
def test_an_images_features_depend_on_that_image_alone(patches, rows, batch_size):
    X, _ = patches
    alone = make_cnn_trunk().fit_transform(X)
    together = make_cnn_trunk(batch_size=batch_size).fit(X).transform(X[rows])
    np.testing.assert_allclose(together, alone[rows], rtol=1e-5, atol=1e-5)


def test_nothing_is_learned_from_the_images(patches):
    X, y = patches
    other = make_cnn_trunk().fit(255 - X[:3])
    np.testing.assert_array_equal(
        other.transform(X), make_cnn_trunk().fit(X, y).transform(X)
    )


def test_images_pass_unchanged_where_all_layers_are_trained(patches):
    X, _ = patches
    trunk = make_cnn_trunk(trainable_layers="all").fit(X)
    assert trunk.cut_ is None
    np.testing.assert_array_equal(trunk.transform(X), X)


# -- the store -------------------------------------------------------------------------


def test_stored_features_are_those_computed_without_a_store(patches, tmp_path):
    X, _ = patches
    computed = make_cnn_trunk().fit_transform(X)
    trunk = make_cnn_trunk(cache_dir=tmp_path).fit(X)
    np.testing.assert_allclose(trunk.transform(X), computed, rtol=1e-5)
    np.testing.assert_allclose(trunk.transform(X), computed, rtol=1e-5)


def test_each_image_is_computed_once_whatever_the_estimator(
    patches, tmp_path, n_computed
):
    X, _ = patches
    make_cnn_trunk(cache_dir=tmp_path).fit_transform(X[:10])
    assert sum(n_computed) == 10
    features = make_cnn_trunk(cache_dir=tmp_path, batch_size=4).fit_transform(X[5:15])
    assert sum(n_computed) == 15
    np.testing.assert_allclose(
        features, make_cnn_trunk().fit_transform(X[5:15]), atol=1e-5
    )


def test_equal_images_are_computed_once_and_each_row_is_filled(
    patches, tmp_path, n_computed
):
    X, _ = patches
    rows = [3, 0, 3, 1, 0, 3]
    features = make_cnn_trunk(cache_dir=tmp_path, batch_size=2).fit_transform(X[rows])
    assert sum(n_computed) == 3
    np.testing.assert_allclose(
        features, make_cnn_trunk().fit_transform(X)[rows], atol=1e-5
    )


def test_another_cut_finds_no_features_of_the_first(patches, tmp_path, n_computed):
    X, _ = patches
    make_cnn_trunk(cache_dir=tmp_path).fit_transform(X)
    maps = make_cnn_trunk(cache_dir=tmp_path, trainable_layers=1).fit_transform(X)
    assert maps.shape == (len(X), 2, 2, 128)
    assert sum(n_computed) == 2 * len(X)


def test_without_a_folder_the_one_of_the_environment_is_used(
    patches, tmp_path, n_computed, monkeypatch
):
    X, _ = patches
    monkeypatch.setenv("GLOMCLF_CACHE_DIR", str(tmp_path / "chosen"))
    make_cnn_trunk(cache_dir=None).fit_transform(X)
    assert (tmp_path / "chosen").is_dir()
    make_cnn_trunk(cache_dir=tmp_path / "chosen").fit_transform(X)
    assert sum(n_computed) == len(X)


def test_a_known_trunk_finds_its_features_without_tensorflow(
    patches, tmp_path, run_python
):
    X, _ = patches
    np.save(tmp_path / "X.npy", X)
    code = f"""
    import sys
    import numpy as np
    from glomclf import PatchEncoder
    X = np.load(r"{tmp_path / "X.npy"}")
    trunk = PatchEncoder("cnn", weights=None, cache_dir=r"{tmp_path / "cache"}")
    print(trunk.fit_transform(X).sum(), trunk.cut_, trunk.fingerprint_)
    print("tensorflow" in sys.modules)
    """
    trunk = PatchEncoder("cnn", weights=None, cache_dir=str(tmp_path / "cache"))
    found = trunk.fit_transform(X).sum(), trunk.cut_, trunk.fingerprint_
    again, is_built = run_python(code).stdout.splitlines()
    assert again == " ".join(map(str, found))
    assert is_built == "False"


# -- weights that change ---------------------------------------------------------------


@pytest.fixture
def weights_file(tmp_path):
    import h5py

    path = tmp_path / "cnn.h5"

    def write(scale):
        model = BACKBONES["cnn"].build()
        model.set_weights([np.full(w.shape, scale) for w in model.get_weights()])
        path.unlink(missing_ok=True)
        with h5py.File(path, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, model)
        return path

    return write


def test_other_weights_find_no_features_of_the_first(patches, tmp_path, weights_file):
    X, _ = patches
    cache = tmp_path / "cache"
    path = weights_file(0.1)
    first = make_cnn_trunk(cache_dir=cache).set_params(weights=path).fit_transform(X)
    random = make_cnn_trunk(cache_dir=cache).fit_transform(X)
    assert not np.allclose(first, random)


def test_a_file_with_other_weights_is_another_trunk(patches, tmp_path, weights_file):
    X, _ = patches
    cache = tmp_path / "cache"
    trunk = make_cnn_trunk(cache_dir=cache).set_params(weights=weights_file(0.1))
    first = trunk.fit(X).fingerprint_
    weights_file(0.2)
    assert trunk.fit(X).fingerprint_ != first
    weights_file(0.1)
    assert trunk.fit(X).fingerprint_ == first


def test_lost_weights_are_named_though_their_trunk_is_known(
    patches, tmp_path, weights_file
):
    X, _ = patches
    path = weights_file(0.1)
    trunk = make_cnn_trunk(cache_dir=tmp_path / "cache").set_params(weights=path)
    trunk.fit(X)
    path.unlink()
    with pytest.raises(WeightsError, match="is not a file"):
        trunk.fit(X)


def test_weights_that_changed_after_the_fit_are_an_error(patches, weights_file):
    X, _ = patches
    trunk = make_cnn_trunk().set_params(weights=weights_file(0.1)).fit(X)
    weights_file(0.2)
    with pytest.raises(WeightsError, match="no longer the weights"):
        trunk.transform(X)


# -- copies and errors -----------------------------------------------------------------


def test_a_pickle_is_small_and_gives_the_same_features(patches):
    X, _ = patches
    trunk = make_cnn_trunk().fit(X)
    pickled = pickle.dumps(trunk)
    assert len(pickled) < 2000
    np.testing.assert_array_equal(
        pickle.loads(pickled).transform(X), trunk.transform(X)
    )


def test_a_trunk_out_of_its_parts_needs_no_weights_file(patches, weights_file):
    X, _ = patches
    path = weights_file(0.1)
    trunk = make_cnn_trunk().set_params(weights=path).fit(X)
    features = trunk.transform(X)
    header, arrays = trunk._to_parts()
    path.unlink()
    restored = clone(trunk)
    restored._set_parts(header, arrays)
    np.testing.assert_array_equal(restored.transform(X), features)


def test_transform_before_fit_is_an_error(patches):
    with pytest.raises(NotFittedError):
        make_cnn_trunk().transform(patches[0])


@pytest.mark.parametrize(
    "change",
    [
        lambda X: X.astype(np.float32),
        lambda X: X[:, :31],
        lambda X: X[..., :1],
        lambda X: X[0],
        lambda X: X.reshape(len(X), -1),
    ],
    ids=["float", "31 pixels", "grey", "one image", "flat"],
)
def test_what_is_no_image_is_named_with_what_was_expected(patches, change):
    X, _ = patches
    message = r"X has shape \(.*\) and dtype .*Expected uint8 images.*at least 32"
    with pytest.raises(ValueError, match=message):
        make_cnn_trunk().fit(change(X))
    trunk = make_cnn_trunk().fit(X)
    with pytest.raises(ValueError, match=message):
        trunk.transform(change(X))


def test_no_images_at_all_are_an_error(patches):
    with pytest.raises(ValueError, match="0 sample"):
        make_cnn_trunk().fit(patches[0][:0])


@pytest.mark.parametrize(
    "parameters",
    [{"backbone": "vgg"}, {"trainable_layers": -1}, {"trainable_layers": "some"},
     {"batch_size": 0}, {"engine": "onnx"}, {"precision": "half"}, {"cache_dir": True}],
    ids=str,
)  # fmt: skip
def test_a_parameter_out_of_its_range_is_named(patches, parameters):
    (name,) = parameters
    with pytest.raises(ValueError, match=f"The '{name}' parameter of PatchEncoder"):
        make_cnn_trunk().set_params(**parameters).fit(patches[0])


def test_a_bar_of_images_is_shown_where_asked_for(patches, capsys, tmp_path):
    X, _ = patches
    for cache_dir in (False, tmp_path):
        trunk = make_cnn_trunk(verbose=1, cache_dir=cache_dir, batch_size=7)
        trunk.fit_transform(np.concatenate([X, X[:2]]))
        assert "26/26" in capsys.readouterr().err


def test_features_that_are_not_finite_are_refused_and_not_kept(tmp_path, monkeypatch):
    def lost(images):
        return np.full((len(images), 4), np.nan, np.float32)

    monkeypatch.setattr(engines, "compile_trunk", lambda *given: lost)
    X = np.zeros((2, 32, 32, 3), np.uint8)
    encoder = PatchEncoder("cnn", weights=None, cache_dir=tmp_path).fit(X)
    for _ in range(2):
        with pytest.raises(EngineError, match="of 1 of 1 images are not finite"):
            encoder.transform(X)
