"""Logistic regression of labels on logits, for many weightings at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

FloatArray = NDArray[np.float64]

_LOGIT_EDGE = 1e-6  # probabilities are kept this far from 0 and 1 before the logit
_MAX_STEPS = 25  # of Newton's method
_STEP_TOLERANCE = 1e-4  # the next step would be of the order of its square
_REACH = 10.0  # logits that one step may move a prediction


def clipped_logits(probability: FloatArray) -> FloatArray:
    """Return logits that are finite also for probabilities of 0 and 1.

    Parameters
    ----------
    probability : ndarray, dtype float64
        In [0, 1].

    Returns
    -------
    ndarray of the same shape, dtype float64

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation.weighted_logistic import clipped_logits
    >>> clipped_logits(np.array([0.0, 0.5, 1.0])).round(1)
    array([-13.8,   0. ,  13.8])
    """
    return np.asarray(logit(np.clip(probability, _LOGIT_EDGE, 1 - _LOGIT_EDGE)))


@dataclass(frozen=True)
class WeightedLogistic:
    """Logistic regression of the same labels, once for each row of weights."""

    y: NDArray[np.intp]  # (n_samples,)
    X: FloatArray  # (n_samples, n_terms)
    offset: FloatArray  # (n_samples,)

    def fit(self, weights: FloatArray) -> FloatArray:
        """Fit by Newton's method, from the fit to the unweighted rows.

        Takes weights (n_fits, n_samples) and returns coefficients (n_fits, n_terms),
        NaN where the maximum does not exist because the labels are separated.
        """
        return self._climb(weights, np.repeat(self._unweighted, len(weights), axis=0))

    @cached_property
    def _unweighted(self) -> FloatArray:
        nothing = np.zeros((1, self.X.shape[1]))
        fitted = self._climb(np.ones((1, len(self.y))), nothing.copy())
        return fitted if np.isfinite(fitted).all() else nothing

    def _climb(self, weights: FloatArray, beta: FloatArray) -> FloatArray:
        observed = weights @ (self.y[:, None] * self.X)
        going = np.arange(len(weights))
        for _ in range(_MAX_STEPS):
            part = weights if len(going) == len(weights) else weights[going]
            step = self._step(part, beta[going], observed[going])
            beta[going] += step
            going = going[np.abs(step).max(axis=1) > _STEP_TOLERANCE]
            if not going.size:
                break
        beta[going] = np.nan
        return beta

    def _step(
        self, weights: FloatArray, beta: FloatArray, observed: FloatArray
    ) -> FloatArray:
        """Take one step of Newton's method, held short where it would run away."""
        n_terms = self.X.shape[1]
        products = (self.X[:, :, None] * self.X[:, None, :]).reshape(-1, n_terms**2)
        fitted = expit(beta @ self.X.T + self.offset)
        expected = weights * fitted
        gradient = observed - expected @ self.X
        curvature = (expected * (1 - fitted)) @ products
        step = _solve(curvature.reshape(-1, n_terms, n_terms), gradient)
        reach = np.abs(step) @ np.abs(self.X).max(axis=0)
        return step * np.minimum(1, _REACH / np.maximum(reach, _REACH))[:, None]


def _solve(matrices: FloatArray, vectors: FloatArray) -> FloatArray:
    """Solve small systems; a singular one has the solution NaN."""
    singular = ~(np.linalg.cond(matrices) < 1 / np.finfo(float).eps)
    matrices = np.where(singular[:, None, None], np.eye(vectors.shape[1]), matrices)
    solution = np.linalg.solve(matrices, vectors[:, :, None])[:, :, 0].astype(float)
    solution[singular] = np.nan
    return solution
