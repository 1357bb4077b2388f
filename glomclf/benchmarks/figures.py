"""What is measured, and how often: settings, figures, and medians."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["Figure", "Setting", "figure", "in_turn", "seconds"]


@dataclass(frozen=True)
class Setting:
    """On what is measured.

    Attributes
    ----------
    manifest : pandas.DataFrame
        Columns ``path``, ``label`` and ``participant``.
    folder : Path
        Empty folder for caches and files, removed by its owner.
    weights : str or None
        Weights of the network.
    backbone : {"resnet50", "cnn"}
        The network.
    n_layers : int
        How many of its last layers are trained, where some are.
    image_size : int
        Side in pixels of the images in the network.
    repeats : int
        How often each thing is measured.
    folds, epochs : int
        Of the cross-validation that is compared with the plain pipeline's.
    memory_images : tuple of int
        Numbers of images at which memory is measured.
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


@dataclass(frozen=True)
class Figure:
    """The median of some measurements, with its range.

    Attributes
    ----------
    section, name : str
        What was measured.
    value, low, high : float
        Median, least and most.
    unit : str
    n : int
        Number of measurements.
    note : str
        What the figure rests on.
    """

    section: str
    name: str
    value: float
    unit: str
    low: float
    high: float
    n: int
    note: str = ""


def figure(section: str, name: str, values: Any, unit: str, note: str = "") -> Figure:
    """Summarise measurements.

    Examples
    --------
    >>> from glomclf.benchmarks.figures import figure
    >>> found = figure("engines", "keras", [3.0, 1.0, 2.0], "images/s")
    >>> found.value, found.low, found.high, found.n
    (2.0, 1.0, 3.0, 3)
    """
    values = np.atleast_1d(np.asarray(values, dtype=np.float64))
    return Figure(
        section,
        name,
        float(np.median(values)),
        unit,
        float(values.min()),
        float(values.max()),
        len(values),
        note,
    )


def seconds(function: Callable[[], Any]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turn(
    functions: Mapping[str, Callable[[], Any]], repeats: int
) -> dict[str, np.ndarray]:
    """Time several functions, one after the other, several times.

    What else the machine does then weighs on all of them alike, so that their ratios
    hold where their times do not.

    Returns
    -------
    dict of str to ndarray of shape (repeats,)
        Seconds a call.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            times[name].append(seconds(function))
    return {name: np.array(taken) for name, taken in times.items()}
