"""The package itself: light to import, names loaded on first use."""

import ast
import importlib
import inspect
import json
from pathlib import Path

import pytest

import glomclf


def test_importing_glomclf_loads_neither_tensorflow_nor_matplotlib(run_python):
    """Nor do plots, reports or the choice of an engine, in one process for all."""
    done = run_python(
        """
        import json, sys
        loaded = {}

        def note(name, *heavy):
            loaded[name] = sorted(set(heavy) & set(sys.modules))

        import glomclf
        glomclf.GlomeruliClassifier()
        glomclf.PatchClassifier()
        glomclf.PatchEncoder()
        note("names", "tensorflow", "keras", "scikeras", "matplotlib", "optuna")
        note("slides", "shapely", "openslide", "defusedxml")
        import glomclf.report.displays
        note("plots", "matplotlib")
        import glomclf.report
        note("report", "tensorflow", "keras", "matplotlib", "jinja2")
        from glomclf.network.engines import choose_engine
        choose_engine("auto", "float32")
        note("engine", "tensorflow", "openvino", "nncf")
        print(json.dumps(loaded))
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        name: [] for name in ("names", "slides", "plots", "report", "engine")
    }


def test_importing_glomclf_alone_loads_no_third_party_package(run_python):
    done = run_python(
        """
        import sys
        import glomclf
        print(sorted({"numpy", "pandas", "sklearn", "imblearn"} & set(sys.modules)))
        """
    )
    assert (done.returncode, done.stdout) == (0, "[]\n")


@pytest.mark.parametrize("name", glomclf.__all__)
def test_a_public_name_loads_and_is_documented(name):
    value = getattr(glomclf, name)
    assert value.__name__ == name
    assert inspect.getdoc(value)
    assert name in dir(glomclf)


def test_every_package_a_name_comes_from_lists_it_as_public():
    for name, package in glomclf._PACKAGE_OF.items():
        assert name in importlib.import_module(f"glomclf.{package}").__all__


def test_public_names_are_sorted_and_each_has_a_package():
    assert glomclf.__all__ == sorted(glomclf._PACKAGE_OF)


def test_type_checkers_are_told_of_every_public_name():
    assert Path(glomclf.__file__).with_name("py.typed").is_file()
    tree = ast.parse(Path(glomclf.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    told = {(a.name, n.module) for n in block.body for a in n.names}
    assert told == set(glomclf._PACKAGE_OF.items())


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'glomclf' has no attribute 'Nephron'"):
        _ = glomclf.Nephron


def test_star_import_gives_the_public_names():
    namespace = {}
    exec("from glomclf import *", namespace)
    assert set(glomclf.__all__) <= set(namespace)
