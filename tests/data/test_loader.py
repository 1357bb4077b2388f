"""ImageLoader: paths or images in, uint8 squares out, all bad files named at once."""

import _thread
import pickle
import signal
import threading
import time
import tracemalloc
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from imblearn.pipeline import Pipeline as ResamplingPipeline
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils._param_validation import InvalidParameterError

import glomclf
from glomclf import ImageLoader, read_manifest
from glomclf.data.images import read_image, resize_image
from glomclf.errors import ImageError, ParticipantWarning

REAL = Path(glomclf.__file__).parents[2] / "shared" / "data"
needs_real_data = pytest.mark.skipif(
    not REAL.is_dir(), reason=f"the real data is not at {REAL}"
)
SIZE = 16


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Nine images of one grey each, 0, 10, ... 80, of different sizes and formats."""
    folder = tmp_path_factory.mktemp("patches")
    paths = []
    for n in range(9):
        suffix = ("png", "tif", "bmp")[n % 3]
        paths.append(str(folder / f"{9 - n}.{suffix}"))
        Image.new("RGB", (20 + n, 20 + n), (10 * n,) * 3).save(paths[-1])
    return paths


def greys_of(images):
    return images[:, 0, 0, 0].tolist()


# -- what it takes --------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        list,
        tuple,
        lambda paths: [Path(path) for path in paths],
        np.array,
        lambda paths: np.array(paths, dtype=object),
        lambda paths: np.array(paths, dtype=np.dtypes.StringDType()),
        lambda paths: pd.Series(paths, index=range(50, 59)),
        pd.Index,
        lambda paths: pd.DataFrame({"label": 1, "path": paths}, index=range(50, 59)),
    ],
)
def test_every_kind_of_path_list_is_loaded_in_order(paths, kind):
    images = ImageLoader(SIZE).fit_transform(kind(paths))
    assert images.shape == (9, SIZE, SIZE, 3)
    assert images.dtype == np.uint8
    assert greys_of(images) == list(range(0, 90, 10))


@pytest.mark.parametrize("n_jobs", [None, 1, 2, 8, -1])
def test_order_does_not_depend_on_the_number_of_threads(paths, n_jobs):
    images = ImageLoader(SIZE, n_jobs=n_jobs).transform(paths * 5)
    assert greys_of(images) == list(range(0, 90, 10)) * 5


def test_threads_are_used_as_joblib_is_configured(paths, monkeypatch):
    seen = set()
    both = threading.Barrier(2)

    def spy(path, *args, **options):
        if threading.current_thread() not in seen:
            seen.add(threading.current_thread())
            if len(seen) in (2, 3):  # after that of this test, those of the loader
                both.wait(600)
        return read_image(path, *args, **options)

    monkeypatch.setattr("glomclf.data.lazy_images.read_image", spy)
    loader = ImageLoader(SIZE, cache_dir=False)
    loader.transform(paths)
    assert seen == {threading.current_thread()}
    with joblib.parallel_config(backend="loky", n_jobs=2):
        loader.transform(paths)
    assert len(seen) > 1


@pytest.mark.parametrize("resize", ["pad", "stretch"])
def test_files_and_their_pixels_load_alike(tmp_path, resize):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    loader = ImageLoader(SIZE, resize=resize)
    from_file = loader.transform([tmp_path / "a.png"])
    np.testing.assert_array_equal(from_file, loader.transform(pixels[None]))
    np.testing.assert_array_equal(from_file[0], resize_image(pixels, SIZE, resize))


def test_images_of_the_right_size_are_returned_as_they_are():
    images = np.zeros((3, SIZE, SIZE, 3), dtype=np.uint8)
    assert ImageLoader(SIZE).fit_transform(images) is images


def test_images_of_another_size_are_resized():
    images = np.full((3, 40, 30, 3), 7, dtype=np.uint8)
    resized = ImageLoader(SIZE, resize="stretch").transform(images)
    np.testing.assert_array_equal(resized, np.full((3, SIZE, SIZE, 3), 7))


def test_list_may_mix_paths_and_images_of_any_size(paths):
    mixed = [np.full((5 + n, 9, 3), n, dtype=np.uint8) for n in range(3)]
    images = ImageLoader(SIZE, resize="stretch").transform([*mixed, paths[4]])
    assert greys_of(images) == [0, 1, 2, 40]


# -- what it refuses ------------------------------------------------------------------


def test_every_bad_file_is_listed_in_order_by_one_error(paths, tmp_path):
    empty = tmp_path / "empty.png"
    empty.touch()
    text = tmp_path / "text.png"
    text.write_text("no image")
    X = [text, *paths[:4], "lost.png", empty, *paths[4:], None, np.zeros((4, 4))]
    with pytest.raises(ImageError, match=r"^5 image files cannot be used:") as caught:
        ImageLoader(SIZE, n_jobs=4).transform(X)
    assert list(caught.value.faults.items()) == [
        (str(text), "is not a PNG, JPEG, TIFF or BMP image"),
        ("lost.png", "there is no such file"),
        (str(empty), "is empty (0 bytes)"),
        ("X[12]", "is None; a path or a uint8 image was expected"),
        (
            "X[13]",
            "is float64 of shape (4, 4); uint8 of shape (height, width, 3) with "
            "values in [0, 255] was expected",
        ),
    ]


def test_bound_on_pixels_is_passed_on(paths):
    with pytest.raises(ImageError, match="is 28 x 28 = 784 pixels; at most 783"):
        ImageLoader(SIZE, max_pixels=783).transform(paths)


@pytest.mark.parametrize("method", ["fit", "transform"])
@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("a.png", TypeError, "X is the single path 'a.png'; a list of paths"),
        (Path("a.png"), TypeError, "a list of paths was expected"),
        (3, TypeError, "X is of type int; expected a DataFrame with a 'path' column"),
        ({"path": ["a.png"]}, TypeError, "X is of type dict"),
        (iter(["a.png"]), TypeError, "X is of type list_iterator"),
        ([], ValueError, r"Found array with 0 sample\(s\)"),
        (np.zeros((0, 4, 4, 3), dtype=np.uint8), ValueError, "Found array with 0"),
        (pd.DataFrame({"file": ["a"]}), ValueError, r"\['file'\]; a column 'path'"),
        (np.array([["a.png"]]), ValueError, r"shape \(1, 1\) and dtype <U5"),
        (
            np.zeros((2, 8), dtype=np.uint8),
            ValueError,
            r"shape \(2, 8\) and dtype uint8",
        ),
        (np.zeros((2, 8, 8, 4), dtype=np.uint8), ValueError, r"shape \(2, 8, 8, 4\)"),
        (np.zeros((2, 8, 8, 3)), ValueError, r"float64; expected .* To convert: X = "),
        (np.zeros(3), ValueError, r"shape \(3,\) and dtype float64"),
    ],
)
def test_other_input_is_refused_with_what_was_expected(X, method, error, message):
    with pytest.raises(error, match=message):
        getattr(ImageLoader(), method)(X)


@pytest.mark.parametrize("method", ["fit", "transform"])
@pytest.mark.parametrize(
    "params",
    [{"image_size": 0}, {"resize": "crop"}, {"n_jobs": 1.5}, {"max_pixels": None}],
)
def test_wrong_parameters_are_refused(paths, method, params):
    with pytest.raises(InvalidParameterError, match=next(iter(params))):
        getattr(ImageLoader(**params), method)(paths)


# -- how it behaves -------------------------------------------------------------------


@pytest.mark.parametrize("cache_dir", [None, False])
def test_memory_is_the_result_and_little_more(tmp_path, cache_dir):
    """NumPy tells tracemalloc of its arrays, so a second copy would show."""

    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    files = [tmp_path / "a.png"] * 300
    tracemalloc.start()
    try:
        images = ImageLoader(64, n_jobs=2, cache_dir=cache_dir).transform(files)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.9 * images.nbytes


def test_loading_stops_at_ctrl_c(paths, monkeypatch):
    started = []

    def slow(path, *args, **options):
        started.append(path)
        if len(started) == 5:
            _thread.interrupt_main()
        time.sleep(0.02)
        return read_image(path, *args, **options)

    monkeypatch.setattr("glomclf.data.lazy_images.read_image", slow)
    # A shell that starts the tests in the background has them ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        ImageLoader(SIZE, n_jobs=2, cache_dir=False).transform(paths * 1000)
    signal.signal(signal.SIGINT, before)
    assert len(started) < 3000


@pytest.mark.parametrize("verbose", [0, 1])
def test_progress_is_shown_on_standard_error_where_wanted(paths, capsys, verbose):
    ImageLoader(SIZE, verbose=verbose).transform(paths)
    out, err = capsys.readouterr()
    assert out == ""
    assert ("Loading images" in err) == bool(verbose)


@pytest.mark.parametrize("pipeline", [Pipeline, ResamplingPipeline])
def test_loader_works_in_pipelines(paths, pipeline):
    mean = FunctionTransformer(lambda images: images.mean(axis=(1, 2)))
    loaded = pipeline([("load", ImageLoader(SIZE)), ("mean", mean)]).fit_transform(
        paths
    )
    assert loaded[:, 0].tolist() == list(range(0, 90, 10))
    cloned = clone(pipeline([("load", ImageLoader(SIZE, resize="stretch"))]))
    assert cloned.fit(paths).transform(paths).shape == (9, SIZE, SIZE, 3)


def test_loader_needs_no_fit_and_survives_pickling(paths):
    loader = pickle.loads(pickle.dumps(ImageLoader(SIZE)))
    assert greys_of(loader.transform(paths)) == list(range(0, 90, 10))
    assert vars(loader.fit(paths)) == vars(ImageLoader(SIZE))


def test_output_container_set_for_scikit_learn_does_not_get_in_the_way(paths):
    with sklearn.config_context(transform_output="pandas"):
        images = ImageLoader(SIZE).fit_transform(paths)
    assert isinstance(images, np.ndarray)
    assert not hasattr(ImageLoader(), "set_output")


def test_tags_say_that_the_input_is_paths():
    tags = get_tags(ImageLoader())
    assert tags.input_tags.one_d_array
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array
    assert not tags.requires_fit


def test_scikit_learn_leaves_out_its_checks_that_pass_tables():
    """`check_estimator` has only tables of floats to offer, which are no images."""
    with pytest.warns(SkipTestWarning, match="Can't test estimator ImageLoader"):
        estimator_checks.check_estimator(ImageLoader())


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_estimator_tags_renamed,
        estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_mixin_order,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_param_validation,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_set_params,
        estimator_checks.check_valid_tag_types,
    ],
    ids=lambda check: check.__name__,
)
def test_estimator_checks_that_need_no_table(check):
    check("ImageLoader", ImageLoader())


# -- real patches ---------------------------------------------------------------------


@needs_real_data
def test_original_patches_of_mixed_sizes_are_loaded():
    manifest = read_manifest(REAL / "cmil" / "public.csv")
    images = ImageLoader(64, n_jobs=2).fit_transform(manifest)
    assert images.shape == (38, 64, 64, 3)
    spread = images.reshape(38, -1).std(axis=1)
    assert spread.min() > 10, "an image came out flat"


@needs_real_data
def test_aidpath_patches_come_out_as_they_are_stored():
    with pytest.warns(ParticipantWarning):
        manifest = read_manifest(REAL / "aidpath" / "public.csv")
    some = manifest.iloc[::40]
    images = ImageLoader().fit_transform(some)
    for image, path in zip(images, some["path"], strict=True):
        with Image.open(path) as stored:
            np.testing.assert_array_equal(image, np.asarray(stored))
