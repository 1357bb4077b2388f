"""How fast a device predicts, computes features and trains: a GPU, or the processor.

::

    python examples/benchmarks/gpu.py --output gpu.md
    python examples/benchmarks/gpu.py --quick --output gpu.md

It takes the first GPU that TensorFlow sees, else the processor, and synthetic patches.
Frozen layers run in Keras, as OpenVINO computes on processors alone. With ``--quick``
it tries that all works: few small patches say nothing of speed.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pages import command, grid

from glomclf import PatchEncoder, make_classifier, make_glomeruli
from glomclf.errors import EngineError
from glomclf.model.recipes import RECIPES

_PACKAGES = ("glomclf", "tensorflow", "keras")
_EPOCHS = 3
_BACKBONE = "efficientnet-lite0"
_Row = tuple[str, str, str]


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-samples", type=int, default=512, help="patches")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--quick", action="store_true", help="16 patches of 64 px")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    if options.quick:
        options.n_samples, options.image_size = 16, 64
    X, y, _ = make_glomeruli(
        options.n_samples,
        sclerotic_fraction=0.5,
        image_size=options.image_size,
        random_state=0,
    )
    rows = [features(X), prediction(X, y)]
    rows += [training(X, y, precision) for precision in ("float32", "bfloat16")]
    text = page(rows, len(X), options.image_size)
    options.output.write_text(text, encoding="utf-8")
    print(text)


def page(rows: list[_Row], n_samples: int, image_size: int) -> str:
    """Return the table, with what it was measured on."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    lines = [
        "# Speed on one device",
        "",
        f"Measured on {device_name()} with {n_samples} synthetic patches of "
        f"{image_size} px; Python {platform.python_version()}, {packages}. Made by",
        "",
        f"    {command()}",
        "",
        *grid(("work", "precision", "images per second"), rows),
    ]
    return "\n".join(lines) + "\n"


def device_name() -> str:
    """Name the first GPU, else the processor."""
    import tensorflow as tf

    from glomclf.network.processor import processor_name

    for gpu in tf.config.list_physical_devices("GPU"):
        return str(tf.config.experimental.get_device_details(gpu)["device_name"])
    return processor_name()


def features(X: np.ndarray) -> _Row:
    """Run the frozen layers of the recipe "linear"."""
    encoder = PatchEncoder(_BACKBONE, engine="keras", cache_dir=False).fit(X)
    encoder.transform(X)  # compiles
    return "features", "float32", rate(len(X), seconds(encoder.transform, X))


def prediction(X: np.ndarray, y: np.ndarray) -> _Row:
    """Predict from images by the recipe "linear", each seen in eight views."""
    classifier = linear(X, y)
    classifier.predict_proba(X)
    taken = seconds(classifier.predict_proba, X)
    views = classifier.predict_views
    return f"prediction, {views} views", "float32", rate(len(X), taken)


def linear(X: np.ndarray, y: np.ndarray) -> Any:
    """Fit the recipe "linear" to images as they are."""
    classifier = make_classifier(
        "linear",
        encoder__engine="keras",
        image_size=X.shape[1],
        cache_dir=False,
        random_state=0,
    )
    return classifier.fit(X, y, groups=np.arange(len(X)))


def training(X: np.ndarray, y: np.ndarray, precision: str) -> _Row:
    """Train from images as the recipe "fine-tune" does: each layer in each epoch."""
    prefix = "network__"
    settings = {
        name.removeprefix(prefix): value
        for name, value in RECIPES["fine-tune"].items()
        if name.startswith(prefix)
    }
    network = RECIPES["fine-tune"]["network"]
    network = type(network)(**settings | {"training_precision": precision})
    network.set_params(random_state=0, head_epochs=0, warmup_epochs=0)
    try:
        short = seconds(network.set_params(epochs=1).fit, X, y)  # compiles
        short = seconds(network.fit, X, y)
    except EngineError:
        return "training, fine-tune", precision, "this processor has none"
    long = seconds(network.set_params(epochs=1 + _EPOCHS).fit, X, y)
    return "training, fine-tune", precision, rate(len(X) * _EPOCHS, long - short)


def seconds(function: Callable[..., Any], *arguments: Any) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def rate(n_images: int, taken: float) -> str:
    """Write images per second with three digits."""
    return f"{n_images / taken:.3g}"


if __name__ == "__main__":
    main()
