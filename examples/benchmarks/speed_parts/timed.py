"""A classifier that notes when each of its epochs ended."""

from __future__ import annotations

import time
from typing import Any

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

    def _callbacks(self, validation: Any, advance: Any) -> list[Any]:
        self.epoch_ends_: list[float] = []

        def noted(*arguments: Any, **options: Any) -> None:
            self.epoch_ends_.append(time.perf_counter())
            advance(*arguments, **options)

        return super()._callbacks(validation, noted)
