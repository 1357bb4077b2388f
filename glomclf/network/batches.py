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

    def as_dataset(self, n_epochs: int) -> Any:
        """Return the batches of all epochs as a ``tf.data.Dataset``.

        Parameters
        ----------
        n_epochs : int

        Returns
        -------
        tf.data.Dataset
            Of the same batches in the same order.
        """
        arrays = [tf.constant(array) for array in self.arrays]
        epochs = []
        for _ in range(n_epochs):
            self.on_epoch_begin()
            epochs.append(self.order.copy())
        batches = tf.data.Dataset.from_tensor_slices(np.stack(epochs)).flat_map(
            lambda rows: tf.data.Dataset.from_tensor_slices(rows).batch(self.batch_size)
        )
        dataset = batches.map(
            lambda rows: tuple(tf.gather(array, rows) for array in arrays)
        )
        # Without its length Keras reads past the end, and warns.
        known = tf.data.experimental.assert_cardinality(n_epochs * len(self))
        return dataset.apply(known)

    def on_epoch_begin(self) -> None:
        """Draw the order of this epoch."""
        if self._rng is not None:
            self._rng.shuffle(self.order)


class BatchedModel(keras.Model):  # type: ignore[name-defined]
    """A Keras model whose ``fit`` and ``predict`` turn arrays into batches.

    SciKeras hands whole arrays to the model it wraps; this is where they are cut.
    ``shuffle_seed`` is set by the function that builds the model.
    """

    shuffle_seed: int = 0
    train_function: Any
    test_function: Any
    # Batches that are tested in one call; of training, Keras keeps the number.
    _test_steps: int = 1

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
        self, train: Any, validation: Any, *, epochs: int, **kwargs: Any
    ) -> Any:
        """Train on the same batches, but hand over all epochs at once."""
        self.steps_per_execution = len(train)
        if validation is not None:
            self._test_steps = len(validation)
            validation = validation.as_dataset(1)
        history = super().fit(
            train.as_dataset(epochs),
            steps_per_epoch=len(train),
            epochs=epochs,
            validation_data=validation,
            **kwargs,
        )
        # Predictions run in the program that a model read from disk runs them in.
        self.steps_per_execution = self._test_steps = 1
        return history

    def make_train_function(self, force: bool = False) -> None:
        """Compile the training of some batches."""
        if force or self.train_function is None:
            self.train_function = self._program(
                self.train_step, self.steps_per_execution
            )

    def make_test_function(self, force: bool = False) -> None:
        """Compile the evaluation of some batches."""
        if force or self.test_function is None:
            self.test_function = self._program(self.test_step, self._test_steps)

    def _program(self, step: Any, n_steps: int) -> Any:
        """Return a function that runs a step on the next batches of an iterator.

        Keras' own looks for the end of the data before each step; here the number of
        batches is known, so that there is less to trace.
        """

        @tf.function(autograph=False)
        def run(iterator: Any) -> Any:
            if n_steps == 1:
                return step(next(iterator))

            def body(n_done: Any) -> Any:
                step(next(iterator))
                return (n_done + 1,)

            tf.while_loop(lambda n_done: n_done < n_steps, body, [tf.constant(0)])
            return self.get_metrics_result()

        return run

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
