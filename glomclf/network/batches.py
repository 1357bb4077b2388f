"""Arrays handed to Keras a batch at a time.

``fit`` and ``predict`` of an array copy it whole, twice; of a ``PyDataset`` they hold
a batch. A head's steps on pooled features are so small that handing over batches would
cost more than they do: small arrays go to TensorFlow whole, and an epoch is one call.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .backend import keras, tf
from .programs import TrainingProgram, lent_program, shapes

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
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray | None = None,
        sample_weight: np.ndarray | None = None,
        *,
        batch_size: int = 32,
        shuffle_seed: int | None = None,
    ):
        super().__init__(workers=1)
        self.arrays = [array for array in (X, y, sample_weight) if array is not None]
        self.batch_size = batch_size
        self.order = np.arange(len(X))
        self._rng = (
            None if shuffle_seed is None else np.random.default_rng(shuffle_seed)
        )

    def __len__(self) -> int:
        return math.ceil(len(self.order) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return tuple(array[rows] for array in self.arrays)

    def on_epoch_begin(self) -> None:
        """Draw the order of this epoch."""
        if self._rng is not None:
            self._rng.shuffle(self.order)


class BatchedModel(keras.Model):  # type: ignore[name-defined]
    """A Keras model whose ``fit`` and ``predict`` turn arrays into batches.

    SciKeras hands whole arrays to the model it wraps; this is where they are cut.
    ``shuffle_seed``, ``compiled_in`` (what tells its compiled steps from those of other
    networks) and ``make_again`` are set by the function that builds the model.
    """

    shuffle_seed: int = 0
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
        **kwargs: Any,
    ) -> Any:
        """Measure the features of the training rows, then train in shuffled batches."""
        # Keras would shuffle the batches by Python's global seed; they do it alone.
        kwargs["shuffle"] = False
        size = batch_size or 32
        self._standardise(x, size)
        train = ArrayBatches(
            x, y, sample_weight, batch_size=size, shuffle_seed=self.shuffle_seed
        )
        if validation_data is not None:
            validation_data = ArrayBatches(*validation_data, batch_size=size)
        if x.ndim == 2 and x.nbytes <= _SMALL:
            return self._fit_whole(train, validation_data, **kwargs)
        return super().fit(train, validation_data=validation_data, **kwargs)

    def _fit_whole(
        self,
        train: ArrayBatches,
        validation: ArrayBatches | None,
        *,
        epochs: int,
        callbacks: Any = None,
        verbose: int = 0,
        **kwargs: Any,
    ) -> Any:
        """Train on the same batches as Keras would, an epoch in one call.

        What Keras does around a batch costs more than these small steps.
        """
        judged = [] if validation is None else validation.arrays
        inputs = (shapes(train.arrays), shapes(judged))
        key = (self.compiled_in, train.batch_size, inputs)
        rows = [tf.constant(array) for array in train.arrays]
        rows_val = [tf.constant(array) for array in judged]
        with lent_program(key, lambda: self._make_program(train, judged)) as program:
            program.begin(self)
            watchers = keras.callbacks.CallbackList(
                callbacks,
                add_history=True,
                model=program.model,
                epochs=epochs,
                verbose=verbose,
            )
            watchers.on_train_begin()
            logs: dict[str, float] = {}
            for epoch in range(epochs):
                watchers.on_epoch_begin(epoch)
                train.on_epoch_begin()
                logs = program.train(rows, train.order)
                if validation is not None:
                    scores = program.test(rows_val, validation.order)
                    logs |= {f"val_{name}": value for name, value in scores.items()}
                watchers.on_epoch_end(epoch, logs)
                if program.model.stop_training:
                    break
            watchers.on_train_end(logs)
            program.give_back(self)
            self.history = program.model.history
        return self.history

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

    def predict(self, x: Any, *, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Predict the array in batches, in its order."""
        return super().predict(ArrayBatches(x, batch_size=batch_size or 32), **kwargs)
