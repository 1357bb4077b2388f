"""The engines of the trunk: the same features as Keras' own, at any size."""

import importlib
import importlib.util
import threading

import numpy as np
import pytest
from joblib import Parallel, cpu_count, delayed

from glomclf._runtime import n_threads
from glomclf.errors import EngineError
from glomclf.network import engines
from glomclf.network.backbones import load_backbone
from glomclf.network.cuts import make_trunk
from glomclf.network.engines import choose_engine, compile_trunk, numerics

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="the extra is not installed"
)


@pytest.fixture(scope="module")
def cnn():
    return load_backbone("cnn", None)


@pytest.fixture
def missing(monkeypatch):
    """Let packages look as if they were not installed."""

    def hide(*names):
        find = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name, *rest: None if name in names else find(name, *rest),
        )

    return hide


@pytest.fixture
def recompiled():
    """Keep compiled graphs from this test, and those of this test from others."""
    engines._compile_openvino.cache_clear()
    yield
    engines._compile_openvino.cache_clear()


# -- Keras -----------------------------------------------------------------------------


@pytest.mark.parametrize("cut", ["avg_pool", "block2_out"])
def test_the_compiled_trunk_gives_what_keras_gives(cnn, patches, cut):
    X, _ = patches
    expected = make_trunk(cnn, cut).predict(X, verbose=0)
    features = compile_trunk(cnn, cut)(X)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected, atol=1e-5)


def test_one_compiled_trunk_takes_images_of_any_number_and_size(cnn, patches):
    X, _ = patches
    forward = compile_trunk(cnn, "block4_out")
    assert forward(X[:1]).shape == (1, 2, 2, 128)
    assert forward(X.repeat(2, axis=1)).shape == (len(X), 4, 2, 128)


def test_the_trunk_is_compiled_once_for_each_cut(cnn):
    assert compile_trunk(cnn, "avg_pool") is compile_trunk(cnn, "avg_pool")
    assert compile_trunk(cnn, "avg_pool") is not compile_trunk(cnn, "block4_out")


@pytest.mark.parametrize(
    "engine", ["keras", pytest.param("openvino", marks=needs_openvino)]
)
def test_no_module_is_written_where_temporary_files_lie(
    cnn, patches, monkeypatch, engine
):
    """TensorFlow's autograph writes modules, and leaves their bytecode behind."""

    written = []
    loader = importlib.import_module("tensorflow.python.autograph.pyct.loader")
    write = loader.load_source
    monkeypatch.setattr(
        loader, "load_source", lambda *how: written.append(how) or write(*how)
    )
    compiled = {
        "keras": lambda: engines._compile_keras.__wrapped__(cnn, "avg_pool"),
        "openvino": lambda: engines._compile_openvino.__wrapped__(
            cnn, "avg_pool", "float32"
        ),
    }[engine]()
    assert len(compiled(patches[0][:2])) == 2
    assert written == []


# -- OpenVINO --------------------------------------------------------------------------


def deviation(features, reference):
    return np.abs(features - reference).mean() / np.abs(reference).mean()


@needs_openvino
@pytest.mark.parametrize("cut", ["avg_pool", "block2_out"])
def test_openvino_gives_what_keras_gives_in_float32(cnn, patches, cut):
    X, _ = patches
    features = compile_trunk(cnn, cut, "openvino")(X)
    assert features.dtype == np.float32
    expected = compile_trunk(cnn, cut)(X)
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-5)


@needs_openvino
def test_openvino_takes_images_of_any_number_and_size(cnn, patches):
    X, _ = patches
    forward = compile_trunk(cnn, "block4_out", "openvino")
    assert forward(X[:1]).shape == (1, 2, 2, 128)
    assert forward(X.repeat(2, axis=1)).shape == (len(X), 4, 2, 128)
    np.testing.assert_allclose(forward(X[3:5]), forward(X)[3:5], rtol=1e-5, atol=1e-5)


@needs_openvino
def test_openvino_need_not_find_out_which_tensorflow_there_is(
    cnn, patches, recompiled, monkeypatch
):
    from openvino.frontend.tensorflow import utils

    def fail(framework):
        raise NameError("name 'tensorflow' is not defined")  # as in Python 3.13

    monkeypatch.setattr(utils, "get_environment_setup", fail)
    forward = compile_trunk(cnn, "block4_out", "openvino")
    assert forward(patches[0][:1]).shape == (1, 2, 2, 128)
    assert utils.get_environment_setup is fail


@needs_openvino
def test_threads_may_share_a_compiled_graph(cnn, patches):
    X, _ = patches
    forward = compile_trunk(cnn, "avg_pool", "openvino")
    expected, outputs = forward(X), {}

    def work(number):
        outputs[number] = forward(X[number:])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, output in outputs.items():
        np.testing.assert_allclose(output, expected[number:], rtol=1e-5, atol=1e-5)
    assert len(outputs) == 8


@needs_openvino
def test_bfloat16_changes_features_a_little_or_is_refused_by_name(cnn, patches):
    X, _ = patches
    core = engines.import_quietly("openvino").Core()
    if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        features = compile_trunk(cnn, "avg_pool", "openvino", "bfloat16")(X)
        assert 0 < deviation(features, compile_trunk(cnn, "avg_pool")(X)) < 0.02
    else:
        with pytest.raises(EngineError, match="no bfloat16 instructions"):
            compile_trunk(cnn, "avg_pool", "openvino", "bfloat16")


@needs_openvino
def test_a_processor_without_bfloat16_is_named(cnn, monkeypatch):
    class Core:
        def get_property(self, *names):
            return ["FP32", "INT8"]

    openvino = engines.import_quietly("openvino")
    monkeypatch.setattr(openvino, "Core", Core)
    with pytest.raises(EngineError, match=r"has no bfloat16.*FP32, INT8"):
        engines.OpenVinoTrunk(None, "bfloat16", 1)


# -- which engine ----------------------------------------------------------------------


@needs_openvino
def test_the_fastest_installed_engine_is_chosen():
    assert choose_engine("auto", "float32") == "openvino"
    assert choose_engine("auto", "bfloat16") == "openvino"
    assert choose_engine("keras", "float32") == "keras"


def test_without_openvino_keras_computes_in_float32(missing):
    missing("openvino")
    assert choose_engine("auto", "float32") == "keras"


@pytest.mark.parametrize(
    ("engine", "precision"), [("openvino", "float32"), ("auto", "bfloat16")]
)
def test_what_is_not_installed_is_named(missing, engine, precision):
    missing("openvino")
    with pytest.raises(EngineError, match=r"needs openvino,.* install openvino, or"):
        choose_engine(engine, precision)


def test_keras_is_refused_at_a_lower_precision():
    with pytest.raises(EngineError, match="in float32, but precision='bfloat16'"):
        choose_engine("keras", "bfloat16")


def test_a_broken_installation_is_named(tmp_path, monkeypatch):
    (tmp_path / "broken_engine.py").write_text("raise OSError('no such library')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EngineError, match="OSError: no such library"):
        engines.import_quietly("broken_engine")


@needs_openvino
def test_features_are_shared_by_engines_in_float32_alone():
    assert numerics("float32") == "float32"
    assert "openvino" in numerics("bfloat16")


# -- good manners ----------------------------------------------------------------------


@needs_openvino
def test_openvino_is_imported_without_what_reports_its_use_by_many_threads(run_python):
    done = run_python(
        """
        import sys
        from concurrent.futures import ThreadPoolExecutor
        from glomclf.network.engines import import_quietly
        sys.setswitchinterval(1e-5)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(import_quietly, ["openvino"] * 64))
        print(len(set(map(id, found))), "tensorflow" in sys.modules)
        print([name for name in sys.modules if "openvino_telemetry" in name])
        """
    )
    assert (done.returncode, done.stdout) == (0, "1 False\n[]\n"), done.stderr


def test_workers_share_the_cores():
    shares = Parallel(n_jobs=2)(delayed(n_threads)() for _ in range(2))
    assert shares == [max(1, cpu_count() // 2)] * 2


@pytest.mark.parametrize(("given", "expected"), [("3", 3), ("0", None), ("", None)])
def test_the_user_may_set_the_number_of_cores(monkeypatch, given, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert n_threads() == (expected or cpu_count())
