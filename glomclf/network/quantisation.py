"""The trunk in int8, by post-training quantisation with NNCF.

The ranges of all layers are measured on one fixed set of synthetic patches, never on
the user's images: were they, a fold's trunk would know the rows it is judged on, and
each data set would have another trunk. The graph is kept in the feature store, which
guards it with a checksum; like all there, it lies in a folder that only its owner may
enter.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..data.store import FeatureStore
from ..data.synthetic import make_glomeruli
from ..data.temporary_folders import temporary_folder
from .openvino_graph import import_quietly

__all__ = ["calibration_images", "int8_graph"]

_N_IMAGES = 64
_IMAGE_SIZE = 224
_KEY = b"graph"
# The length of the kept bytes must not depend on the names that NNCF gives to nodes.
_ROUNDED_TO = 1024**2


def calibration_images() -> np.ndarray:
    """Draw the patches that ranges are measured on.

    Returns
    -------
    ndarray of shape (64, 224, 224, 3), uint8 in [0, 255]
    """
    images, _, _ = make_glomeruli(
        _N_IMAGES,
        n_participants=16,
        sclerotic_fraction=0.5,
        image_size=_IMAGE_SIZE,
        random_state=0,
    )
    return images


def int8_graph(
    convert: Callable[[], Any], name: str, cache_dir: str | Path | bool | None
) -> Any:
    """Return the quantised graph, from the store where it holds it.

    Parameters
    ----------
    convert : callable
        Gives the float32 ``openvino.Model``; called only where the store lacks the
        quantised one.
    name : str
        All that decides the graph.
    cache_dir : path, None or False
        As in :class:`PatchEncoder`.

    Returns
    -------
    openvino.Model
    """
    if cache_dir is False:
        return _quantise(convert())
    store = FeatureStore(cache_dir, f"graph {name}")  # type: ignore[arg-type]
    packed = _kept(store)
    if packed is None:
        packed = _pack(_quantise(convert()))
        # Where two processes calibrate at once, both use the graph that was first.
        with contextlib.suppress(ValueError):
            store.put_many([_KEY], packed[np.newaxis])
        first = _kept(store)
        packed = packed if first is None else first
    return _unpack(packed)


def _kept(store: FeatureStore) -> np.ndarray | None:
    values, found = store.get_many([_KEY])
    return values[0] if found[0] else None


def _quantise(graph: Any) -> Any:
    """Quantise weights symmetrically by channel, activations by tensor."""
    nncf = import_quietly("nncf")
    nncf.set_log_level(logging.ERROR)
    graph.reshape([-1, _IMAGE_SIZE, _IMAGE_SIZE, 3])
    images = nncf.Dataset([image[np.newaxis] for image in calibration_images()])
    with contextlib.redirect_stdout(io.StringIO()):  # bars of NNCF's own
        quantised = nncf.quantize(
            graph,
            images,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=_N_IMAGES,
        )
    quantised.reshape([-1, -1, -1, 3])
    return quantised


def _pack(graph: Any) -> np.ndarray:
    """Return a graph as bytes: the length of its description, that, its weights."""
    openvino = import_quietly("openvino")
    with temporary_folder() as folder:
        description = folder / "graph.xml"
        openvino.save_model(graph, description, compress_to_fp16=False)
        text = description.read_bytes()
        weights = description.with_suffix(".bin").read_bytes()
    size = np.array([len(text)], dtype="<u8").tobytes()
    packed = b"".join([size, text, bytes(-len(text) % _ROUNDED_TO), weights])
    return np.frombuffer(packed, dtype=np.uint8)


def _unpack(packed: np.ndarray) -> Any:
    openvino = import_quietly("openvino")
    size = int(packed[:8].view("<u8")[0])
    text = packed[8 : 8 + size].tobytes()
    weights = packed[8 + size + (-size % _ROUNDED_TO) :]
    tensor = openvino.Tensor(np.ascontiguousarray(weights))
    return openvino.Core().read_model(model=text, weights=tensor)
