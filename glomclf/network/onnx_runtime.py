"""What runs an ONNX file: OpenVINO, or ONNX Runtime where only that is installed."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._runtime import n_threads
from ..errors import EngineError, WeightsError
from .engines import Forward
from .normalization import Normalization
from .onnx_file import OnnxFile
from .openvino_graph import OpenVinoTrunk, import_quietly

_BATCH_SIZE = 8


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
