"""What is measured, and how often: settings, figures, and medians."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd


class Setting(NamedTuple):
    """On what is measured.

    Attributes
    ----------
    manifest : pandas.DataFrame
        Columns ``path``, ``label`` and ``participant``.
    folder : Path
        Empty folder for caches and files, removed by its owner.
    weights : str or None
    image_size : int
        Side in pixels of the images in the network.
    repeats : int
        How often each thing is measured.
    folds, epochs : int
        Of the cross-validation that is compared with the plain pipeline's.
    memory_images : tuple of int
        Numbers of images at which memory is measured.
    backbone : str
    n_layers : int
        How many of its last layers are trained, where some are.
    """

    manifest: pd.DataFrame
    folder: Path
    weights: str | None = None
    image_size: int = 224
    repeats: int = 3
    folds: int = 5
    epochs: int = 10
    memory_images: tuple[int, ...] = (200, 800)
    backbone: str = "resnet50"
    n_layers: int = 25


class Figure(NamedTuple):
    """The median of some measurements, with its range, and what it rests on."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    note: str = ""


def figure(name: str, values: Any, unit: str, note: str = "") -> Figure:
    """Summarise measurements."""
    values = np.asarray(values, dtype=np.float64)
    middle = float(np.median(values))
    return Figure(name, middle, float(values.min()), float(values.max()), unit, note)


def seconds(function: Callable[[], Any]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turn(
    functions: Mapping[str, Callable[[], Any]], repeats: int
) -> dict[str, np.ndarray]:
    """Time several functions, one after the other, several times, in seconds a call.

    What else the machine does then weighs on all of them alike, so that their ratios
    hold where their times do not.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            times[name].append(seconds(function))
    return {name: np.array(taken) for name, taken in times.items()}
