"""Models on disk: JSON and plain arrays under one SHA-256, in a safetensors file.

No pickle and no ``load_model``: a file holds no code, and everything in it is checked
before a model is built from it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .._runtime import user_path, written_whole
from ..errors import ModelFileError

MODEL_FOLDER: ContextVar[Path | None] = ContextVar("folder of a model", default=None)
"""Where the model file lies that is being read: what it needs may lie beside it."""

_T = TypeVar("_T")

# What comes of building from values that do not fit, the named errors of parts too.
_MISFITS = (
    *(KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError),
    *(RecursionError, MemoryError),
)
_MOST_SHOWN = 200  # characters of what a stranger wrote
_FORMAT = "glomclf-model"
_FORMAT_VERSION = 3
OF_EVERY_FILE = ("format", "format_version", "kind", "versions")
"""Names in the header that are of the file, not of the model."""

_LIBRARIES = ("keras", "tensorflow", "scikit-learn", "imbalanced-learn", "numpy")


def write_model(
    path: str | os.PathLike[str],
    header: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    *,
    kind: str = "GlomeruliClassifier",
) -> None:
    """Write one model file, whole or not at all.

    Parameters
    ----------
    path : str or Path
    header : mapping
        Everything JSON can say of the model.
    arrays : mapping of str to ndarray
        Its weights.
    kind : str, default="GlomeruliClassifier"
        The class that can read it.

    Raises
    ------
    ModelFileError
        If the header is not JSON.
    """
    from safetensors.numpy import save

    own = {"format": _FORMAT, "format_version": _FORMAT_VERSION, "kind": kind}
    described = own | {"versions": _versions(), **header}
    try:
        text = json.dumps(
            described, allow_nan=False, sort_keys=True, default=np.generic.item
        )
    except (TypeError, ValueError) as error:
        raise ModelFileError(
            f"The model cannot be written as JSON ({error}). Give its parameters as "
            "plain numbers, strings and lists."
        ) from error
    plain = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    metadata = {"glomclf": text, "sha256": _digest(text, plain)}
    with written_whole(path) as temporary:
        temporary.write_bytes(save(plain, metadata=metadata))


def read_model(
    path: str | os.PathLike[str], *, kind: str | None = None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read and check a model file.

    Parameters
    ----------
    path : str or Path
    kind : str, default=None
        The class that the file must hold. None: any; ``header["kind"]`` says which.

    Returns
    -------
    header : dict
    arrays : dict of str to ndarray

    Raises
    ------
    ModelFileError
        If the file is missing, truncated, changed, foreign, of a later version or of
        another kind.
    """
    metadata, arrays = _read_safetensors(path)
    text = metadata["glomclf"]
    if metadata.get("sha256") != _digest(text, arrays):
        raise ModelFileError(
            f"{path} was changed after it was written: its contents do not have the "
            "SHA-256 it names. Use the original file, or train again."
        )
    header = _parsed(path, text)
    if kind not in (None, header["kind"]):
        raise ModelFileError(
            f"{path} holds a {header['kind']}, not a {kind}. Load it with "
            f"{header['kind']}.load, or with glomclf.read_classifier, which takes any."
        )
    return header, arrays


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the description of a model alone: quick, but not held against the SHA-256.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict

    Raises
    ------
    ModelFileError
        If the file is missing, foreign or of a later version.
    """
    metadata, _ = _read_safetensors(path, with_arrays=False)
    return _parsed(path, metadata["glomclf"])


def _parsed(path: str | os.PathLike[str], text: str) -> dict[str, Any]:
    """Read JSON: a mapping, with no numbers but finite ones, of today's format."""
    try:
        header = json.loads(
            text, parse_float=_finite, parse_constant=_finite, object_pairs_hook=_once
        )
        if not isinstance(header, dict):
            raise ValueError(f"a {type(header).__name__} is no mapping")
        found, versions = header.get("kind"), header.get("versions")
        if not (isinstance(found, str) and isinstance(versions, dict)):
            raise ValueError("it lacks its kind or the versions that wrote it")
    except (ValueError, RecursionError) as error:
        raise ModelFileError(
            f"The description in {path} cannot be read ({error}). Use the original "
            "file, or train again."
        ) from error
    name, number = header.get("format"), header.get("format_version")
    if (name, number) != (_FORMAT, _FORMAT_VERSION):
        raise ModelFileError(
            f"{path} has the format {name!r} version {number!r}; this glomclf reads "
            f"{_FORMAT!r} version {_FORMAT_VERSION}. Install the glomclf that wrote "
            f"it: {writer_of(header)}."
        )
    return header


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no finite number")
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in it")
    return found


def writer_of(header: Mapping[str, Any]) -> str:
    """Return the version of the glomclf that wrote a model file."""
    return str(header.get("versions", {}).get("glomclf", "unknown"))[:_MOST_SHOWN]


def rebuilt(
    path: str | os.PathLike[str],
    build: Callable[..., _T],
    header: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
) -> _T:
    """Build the classifier that a model file describes.

    Raises
    ------
    ModelFileError
        If the description is not what this glomclf expects.
    """
    token = MODEL_FOLDER.set(Path(path).absolute().parent)
    try:
        return build(header, arrays)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except _MISFITS as error:
        raise ModelFileError(
            f"{path} does not describe a classifier of this glomclf "
            f"({type(error).__name__}: {error}). Install the glomclf that wrote it: "
            f"{writer_of(header)}."
        ) from error
    finally:
        MODEL_FOLDER.reset(token)


def _versions() -> dict[str, str]:
    from .. import __version__

    own = {"python": platform.python_version(), "glomclf": __version__}
    return own | {name: version(name) for name in _LIBRARIES}


def _digest(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    """Hash the description and every array with its name, type and shape."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(array.reshape(-1).view(np.uint8))
    return digest.hexdigest()


def _read_safetensors(
    path: str | os.PathLike[str], *, with_arrays: bool = True
) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    from safetensors import SafetensorError, safe_open

    source = user_path(path)
    if not source.is_file():
        raise ModelFileError(
            f"{source} is not a file. Expected a model that glomclf saved."
        )
    try:
        with safe_open(source, framework="numpy") as file:
            metadata = file.metadata() or {}
            # What is not ours may be large, or of types that NumPy does not know.
            names = file.keys() if with_arrays and metadata.get("glomclf") else ()
            arrays = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelFileError(
            f"{source} cannot be read as a glomclf model; it is truncated, or another "
            f"kind of file ({error})."
        ) from error
    if not metadata.get("glomclf"):
        raise ModelFileError(
            f"{source} is not a glomclf model: it lacks the description that the save "
            "method of a classifier writes."
        )
    return metadata, arrays
