"""Each centre that was left out, moved to the prevalence that is estimated there."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from .methods import FIXED, METHODS
from .patches import Patches
from .scoring import Pooled, cell, evaluated

TITLES = ["", "centre", "share of class 1", "estimated", "F1", "F1, moved"]
ALL = "all"
# Methods whose probabilities are of the prevalence that they were trained at.
UNBALANCED = ("linear", "classifier", "mean")


class Site(NamedTuple):
    """Shares of class 1 at one centre, true and estimated."""

    centre: str
    share: float
    estimate: float


def is_of_training_prevalence(name: str) -> bool:
    """Say whether a method's probabilities are of the share of class 1 in training."""
    return METHODS[name].kind in UNBALANCED and METHODS[name].threshold == FIXED


def moved(patches: Patches, one: Pooled) -> tuple[Pooled, list[Site]]:
    """Move each centre's probabilities to the prevalence estimated without its labels.

    Parameters
    ----------
    patches : Patches
    one : Pooled
        Of a method, leaving one centre out.
    """
    from glomclf.errors import ScoreWarning
    from glomclf.evaluation import adjust_to_prevalence, estimate_prevalence

    probability, sites = one.probability.copy(), []
    for centre in np.unique(one.fold):
        here = one.fold == centre
        train, test = patches.folds["centre"][centre]
        trained = {"train_prevalence": patches.y[train].mean()}
        with warnings.catch_warnings():  # the estimate is told, whatever it is
            warnings.simplefilter("ignore", ScoreWarning)
            found = estimate_prevalence(one.probability[here], **trained)
        probability[here] = adjust_to_prevalence(
            one.probability[here], **trained, prevalence=found
        )
        sites.append(Site(str(centre), patches.y[test].mean(), found))
    return one._replace(probability=probability), sites


def table_rows(patches: Patches, name: str, one: Pooled) -> list[list[str]]:
    """Write F1 of each centre and of all, as it is and moved."""
    after, sites = moved(patches, one)
    rows = [
        [name, centre, f"{share:.3f}", f"{estimate:.3f}"]
        + [_f1(patches, pooled, pooled.fold == centre) for pooled in (one, after)]
        for centre, share, estimate in sites
    ]
    every = np.ones(len(one.rows), dtype=bool)
    return [
        *rows,
        [name, ALL, f"{patches.y[one.rows].mean():.3f}", ""]
        + [_f1(patches, pooled, every) for pooled in (one, after)],
    ]


def _f1(patches: Patches, pooled: Pooled, some: np.ndarray) -> str:
    return cell(evaluated(patches, Pooled(*(column[some] for column in pooled))), "f1")
