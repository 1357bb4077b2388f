"""An ONNX file: looked into before it is run, by OpenVINO or by ONNX Runtime."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .._runtime import n_threads
from ..errors import EngineError, WeightsError
from .engines import Forward, OpenVinoTrunk, import_quietly
from .normalization import Normalization
from .weight_sources import file_sha256

_BATCH_SIZE = 8
_MOST_BYTES = 2**31 - 1  # of protobuf
_LONGEST_LICENCE = 200
_MOST_BYTES_IN_ALL = 16 * 1024**3

_Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class OnnxFile:
    """What must be known of an ONNX file to run it.

    Parameters
    ----------
    path : Path
    sha256 : str
        Of the file and of those that hold its numbers, if it has such.
    external : tuple of Path
        The files beside it that hold its numbers.
    input : str
        Name of the images.
    shape : tuple of int or None
        Of the images; None where a length is free.
    outputs : tuple of (str, tuple)
        Names and shapes.
    licence : str or None
        As the file's metadata tell it.
    """

    path: Path
    sha256: str
    external: tuple[Path, ...]
    input: str
    shape: _Shape
    outputs: tuple[tuple[str, _Shape], ...]
    licence: str | None = None

    @property
    def channels_first(self) -> bool:
        """Whether images are (n, 3, height, width), not (n, height, width, 3)."""
        return self.shape[1] == 3


def read_onnx(path: Path) -> OnnxFile:
    """Look into an ONNX file; nothing of it is run.

    Parameters
    ----------
    path : Path

    Returns
    -------
    OnnxFile

    Raises
    ------
    EngineError
        If the package onnx is not installed.
    WeightsError
        If it is no such file, is too large, reaches out of its folder, or does not take
        images.
    """
    if not path.is_file():
        raise WeightsError(f"{path} is not a file. Expected an encoder as ONNX file.")
    if path.stat().st_size > _MOST_BYTES:
        raise WeightsError(
            f"{path} has {path.stat().st_size / 1e9:.1f} GB, and an ONNX file has at "
            "most 2.1. Export it with its numbers in files of their own "
            "(external_data=True)."
        )
    found = _looked_into(path.absolute(), file_sha256(path))
    if not found.external:
        return found
    _check_external(found)
    together = hashlib.sha256(found.sha256.encode())
    for file in found.external:
        together.update(f" {file.name} {file_sha256(file)}".encode())
    return replace(found, sha256=together.hexdigest())


@functools.lru_cache(maxsize=4)
def _looked_into(path: Path, sha256: str) -> OnnxFile:
    """Return what the file says; those beside it may change by themselves."""
    model = _parsed(path)
    told = {entry.key: entry.value for entry in model.metadata_props}
    numbers = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in numbers]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise WeightsError(f"{path} has the inputs {names}; images alone are given.")
    return OnnxFile(
        path=path,
        sha256=sha256,
        external=_external_files(path, model),
        input=inputs[0].name,
        shape=_shape_of_images(path, inputs[0]),
        outputs=tuple((value.name, _shape(value)) for value in model.graph.output),
        licence=told.get("license", "")[:_LONGEST_LICENCE] or None,
    )


def _parsed(path: Path) -> Any:
    try:
        import onnx
    except ImportError:
        raise EngineError(
            "An ONNX file needs onnx, and openvino or onnxruntime, which cannot be "
            "imported. Install with python -m pip install onnx openvino."
        ) from None
    try:
        return onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's own, and others
        raise WeightsError(
            f"{path} is not an ONNX file, or is damaged ({type(error).__name__})."
        ) from error


def _external_files(path: Path, model: Any) -> tuple[Path, ...]:
    """Return where numbers of the model lie, as it says; nothing is opened."""
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    names = {
        ExternalDataInfo(tensor).location
        for tensor in _tensors(model)
        if uses_external_data(tensor)
    }
    return tuple(path.parent / name for name in sorted(names))


def _check_external(found: OnnxFile) -> None:
    """Refuse files that do not lie beside the model, or are too large."""
    folder = found.path.parent
    bad = [
        str(file)
        for file in found.external
        if file.parent != folder or file.name == ".." or not file.is_file()
    ]
    if bad:
        raise WeightsError(
            f"{found.path} keeps its numbers in {', '.join(bad)}, which is not a file "
            "beside it. Keep the files of an encoder in one folder."
        )
    n_bytes = sum(file.stat().st_size for file in found.external)
    if n_bytes > _MOST_BYTES_IN_ALL:
        raise WeightsError(
            f"{found.path} has {n_bytes / 1e9:.0f} GB of numbers; at most "
            f"{_MOST_BYTES_IN_ALL / 1e9:.0f} GB are read."
        )


def _tensors(message: Any) -> Iterator[Any]:
    """Yield the tensors in a protobuf message, however deep they lie."""
    if message.DESCRIPTOR.name == "TensorProto":
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            inside = [value] if hasattr(value, "ListFields") else value
            for one in inside:
                yield from _tensors(one)


def _shape(value: Any) -> _Shape:
    dims = value.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in dims)


def _shape_of_images(path: Path, value: Any) -> _Shape:
    """Return the shape of the input; refuse one that cannot be RGB images."""
    shape, kind = _shape(value), value.type.tensor_type.elem_type
    if kind != 1 or len(shape) != 4 or 3 not in (shape[1], shape[3]):
        raise WeightsError(
            f"{path} takes {value.name!r} of shape {shape}, type {kind}. Expected "
            "float32 images (type 1) of shape (n, 3, height, width) or (n, height, "
            "width, 3)."
        )
    return shape


def choose_runtime() -> str:
    """Return what is there to run ONNX files.

    Raises
    ------
    EngineError
        If nothing is.
    """
    for name in ("openvino", "onnxruntime"):
        if importlib.util.find_spec(name) is not None:
            return name
    raise EngineError(
        "An ONNX file needs openvino or onnxruntime, and neither is installed. "
        "Install with python -m pip install openvino."
    )


@functools.lru_cache(maxsize=4)
def compile_onnx(file: OnnxFile, output: str, scaling: Normalization) -> Forward:
    """Compile one output of an ONNX file, once per process.

    Parameters
    ----------
    file : OnnxFile
    output : str
    scaling : Normalization

    Returns
    -------
    callable
        uint8 images (n, height, width, 3) -> that output, float32.

    Raises
    ------
    WeightsError
        If the file has changed since it was looked into.
    EngineError
        If it cannot be run: an operator that the runtime does not have, for example.
    """
    runtime = choose_runtime()
    source: Any = str(file.path)
    if not file.external:  # what runs is what was looked into
        source = file.path.read_bytes()
        if hashlib.sha256(source).hexdigest() != file.sha256:
            raise WeightsError(f"{file.path} has changed while it was in use.")
    make = _with_openvino if runtime == "openvino" else _with_onnxruntime
    with _named_faults(file, runtime):
        forward = make(source, file, output, scaling)
    return _named_faults(file, runtime)(forward)


@contextmanager
def _named_faults(file: OnnxFile, runtime: str) -> Iterator[None]:
    """Name the file in whatever a runtime throws."""
    try:
        yield
    except Exception as error:  # runtimes throw all kinds
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise EngineError(
            f"{runtime} cannot run {file.path}: {' '.join(lines[-4:])[:500]} "
            "Export it with standard operators, with a free number of images "
            "(dynamic_axes), and for the image_size given."
        ) from error


def _with_openvino(
    source: Any, file: OnnxFile, output: str, scaling: Normalization
) -> Forward:
    openvino = import_quietly("openvino")
    model = openvino.Core().read_model(source)
    one = openvino.Model([model.output(output)], model.get_parameters())
    given = import_quietly("openvino.preprocess").PrePostProcessor(one)
    images = given.input()
    images.tensor().set_element_type(openvino.Type.u8)
    images.tensor().set_layout(openvino.Layout("NHWC"))
    layout = "NCHW" if file.channels_first else "NHWC"
    images.model().set_layout(openvino.Layout(layout))
    steps = images.preprocess().convert_element_type(openvino.Type.f32)
    steps.mean([255 * m for m in scaling.mean]).scale([255 * s for s in scaling.std])
    given.output().tensor().set_element_type(openvino.Type.f32)
    return OpenVinoTrunk(given.build(), "float32", n_threads()).__call__


def _with_onnxruntime(
    source: Any, file: OnnxFile, output: str, scaling: Normalization
) -> Forward:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads()
    session = onnxruntime.InferenceSession(
        source, options, providers=["CPUExecutionProvider"]
    )

    def forward(images: np.ndarray) -> np.ndarray:
        parts = []
        for start in range(0, len(images), _BATCH_SIZE):
            batch = scaling(images[start : start + _BATCH_SIZE].astype(np.float32))
            batch = np.moveaxis(batch, 3, 1) if file.channels_first else batch
            given = {file.input: np.ascontiguousarray(batch)}
            parts.append(session.run([output], given)[0])
        return np.concatenate(parts).astype(np.float32)

    return forward
