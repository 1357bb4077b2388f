"""Two models side by side on the same participants: differences, with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..errors import ScoreError
from .estimates import Estimates
from .intervals import draw_replicates, settings_faults
from .predictions import Predictions
from .scores import score_rows


@dataclass(frozen=True, kw_only=True)
class Comparison(Estimates):
    """Differences between two models, as `compare_scores` returns them.

    `scores` and `interval` hold the differences, b less a.

    Parameters
    ----------
    scores_a, scores_b : dict of str to float
        The scores of either model.
    """

    scores_a: dict[str, float]
    scores_b: dict[str, float]

    def to_frame(self) -> pd.DataFrame:
        """Return both models' scores and their differences as a table.

        Returns
        -------
        frame : DataFrame
            Index ``score``; columns ``a``, ``b``, ``value`` (b less a), ``low``,
            ``high``, ``n_effective`` and ``note``.
        """
        both = pd.DataFrame({"a": self.scores_a, "b": self.scores_b})
        return both.join(super().to_frame()).rename_axis("score")

    def _heading(self) -> str:
        return "Differences, b less a, on the same participants"


def compare_scores(
    y_true: ArrayLike,
    y_score_a: ArrayLike,
    y_score_b: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    threshold: float | ArrayLike = 0.5,
    threshold_b: float | ArrayLike | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = 0,
) -> Comparison:
    """Compare two models on the same rows: differences, with intervals.

    Both models are scored in every replicate on the same resampled participants, so
    that what makes a participant hard for both cancels. The interval of a difference is
    therefore mostly much narrower than two intervals side by side suggest.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, 0 or 1.

    y_score_a, y_score_b : array-like of shape (n_samples,)
        Probabilities of class 1 from either model, in [0, 1].

    groups : array-like of shape (n_samples,), default=None
        The participant of each row. None: rows count as independent.

    threshold : float or array-like of shape (n_samples,), default=0.5
        Of model a.

    threshold_b : float or array-like of shape (n_samples,), default=None
        Of model b; None: the same.

    n_bootstrap, confidence, random_state
        As in `evaluate`.

    Returns
    -------
    comparison : Comparison
        `scores` and `interval` hold the differences, b less a.

    Raises
    ------
    ScoreError
        If an input cannot be used; the message names every fault.

    See Also
    --------
    glomclf.evaluate : The scores of one model; says what each is.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation.comparison import compare_scores
    >>> rng = np.random.RandomState(0)
    >>> participants = np.repeat(np.arange(30), 20)
    >>> y_true = rng.binomial(1, 0.2, 600)
    >>> logits = 2.5 * y_true - 2.5 + rng.normal(size=600)
    >>> noisy = logits + rng.normal(size=600)
    >>> comparison = compare_scores(
    ...     y_true,
    ...     1 / (1 + np.exp(-logits)),
    ...     1 / (1 + np.exp(-noisy)),
    ...     groups=participants,
    ... )
    >>> round(comparison.scores["roc_auc"], 3)
    -0.081
    >>> np.round(comparison.interval("roc_auc"), 3)
    array([-0.107, -0.055])
    """
    faults, rows = settings_faults(n_bootstrap, confidence), []
    cuts = (threshold, threshold if threshold_b is None else threshold_b)
    for model, y_score, cut in zip("ab", (y_score_a, y_score_b), cuts, strict=True):
        try:
            rows.append(Predictions.checked(y_true, y_score, groups, cut))
        except ScoreError as error:
            faults.append(f"model {model}: {error}")
    if faults:
        raise ScoreError("\n".join(faults))
    strata = rows[0].strata
    replicates = draw_replicates(strata, n_bootstrap, confidence, random_state)
    a, b = (score_rows(one, replicates.weights) for one in rows)
    differences = replicates.estimates({name: b[name] - a[name] for name in a})
    return Comparison(
        **vars(differences) | {"caution": rows[0].caution},
        scores_a={name: float(one.values[0]) for name, one in a.items()},
        scores_b={name: float(one.values[0]) for name, one in b.items()},
    )
