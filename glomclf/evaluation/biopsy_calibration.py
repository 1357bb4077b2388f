"""How probabilities are to be read for a participant whom the model has not seen.

A logistic recalibration whose intercept differs from participant to participant:

    logit P(label = 1) = intercept + slope * logit(p) + context * m + spread * z

with z normal, one for each participant, and m how far the mean probability of the
participant's glomeruli lies from that of the others, in logits. The term with m is what
people differ in by their share of sclerosis, which their probabilities show (Mundlak
1978 [1]_, Neuhaus and Kalbfleisch 1998 [2]_); the last term is what nothing shows.
The four numbers are drawn from their posterior, given the record, with weak priors.

References
----------
.. [1] Mundlak Y. On the pooling of time series and cross section data. Econometrica
   1978;46:69-85.
.. [2] Neuhaus JM, Kalbfleisch JD. Between- and within-cluster covariate effects in the
   analysis of clustered data. Biometrics 1998;54:638-645.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logsumexp

from .biopsy_record import OutOfFoldRecord
from .weighted_logistic import clipped_logits

Floats = NDArray[np.float64]

_PRIOR_GLOMERULI = 2.0  # a biopsy's mean probability counts so many of the average one
# Of intercept, log slope, context and log spread: normal.
_PRIOR_MEAN = np.array([0.0, 0.0, 0.0, -0.5])
_PRIOR_SD = np.array([1.5, 0.5, 0.5, 1.0])
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(25)
_LOG_WEIGHTS = np.log(_WEIGHTS / _WEIGHTS.sum())
_FREEDOM = 5  # of the t distribution that proposals are drawn from
_N_PROPOSALS = 1000


@dataclass(frozen=True, eq=False)
class ParticipantCalibration:
    """Draws of the recalibration, to be applied to new biopsies.

    Parameters
    ----------
    draws : ndarray of shape (n_draws, 4)
        Intercept, slope, context and spread.
    mean_probability : float
        The mean over participants of their mean probability.
    """

    draws: Floats
    mean_probability: float

    def labels(
        self, probability: Floats, random_state: np.random.RandomState
    ) -> NDArray[np.bool_]:
        """Draw the labels of the glomeruli of one biopsy.

        Parameters
        ----------
        probability : ndarray of shape (n_glomeruli,)
        random_state : RandomState

        Returns
        -------
        labels : ndarray of shape (n_draws, n_glomeruli), bool
        """
        intercept, slope, context, spread = self.draws.T
        own = spread * random_state.standard_normal(len(self.draws))
        shift = intercept + context * _context(probability, self.mean_probability) + own
        chance = expit(shift[:, None] + slope[:, None] * clipped_logits(probability))
        return random_state.random_sample(chance.shape) < chance


def fit_calibration(
    record: OutOfFoldRecord,
    *,
    n_draws: int = 4000,
    random_state: np.random.RandomState,
) -> ParticipantCalibration:
    """Estimate the recalibration and its spread between participants.

    The likelihood is integrated over the participants' intercepts by Gauss-Hermite
    quadrature. The posterior is drawn by importance resampling from a t distribution
    around its mode.

    Parameters
    ----------
    record : OutOfFoldRecord
    n_draws : int, default=4000
    random_state : RandomState

    Returns
    -------
    calibration : ParticipantCalibration

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation.biopsy_calibration import fit_calibration
    >>> from glomclf.evaluation import OutOfFoldRecord
    >>> rng = np.random.RandomState(0)
    >>> p, groups = rng.random_sample(400), np.repeat(np.arange(20), 20)
    >>> record = OutOfFoldRecord.from_predictions(rng.random_sample(400) < p, p, groups)
    >>> found = fit_calibration(record, random_state=rng)
    >>> f"{np.median(found.draws[:, 1]):.1f}"  # calibrated: the slope is 1
    '1.0'
    """
    posterior = _Posterior(record)
    mode = minimize(posterior.negative, _PRIOR_MEAN, method="BFGS")
    centre, root = mode.x, _root(mode.hess_inv)
    steps = random_state.standard_normal((_N_PROPOSALS, len(centre)))
    steps /= np.sqrt(random_state.chisquare(_FREEDOM, (_N_PROPOSALS, 1)) / _FREEDOM)
    proposals = centre + steps @ root.T
    log_proposed = -(_FREEDOM + 4) / 2 * np.log1p((steps**2).sum(axis=1) / _FREEDOM)
    log_weights = [-posterior.negative(one) for one in proposals] - log_proposed
    weights = np.exp(log_weights - logsumexp(log_weights))
    chosen = proposals[random_state.choice(_N_PROPOSALS, n_draws, p=weights)]
    chosen[:, [1, 3]] = np.exp(chosen[:, [1, 3]])
    return ParticipantCalibration(chosen, posterior.mean_probability)


class _Posterior:
    """Minus the logarithm of the posterior density of the four numbers."""

    def __init__(self, record: OutOfFoldRecord):
        order = np.argsort(record.participant, kind="stable")
        codes = record.participant[order]
        self.starts = np.flatnonzero(np.diff(codes, prepend=-1))
        parts = np.split(record.probability[order], self.starts[1:])
        self.mean_probability = float(np.mean([part.mean() for part in parts]))
        told = [_context(part, self.mean_probability) for part in parts]
        self.context = np.repeat(told, [len(part) for part in parts])
        self.logits = clipped_logits(record.probability[order])
        self.sign = np.where(record.label[order] == 1, 1.0, -1.0)

    def negative(self, numbers: Floats) -> float:
        intercept, context = numbers[[0, 2]]
        slope, spread = np.exp(np.clip(numbers[[1, 3]], -20, 4))
        fixed = intercept + slope * self.logits + context * self.context
        of_rows = log_expit(self.sign[:, None] * (fixed[:, None] + spread * _NODES))
        of_participants = np.add.reduceat(of_rows, self.starts) + _LOG_WEIGHTS
        prior = (((numbers - _PRIOR_MEAN) / _PRIOR_SD) ** 2).sum() / 2
        return float(prior - logsumexp(of_participants, axis=1).sum())


def _context(probability: Floats, mean_probability: float) -> float:
    """Tell how far a participant's mean probability lies from the average, in logits.

    Of few glomeruli the mean says little; it is drawn towards the average.
    """
    total = probability.sum() + _PRIOR_GLOMERULI * mean_probability
    mean = total / (len(probability) + _PRIOR_GLOMERULI)
    return float(np.diff(clipped_logits(np.array([mean_probability, mean])))[0])


def _root(covariance: Floats) -> Floats:
    """Return a square root of a covariance, also of one that is barely positive."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 1e-4)))
