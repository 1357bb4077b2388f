"""TensorFlow's own kernels for what Keras spells out in many operations.

A step that trains a whole network spends a quarter of its time outside of the
convolutions: there Keras goes over the weights ten times, and over each activation a
dozen times. A kernel that does it in one pass computes the same, to rounding.
"""

from __future__ import annotations

from typing import Any

from .backend import keras, tf

__all__ = ["OPTIMIZERS", "BatchNormalization"]


class _AdamStep:
    """One kernel a weight for both averages and the move."""

    def update_step(
        self: Any, gradient: Any, variable: Any, learning_rate: Any
    ) -> None:
        """Move as Keras does."""
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class Adam(_AdamStep, keras.optimizers.Adam):  # type: ignore[name-defined]
    """Kingma & Ba (2015), "Adam"."""


class AdamW(_AdamStep, keras.optimizers.AdamW):  # type: ignore[name-defined]
    """Loshchilov & Hutter (2019), "Decoupled weight decay regularization"."""


class RMSprop(keras.optimizers.RMSprop):  # type: ignore[name-defined]
    """Tieleman & Hinton (2012), "RMSprop", without momentum."""

    def build(self, variables: Any) -> None:
        """Add the room in which the kernel lays down its last move."""
        if not self.built:
            super().build(variables)
            self._moves = self.add_optimizer_variables(variables, "move")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move as Keras does."""
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyRMSProp(
            var=variable.handle,
            ms=self._velocities[index].value.handle,
            mom=self._moves[index].value.handle,
            lr=learning_rate,
            rho=self.rho,
            momentum=0.0,
            epsilon=self.epsilon,
            grad=gradient,
        )


class SGD(keras.optimizers.SGD):  # type: ignore[name-defined]
    """Gradient descent with momentum, as Sutskever et al. (2013) have it."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move as Keras does."""
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=self.momentums[index].value.handle,
            lr=learning_rate,
            grad=gradient,
            momentum=self.momentum,
            use_nesterov=self.nesterov,
        )


OPTIMIZERS: dict[str, Any] = {
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
    "sgd": SGD,
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
        for kept, new in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            kept.assign(kept * self.momentum + new * (1.0 - self.momentum))
        return outputs
