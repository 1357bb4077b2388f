"""Arrays handed to Keras a batch at a time.

``fit`` and ``predict`` of an array copy it whole, twice; of a ``PyDataset`` they hold
a batch. A head's steps on pooled features are so small that handing over batches would
cost more than they do: small arrays go to TensorFlow whole, and an epoch is one call.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._runtime import n_threads
from ..data.augmenter import PatchAugmenter
from .backend import as_delivered, keras, tf
from .epochs import TrainingState, run_epochs
from .programs import BatchEpochs, TrainingProgram, WholeEpochs, lent_program, shapes

__all__ = ["ArrayBatches", "BatchedModel"]

_SMALL = 2**28  # bytes of an array of features that TensorFlow may hold whole


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


class BatchedModel(keras.Model):  # type: ignore[name-defined]
    """A Keras model whose ``fit`` and ``predict`` turn arrays into batches.

    SciKeras hands whole arrays to the model it wraps; this is where they are cut. The
    function that builds the model sets what follows.

    Attributes
    ----------
    shuffle_seed : int
    course : Course
        What its training has beside weights and optimizer.
    training_loss : keras.losses.Loss or None
        Loss of training rows where it is not the cross-entropy that validation rows
        are judged by.
    compiled_in : hashable
        What tells its compiled steps from those of other networks.
    make_again : callable
        Builds the like of it.
    """

    shuffle_seed: int = 0
    course: Any = None
    training_loss: Any = None
    compiled_in: Any = None
    make_again: Any = None

    def fit(
        self,
        x: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        batch_size: int | None = None,
        validation_data: tuple[Any, Any] | None = None,
        epochs: int = 1,
        callbacks: Any = None,
        augmenter: PatchAugmenter | None = None,
        resume: TrainingState | None = None,
        **kwargs: Any,
    ) -> Any:
        """Measure the features of the training rows, then train in shuffled batches."""
        size = batch_size or 32
        self._standardise(x, size)
        train = self._shuffled_batches(x, y, sample_weight, size, augmenter)
        judged = None
        if validation_data is not None:
            judged = ArrayBatches(*validation_data, batch_size=size)
        run = functools.partial(
            run_epochs,
            train=train,
            epochs=epochs,
            callbacks=list(callbacks or ()),
            is_validated=judged is not None,
            resume=resume,
        )
        if x.ndim == 2 and x.nbytes <= _SMALL:
            self.history = self._fit_whole(train, judged, run)
        else:
            self.history = run(BatchEpochs(self, train, judged))
        return self.history

    def _shuffled_batches(
        self, x: Any, y: Any, weight: Any, size: int, augmenter: PatchAugmenter | None
    ) -> ArrayBatches:
        return ArrayBatches(
            x,
            y,
            weight,
            batch_size=size,
            shuffle_seed=self.shuffle_seed,
            augmenter=augmenter,
            are_even=self.course.has_batch_statistics,
        )

    def _fit_whole(
        self,
        train: ArrayBatches,
        judged: ArrayBatches | None,
        run: Callable[[Any], Any],
    ) -> Any:
        """Train on the same batches, an epoch in one call.

        What is done around a batch costs more than these small steps.
        """
        arrays = [] if judged is None else judged.arrays
        inputs = (shapes(train.arrays), shapes(arrays))
        key = (self.compiled_in, train.batch_size, inputs)
        with lent_program(key, lambda: self._make_program(train, arrays)) as program:
            program.begin(self)
            history = run(WholeEpochs(program, train, judged))
            program.give_back(self)
        return history

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the loss: that of training rows may be another than validation's."""
        if training and self.training_loss is not None:
            return self.training_loss(y, y_pred, sample_weight)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def _make_program(self, train: ArrayBatches, judged: list[Any]) -> TrainingProgram:
        return TrainingProgram(
            self.make_again(), train.arrays, judged, train.batch_size
        )

    def _standardise(self, x: Any, batch_size: int) -> None:
        """Give the head's first layer the mean and variance of the training rows."""
        layer = self.get_layer("standardise")
        features = x
        if layer.input is not self.inputs[0]:
            below = keras.Model(self.inputs, layer.input)
            features = below.predict(ArrayBatches(x, batch_size=batch_size), verbose=0)
        mean = features.mean(axis=0, dtype=np.float64)
        variance = features.var(axis=0, dtype=np.float64)
        variance[variance == 0.0] = 1.0  # a constant feature says nothing, at any scale
        layer.set_weights([mean.astype(np.float32), variance.astype(np.float32)])

    @as_delivered()
    def predict(self, x: Any, *, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Predict the array in its order: in batches, or small features whole."""
        if x.ndim == 2 and x.nbytes <= _SMALL:
            # To trace a head's function takes longer than to run all of it.
            return self(tf.constant(x), training=False).numpy()
        return super().predict(ArrayBatches(x, batch_size=batch_size or 32), **kwargs)
