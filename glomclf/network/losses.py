"""What training minimises in place of plain cross-entropy."""

from __future__ import annotations

from typing import Any

from .backend import keras

__all__ = ["FOCUS", "LogitAdjusted", "make_training_loss"]

FOCUS = 2.0  # gamma, as Lin et al. recommend
_SMALLEST = 1e-7  # Keras' own bound of a probability whose logarithm is taken


def make_training_loss(name: str, label_smoothing: float, log_odds: Any) -> Any | None:
    """Return the loss of training rows, None for plain cross-entropy.

    Parameters
    ----------
    name : {"crossentropy", "focal", "logit_adjusted"}
        Focal as in Lin et al. (2017), "Focal loss for dense object detection", with a
        gamma of 2; logit-adjusted as in Menon et al. (2021), "Long-tail learning via
        logit adjustment", with a tau of 1.
    label_smoothing : float in [0, 0.5)
        Labels become ``label_smoothing / 2`` and ``1 - label_smoothing / 2``
        (Szegedy et al. 2016, "Rethinking the inception architecture").
    log_odds : keras.Variable
        Logarithm of the odds of class 1 among the training rows; only a logit-adjusted
        loss reads it, at every step.

    Returns
    -------
    keras.losses.Loss or None
    """
    losses = keras.losses
    if name == "focal":
        return losses.BinaryFocalCrossentropy(
            gamma=FOCUS, label_smoothing=label_smoothing
        )
    if name == "logit_adjusted":
        return LogitAdjusted(log_odds, label_smoothing)
    if label_smoothing > 0:
        return losses.BinaryCrossentropy(label_smoothing=label_smoothing)
    return None


class LogitAdjusted(keras.losses.Loss):  # type: ignore[name-defined]
    """Cross-entropy of logits that the classes' log odds are added to.

    The network then need not learn how frequent the classes are, and gives the
    probability that a row has where both are equally frequent.

    Parameters
    ----------
    log_odds : keras.Variable
    label_smoothing : float
    """

    def __init__(self, log_odds: Any, label_smoothing: float):
        super().__init__(name="logit_adjusted")
        self.log_odds = log_odds
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each row.

        Parameters
        ----------
        y_true : tensor of shape (n,) or (n, 1)
        y_pred : tensor of shape (n, 1), probabilities

        Returns
        -------
        tensor of shape (n,)
        """
        ops = keras.ops
        probability = ops.clip(y_pred, _SMALLEST, 1.0 - _SMALLEST)
        logit = ops.log(probability) - ops.log1p(-probability)
        return keras.losses.binary_crossentropy(
            ops.reshape(y_true, ops.shape(y_pred)),
            logit + ops.convert_to_tensor(self.log_odds),
            from_logits=True,
            label_smoothing=self.label_smoothing,
        )
