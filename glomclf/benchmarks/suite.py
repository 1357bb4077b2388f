"""The sections of the measurements, by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from .figures import Figure, Setting

__all__ = ["SECTIONS", "measure"]

_HOME = {
    "startup": "processes.measure_startup",
    "loading": "loading.measure_loading",
    "engines": "engines.measure_engines",
    "training": "training.measure_training",
    "memory": "processes.measure_memory",
    "cv": "cross_validation.measure_cross_validation",
    "layers": "cross_validation.measure_layers",
    "scores": "cross_validation.measure_scores",
}
SECTIONS = tuple(_HOME)
"""What can be measured, the quickest first."""


def measure(setting: Setting, sections: Sequence[str] = SECTIONS) -> Iterator[Figure]:
    """Measure sections, and give each figure when it is there.

    Parameters
    ----------
    setting : Setting
    sections : sequence of str, default=SECTIONS

    Yields
    ------
    Figure
    """
    for section in sections:
        room, _, name = _HOME[section].partition(".")
        module = importlib.import_module(f".{room}", __package__)
        function: Callable[[Setting], Iterable[Figure]] = getattr(module, name)
        yield from function(setting)
