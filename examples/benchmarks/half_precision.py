"""Feature maps in half precision: what it changes of the predictions.

::

    python examples/benchmarks/half_precision.py patches.csv \
        --output docs/benchmarks/half_precision.md

Maps below the last 25 layers are rounded to float16, as if they had been kept so. A
network that was trained on exact maps predicts from rounded ones; and a network is
trained on rounded ones. Beside either stands what another engine changes, whose maps
differ in the last digits of float32. Fixed random weights; half of the participants
train, the others are predicted.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from glomclf import ImageLoader, PatchClassifier, PatchEncoder, read_manifest
from glomclf.data.splitting import train_test_split_by_participant

_TRAINABLE_LAYERS = 25
_EPOCHS = 3
_RATES = (1e-3, 1e-4, 1e-5)
_Maps = tuple[np.ndarray, np.ndarray]


def main() -> None:
    """Compare at each learning rate, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--n-samples", type=int, default=200, help="of either half")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    images, y = load(options.csv, options.image_size, options.n_samples)
    kinds = kinds_of_maps(images)
    rows = [row for rate in _RATES for row in compare(kinds, y, rate)]
    text = page(pd.DataFrame(rows), len(y), options.image_size)
    options.output.write_text(text)
    print(text)


def page(table: pd.DataFrame, n_samples: int, image_size: int) -> str:
    """Return the table as a page of the docs."""
    shown = [
        [str(cell) if isinstance(cell, str) else f"{cell:.1e}" for cell in row]
        for row in table.to_numpy().tolist()
    ]
    lines = [list(table.columns), ["---"] * table.shape[1], *shown]
    return (
        "# Feature maps in half precision\n\n"
        "Largest change of a probability against exact maps. The last "
        f"{_TRAINABLE_LAYERS} layers are trained from fixed random weights on "
        f"{n_samples} patches of {image_size} px for {_EPOCHS} epochs. Made by\n\n"
        "    python examples/benchmarks/half_precision.py patches.csv "
        f"--image-size {image_size} --n-samples {n_samples} "
        "--output half_precision.md\n\n"
        + "\n".join(f"| {' | '.join(line)} |" for line in lines)
        + "\n"
    )


def load(csv: Path, size: int, n_samples: int) -> tuple[_Maps, np.ndarray]:
    """Return the images of both halves, and the labels of the first."""
    manifest = read_manifest(csv)
    train, test, y, _ = train_test_split_by_participant(
        manifest, manifest["label"], test_size=0.5, random_state=0
    )
    loader = ImageLoader(size).fit(train)
    images = (loader.transform(half[:n_samples]) for half in (train, test))
    return tuple(images), np.asarray(y)[:n_samples]  # type: ignore[return-value]


def kinds_of_maps(images: _Maps) -> dict[str, _Maps]:
    """Return the output of the frozen layers: exact, rounded, of another engine."""

    def maps(engine: str) -> Any:
        trunk = PatchEncoder(
            weights=None,
            trainable_layers=_TRAINABLE_LAYERS,
            engine=engine,
            cache_dir=False,
        )
        return tuple(trunk.fit(half).transform(half) for half in images)

    exact = maps("openvino")
    halves: Any = tuple(half.astype(np.float16).astype(np.float32) for half in exact)
    return {"exact": exact, "float16": halves, "another engine's": maps("keras")}


def compare(
    kinds: dict[str, _Maps], y: np.ndarray, rate: float
) -> list[dict[str, Any]]:
    """Train on each kind; predict from each by the network of the exact ones."""
    net = PatchClassifier(
        weights=None,
        trainable_layers=_TRAINABLE_LAYERS,
        learning_rate=rate,
        epochs=_EPOCHS,
        random_state=0,
    )
    reference = clone(net).fit(kinds["exact"][0], y)
    expected = reference.predict_proba(kinds["exact"][1])
    rows = []
    for name, (train, test) in kinds.items():
        trained = clone(net).fit(train, y).predict_proba(test)
        predicted = reference.predict_proba(test)
        rows.append(
            {
                "learning rate": rate,
                "maps": name,
                "predicted from": np.abs(predicted - expected).max(),
                "trained on": np.abs(trained - expected).max(),
            }
        )
    return rows


if __name__ == "__main__":
    main()
