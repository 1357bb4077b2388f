"""``glomclf doctor``: what this machine has, lacks, and how long things take on it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .console import note, print_table, text_of_bytes

if TYPE_CHECKING:
    import numpy as np

__all__ = ["command"]

_PACKAGES = ("glomclf", "tensorflow", "keras", "scikit-learn", "optuna")
_WEIGHTS = "models/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
_SIDE = 224
_N_PATCHES = 48
_N_ROWS = 2048  # that a head is trained on, to measure it
# Balanced classes where 18 % are positive: 0.64 new images for each old one.
_NEW_IMAGES = 0.64
_EPOCHS, _FOLDS, _TRIALS = 30, 5, 50  # of the recipe "features" and of `glomclf tune`


class _Check(NamedTuple):
    """One line of the table."""

    name: str
    found: str
    to_do: str = ""


class _Speed(NamedTuple):
    """Images a second: decoded, through the frozen network, through a head's epoch."""

    decoding: float
    frozen: float
    head: float
    seconds_a_fit: float  # beside its epochs


@click.command()
@click.option(
    "--images",
    "n_images",
    type=click.IntRange(min=1),
    default=1000,
    metavar="N",
    help="Images of the training and of the study whose time is estimated.",
)
def command(n_images: int) -> None:
    """Say what this machine has and how fast it is.

    Where something is missing, the table says what to do. The speed is measured on
    synthetic patches for about half a minute. Nothing is downloaded.

    Example: glomclf doctor --images 5000
    """
    note("Measuring on synthetic patches, for about half a minute.")
    speed = _measured()
    checks = [
        *_versions(),
        _processor(),
        _bfloat16(),
        _openvino(),
        _weights(),
        _cache(),
        *_speeds(speed),
        *_times(speed, n_images),
    ]
    print_table(
        "glomclf doctor", ("check", "found", "what to do"), checks, of_text=True
    )


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _versions() -> Iterator[_Check]:
    import platform

    yield _Check("python", platform.python_version())
    for package in _PACKAGES:
        found = _version(package)
        to_do = "" if found else f"python -m pip install {package}"
        yield _Check(package, found or "not installed", to_do)


def _processor() -> _Check:
    import joblib

    from ..network.processor import processor_name

    cores = joblib.cpu_count()
    return _Check("processor", f"{processor_name()}; {cores} cores allowed")


def _bfloat16() -> _Check:
    from ..network.processor import has_bfloat16

    if not has_bfloat16():
        return _Check("bfloat16", "no; training computes in float32")
    faster = "Train many layers faster: --set network.training_precision=bfloat16"
    return _Check("bfloat16", "yes", faster)


def _openvino() -> _Check:
    found = _version("openvino")
    if found:
        return _Check("OpenVINO", found)
    faster = "Run frozen layers faster: python -m pip install 'glomclf[openvino]'"
    return _Check("OpenVINO", "not installed", faster)


def _weights() -> _Check:
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    file = Path(home, _WEIGHTS)
    if file.is_file():
        return _Check("ImageNet weights", str(file))
    to_do = "Downloaded at first use. Without internet: --weights FILE or none"
    return _Check("ImageNet weights", f"not in {file.parent}", to_do)


def _cache() -> _Check:
    from ..data.store import cache_info

    info = cache_info()
    found = f"{info.cache_dir}: {text_of_bytes(info.n_bytes)}"
    to_do = "Free it: glomclf cache --clear" if info.n_bytes else ""
    return _Check("cache", found, to_do)


def _speeds(speed: _Speed) -> Iterator[_Check]:
    yield _Check("decoding", f"{speed.decoding:.0f} images/s of {_SIDE} px")
    yield _Check("frozen ResNet-50", f"{speed.frozen:.1f} images/s of {_SIDE} px")


def _times(speed: _Speed, n_images: int) -> Iterator[_Check]:
    """Estimate what takes the recipe "features" how long.

    Each image runs through the frozen layers once, and so does each that a sampler
    adds in a fold. Then every fit trains a head.
    """
    rows = n_images * (1 + _NEW_IMAGES)

    def heads(fits: int, rows: float) -> float:
        return fits * (speed.seconds_a_fit + _EPOCHS * rows / speed.head)

    reading = n_images / speed.decoding
    training = reading + rows / speed.frozen + heads(1, rows)
    yield _Check(f"training on {n_images} images", _duration(training))
    new = n_images * (_FOLDS - 1) * _NEW_IMAGES
    study = reading + (n_images + new) / speed.frozen
    study += heads(_TRIALS * _FOLDS, rows * (_FOLDS - 1) / _FOLDS)
    name = f"study on {n_images} images"
    yield _Check(name, _duration(study), f"{_TRIALS} trials of {_FOLDS} folds")


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * length:
            return f"about {seconds / length:.1f} {unit}"
    return f"about {seconds:.0f} s"


# -- measurements ---------------------------------------------------------------------


def _measured() -> _Speed:
    import tempfile

    from ..data.loader import ImageLoader
    from ..data.synthetic import make_glomeruli
    from ..network.encoder import PatchEncoder

    with tempfile.TemporaryDirectory(prefix="glomclf-doctor-") as folder:
        manifest = make_glomeruli(
            _N_PATCHES, image_size=_SIDE, directory=folder, random_state=0
        )
        loader = ImageLoader(_SIDE, n_jobs=-1, cache_dir=False).fit(manifest)
        decoding, images = _timed(loader.transform, manifest)
    encoder = PatchEncoder("resnet50", weights=None, cache_dir=False)
    encoder.fit_transform(images[:8])  # builds and compiles
    frozen, features = _timed(encoder.transform, images)
    head, seconds_a_fit = _head_speed(features)
    return _Speed(len(images) / decoding, len(images) / frozen, head, seconds_a_fit)


def _timed(function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def _head_speed(features: np.ndarray) -> tuple[float, float]:
    """Return rows a second in an epoch, and the seconds of a fit beside its epochs."""
    import numpy as np

    from ..network.classifier import PatchClassifier

    X = np.resize(features, (_N_ROWS, features.shape[1]))
    y = np.arange(_N_ROWS) % 2
    seconds = []
    for epochs in (1, 1, 11):  # the first pays for what a process does once
        net = PatchClassifier(weights=None, epochs=epochs, random_state=0)
        seconds.append(_timed(net.fit, X, y)[0])
    an_epoch = max((seconds[2] - seconds[1]) / 10, 1e-6)
    return _N_ROWS / an_epoch, max(0.0, seconds[1] - an_epoch)
