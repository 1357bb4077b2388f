"""TensorFlow's own kernels for what Keras spells out in many operations.

A step that trains a whole network spends a quarter of its time outside of the
convolutions: there Keras goes over the weights ten times, and over each activation a
dozen times. A kernel that does it in one pass computes the same, to rounding.
"""

from __future__ import annotations

from typing import Any

from .backend import keras, tf


class _ByPart:
    """Moves the tail at another rate than the head, and decays what it is told to.

    A child moves one weight by one kernel, in ``_move``.

    Attributes
    ----------
    tail : frozenset of str
        Paths of the variables that move at another rate.
    tail_factor : float
        That rate, over the other.
    decay : float
        Share that a weight loses in a step, times the rate.
    decays_all : bool
        Whether biases and batch norms are decayed too.
    """

    tail: frozenset[str] = frozenset()
    tail_factor: float = 1.0
    decay: float = 0.0
    decays_all: bool = False

    def build(self: Any, variables: Any) -> None:
        """Note the parts by their place among the variables."""
        super().build(variables)  # type: ignore[misc]
        self._factors = tuple(
            self.tail_factor if v.path in self.tail else 1.0 for v in variables
        )
        self._decays = tuple(
            self.decay if self.decays_all or v.name == "kernel" else 0.0
            for v in variables
        )

    def update_step(
        self: Any, gradient: Any, variable: Any, learning_rate: Any
    ) -> None:
        """Decay as Loshchilov & Hutter (2019) do, then move as Keras does."""
        index = self._get_variable_index(variable)
        rate = learning_rate * self._factors[index]
        if self._decays[index]:
            self.assign_sub(variable, variable * (self._decays[index] * rate))
        self._move(index, var=variable.handle, grad=gradient, lr=rate)

    def _all_reduce_sum_gradients(self, gradients_and_variables: Any) -> Any:
        """Return them as they are: there is one replica.

        Keras sums over it by a gradient of its own, which TensorFlow registers for
        good, the weights of the network with it.
        """
        return gradients_and_variables


class _AdamStep(_ByPart):
    """One kernel a weight for both averages and the move."""

    def _move(self: Any, index: int, **moved: Any) -> None:
        step = tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            **moved,
        )


class Adam(_AdamStep, keras.optimizers.Adam):  # type: ignore[name-defined]
    """Kingma & Ba (2015), "Adam"."""


class AdamW(_AdamStep, keras.optimizers.AdamW):  # type: ignore[name-defined]
    """Loshchilov & Hutter (2019), "Decoupled weight decay regularization"."""


class RMSprop(_ByPart, keras.optimizers.RMSprop):  # type: ignore[name-defined]
    """Tieleman & Hinton (2012), "RMSprop", without momentum."""

    def build(self, variables: Any) -> None:
        """Add the room in which the kernel lays down its last move."""
        super().build(variables)
        self._moves = self.add_optimizer_variables(variables, "move")

    def _move(self, index: int, **moved: Any) -> None:
        tf.raw_ops.ResourceApplyRMSProp(
            ms=self._velocities[index].value.handle,
            mom=self._moves[index].value.handle,
            rho=self.rho,
            momentum=0.0,
            epsilon=self.epsilon,
            **moved,
        )


class SGD(_ByPart, keras.optimizers.SGD):  # type: ignore[name-defined]
    """Gradient descent with momentum, as Sutskever et al. (2013) have it."""

    def _move(self, index: int, **moved: Any) -> None:
        tf.raw_ops.ResourceApplyKerasMomentum(
            accum=self.momentums[index].value.handle,
            momentum=self.momentum,
            use_nesterov=self.nesterov,
            **moved,
        )


OPTIMIZERS: dict[str, Any] = {
    kind.__name__.lower(): kind for kind in (Adam, AdamW, RMSprop, SGD)
}


class BatchNormalization(
    keras.layers.BatchNormalization  # type: ignore[name-defined]
):
    """Batch norm of maps, in training by one kernel forward and one back."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise by the batch while training, else by what it has learned."""
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.cast(self.gamma, tf.float32),
            offset=tf.cast(self.beta, tf.float32),
            mean=[],
            variance=[],
            epsilon=self.epsilon,
        )
        # The kernel tells the variance of an unbiased estimate; Keras keeps the other.
        n = tf.cast(tf.size(inputs) // tf.size(mean), tf.float32)
        variance *= (n - 1.0) / n
        for kept, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            kept.assign(kept * self.momentum + new * (1.0 - self.momentum))
        return outputs
