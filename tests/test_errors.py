"""The errors: each is a glomclf error and the built-in that a user expects."""

import builtins
import pickle

import pytest

from glomclf import errors
from glomclf.errors import GlomclfError, GlomclfWarning, ImageError

NAMES = [name for name, value in vars(errors).items() if isinstance(value, type)]
ERRORS = [name for name in NAMES if name.endswith("Error")]
WARNINGS = [name for name in NAMES if name.endswith("Warning")]


@pytest.mark.parametrize("name", sorted(set(ERRORS) - {"GlomclfError"}))
def test_an_error_is_also_a_built_in_error(name):
    error = getattr(errors, name)
    assert issubclass(error, GlomclfError)
    others = [base for base in error.__bases__ if base is not GlomclfError]
    assert len(others) == 1
    assert getattr(builtins, others[0].__name__) is others[0]


@pytest.mark.parametrize("name", WARNINGS)
def test_a_warning_can_be_filtered_by_its_root(name):
    assert issubclass(getattr(errors, name), GlomclfWarning)
    assert issubclass(getattr(errors, name), UserWarning)


def test_image_error_lists_every_file_with_its_reason():
    error = ImageError({"a.png": "truncated", "b.png": "too large"})
    assert str(error).splitlines() == [
        "2 image files cannot be used:",
        "  a.png: truncated",
        "  b.png: too large",
    ]


def test_image_error_of_one_file_speaks_of_one_file():
    assert str(ImageError({"a.png": "truncated"})).startswith("1 image file cannot")


def test_image_error_keeps_its_faults_when_the_callers_mapping_changes():
    faults = {"a.png": "truncated"}
    error = ImageError(faults)
    faults.clear()
    assert error.faults == {"a.png": "truncated"}


def test_image_error_survives_the_way_back_from_a_worker_process():
    error = pickle.loads(pickle.dumps(ImageError({"a.png": "truncated"})))
    assert isinstance(error, ImageError)
    assert error.faults == {"a.png": "truncated"}
    assert "a.png: truncated" in str(error)
