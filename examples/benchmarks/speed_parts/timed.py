"""A classifier that notes when each of its epochs ended."""

from __future__ import annotations

import time
from typing import Any
from unittest import mock

import numpy as np

from glomclf.network import PatchClassifier


class TimedClassifier(PatchClassifier):
    """PatchClassifier with a clock.

    Attributes
    ----------
    epoch_ends_ : list of float
        ``time.perf_counter()`` at the end of each epoch, in seconds.
    """

    def epoch_seconds(self) -> np.ndarray:
        """Return what each epoch but the first took; that one traces the network."""
        return np.diff(self.epoch_ends_)

    def fit(self, *rows: Any, **more: Any) -> TimedClassifier:
        """Train, and note the time wherever the bar moves on."""
        from glomclf.network import epochs

        self.epoch_ends_: list[float] = []

        def noted(history: dict[str, list[float]]) -> str:
            self.epoch_ends_.append(time.perf_counter())
            return note(history)

        note = epochs._note
        with mock.patch.object(epochs, "_note", noted):
            super().fit(*rows, **more)
        return self
