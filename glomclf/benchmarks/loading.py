"""Files to images: decoders beside each other, and kept images."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import joblib
import numpy as np
from PIL import Image

from ..data.images import read_image
from ..data.loader import ImageLoader
from .figures import Figure, Setting, figure, in_turn

__all__ = ["measure_loading"]

_N_FILES = 48
# The sides of the patches that a slide scanner gives.
_SIDES = (224, 600)


def measure_loading(setting: Setting) -> list[Figure]:
    """Time each decoder on PNG files of two sizes, on one core and on all."""
    return [
        found
        for side in _SIDES
        for found in _of_side(setting, _files(setting, side), side)
    ]


def _files(setting: Setting, side: int) -> list[str]:
    """Write patches of the manifest as PNG files of one size."""
    folder = setting.folder / f"png-{side}"
    folder.mkdir(exist_ok=True)
    files = []
    for place, path in enumerate(setting.manifest["path"][:_N_FILES]):
        file = folder / f"{place}.png"
        Image.fromarray(read_image(path, side)).save(file)
        files.append(str(file))
    return files


def _of_side(setting: Setting, files: list[str], side: int) -> list[Figure]:
    size, cores = setting.image_size, joblib.cpu_count()
    cached = ImageLoader(size, n_jobs=-1, cache_dir=setting.folder / f"kept-{side}")
    cached.transform(files)
    ways: dict[str, Callable[[], Any]] = {
        "Pillow, one core": lambda: _load(files, size, 1),
        f"Pillow, {cores} cores": lambda: _load(files, size, -1),
        f"tf.data, {cores} cores": _tensorflow_reader(files, size),
        f"kept before, {cores} cores": lambda: cached.transform(files),
    }
    if importlib.util.find_spec("cv2") is not None:
        ways[f"OpenCV, {cores} cores"] = lambda: _load_with_opencv(files, size)
    for way in ways.values():
        way()
    return [
        figure(
            "loading",
            f"{side} px PNG: {name}",
            len(files) / taken,
            "images/s",
            f"{len(files)} files, resized to {size} px",
        )
        for name, taken in in_turn(ways, setting.repeats).items()
    ]


def _load(files: list[str], size: int, n_jobs: int) -> None:
    ImageLoader(size, n_jobs=n_jobs, cache_dir=False).transform(files)


def _load_with_opencv(files: list[str], size: int) -> None:
    import cv2

    def load(file: str) -> np.ndarray:
        return cv2.resize(cv2.imread(file), (size, size), interpolation=cv2.INTER_AREA)

    with ThreadPoolExecutor(joblib.cpu_count()) as pool:
        list(pool.map(load, files))


def _tensorflow_reader(files: list[str], size: int) -> Callable[[], None]:
    from ..network.backend import tf

    def decode(file: Any) -> Any:
        image = tf.io.decode_png(tf.io.read_file(file), channels=3)
        return tf.image.resize(image, (size, size), antialias=True)

    data = tf.data.Dataset.from_tensor_slices(files)
    data = data.map(decode, num_parallel_calls=tf.data.AUTOTUNE).batch(16)

    def read() -> None:
        for _ in data:
            pass

    return read
