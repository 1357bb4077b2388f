"""Arrays handed to Keras a batch at a time.

``fit`` and ``predict`` of an array copy it whole, twice; of a ``PyDataset`` they hold
a batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from .._runtime import n_threads
from ..data.augmenter import PatchAugmenter
from .backend import keras


class ArrayBatches(keras.utils.PyDataset):  # type: ignore[name-defined]
    """Batches of rows, reshuffled before every epoch where a seed is given.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...)
    y : ndarray of shape (n_samples,), default=None
    sample_weight : ndarray of shape (n_samples,), default=None
    batch_size : int, default=32
    shuffle_seed : int, default=None
        None keeps the order.
    augmenter : PatchAugmenter, default=None
        What gives each image another look in every epoch. It draws by the seed, the
        epoch and the image's row, so that the order of rows does not matter.
    are_even : bool, default=False
        Whether batches are as large as one another, to one row, rather than all but
        the last full: statistics of a batch of few rows are none.
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray | None = None,
        sample_weight: np.ndarray | None = None,
        *,
        batch_size: int = 32,
        shuffle_seed: int | None = None,
        augmenter: PatchAugmenter | None = None,
        are_even: bool = False,
    ):
        super().__init__(workers=1)
        self.arrays = [array for array in (X, y, sample_weight) if array is not None]
        self.batch_size = batch_size
        self.order = np.arange(len(X))
        self._seed, self._augmenter, self._epoch = shuffle_seed, augmenter, -1
        self._rng = (
            None if shuffle_seed is None else np.random.default_rng(shuffle_seed)
        )
        n_rows, n_batches = len(X), len(self)
        self._ends = np.minimum(np.arange(n_batches + 1) * batch_size, n_rows)
        if are_even:
            self._ends = np.arange(n_batches + 1) * n_rows // n_batches

    def __len__(self) -> int:
        return math.ceil(len(self.order) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        rows = self.order[self._ends[index] : self._ends[index + 1]]
        X, *others = (array[rows] for array in self.arrays)
        if self._augmenter is not None:
            keys = [(self._seed, self._epoch, row) for row in rows.tolist()]
            X = self._augmenter.transform(X, keys, n_threads=n_threads())
        return X, *others

    def on_epoch_begin(self) -> None:
        """Draw the order of this epoch."""
        self._epoch += 1
        if self._rng is not None:
            self._rng.shuffle(self.order)

    def read_ahead(self) -> Iterator[tuple[Any, ...]]:
        """Give batches in their order; the next is made while one is worked on."""
        with ThreadPoolExecutor(1) as thread:
            following = thread.submit(self.__getitem__, 0)
            for index in range(1, len(self) + 1):
                batch = following.result()
                if index < len(self):
                    following = thread.submit(self.__getitem__, index)
                yield batch
