"""What the scores that an approach reports are worth.

Before an approach begins, some participants are set aside, the same for all. So there
are two scores: what it *reports*, on the test set it makes for itself, and what it
*gets* on participants that it never touched. The difference is the inflation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .._runtime import progress
from ..evaluation.comparison import Comparison
from ..evaluation.evaluation import Evaluation, evaluate
from ..evaluation.intervals import Scale, bootstrap_estimates
from ..evaluation.scores import ScoredRows
from .approach_checks import check_splits, checked_rows, setting_faults
from .approaches import (
    APPROACHES,
    Approach,
    draw_folds,
    load_rows,
    run_approach,
)
from .classifier import GlomeruliClassifier

__all__ = ["COMPARED_SCORES", "ApproachComparison", "compare_approaches"]

COMPARED_SCORES = (
    "f1",
    "recall",
    "precision",
    "specificity",
    "accuracy",
    "balanced_accuracy",
    "roc_auc",
    "average_precision",
)
"""The scores of which an inflation is given: all are between 0 and 1."""

_PARTS = ("reported", "untouched")
_CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class ApproachComparison:
    """What approaches report and what they get, as `compare_approaches` returns it.

    Parameters
    ----------
    approaches : tuple of Approach
        Those that were run, in order.

    evaluations : dict of str to dict of str to Evaluation
        For the name of each approach, its scores on the test set it made
        (``"reported"``) and on the participants set aside (``"untouched"``).

    inflations : dict of str to Comparison
        For the name of each approach, reported less untouched scores, with intervals
        from the same resampled participants on either side.

    predictions : DataFrame
        One row for each patch judged: ``approach``, ``fold`` (from 0), ``part``
        (reported or untouched), ``row`` (of X, that it is or was made from),
        ``participant``, ``label``, ``probability``, ``threshold``; and whether it is
        ``synthetic``, whether its image, or one made from the same image, was trained
        on (``source_trained_on``), and whether other patches of its participant were
        (``participant_trained_on``).

    settings : dict of str to object
        How it was run: ``n_samples``, ``n_participants``, ``n_folds``, ``n_repeats``,
        ``test_size``.
    """

    approaches: tuple[Approach, ...]
    evaluations: dict[str, dict[str, Evaluation]]
    inflations: dict[str, Comparison]
    predictions: pd.DataFrame
    settings: dict[str, Any]

    @property
    def caution(self) -> str:
        """Why intervals are not to be trusted; empty if they are."""
        where: dict[str, list[str]] = {}
        for name, parts in self.evaluations.items():
            for part, evaluation in parts.items():
                where.setdefault(evaluation.caution, []).append(f"{name} {part}")
        where.pop("", None)
        return "; ".join(f"{', '.join(of)}: {why}" for why, of in where.items())

    def to_frame(self) -> pd.DataFrame:
        """Return the scores as a table.

        Returns
        -------
        frame : DataFrame
            Index ``approach`` and ``score``; for each of ``reported``, ``untouched``
            and ``inflation`` its value and ``_low``, ``_high``, the ends of its
            interval. ``frame.xs("f1", level="score")`` is the table of one score.
        """
        rows: dict[tuple[str, str], dict[str, float]] = {}
        for name, parts in self.evaluations.items():
            sides = {**parts, "inflation": self.inflations[name]}
            for score in COMPARED_SCORES:
                rows[name, score] = {}
                for side, one in sides.items():
                    values = (one.scores[score], *one.interval(score))
                    keys = (side, f"{side}_low", f"{side}_high")
                    rows[name, score] |= dict(zip(keys, values, strict=True))
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis(
            ["approach", "score"]
        )

    def counts(self) -> pd.DataFrame:
        """Count what the test sets hold, over all folds.

        Returns
        -------
        frame : DataFrame
            Index ``approach``; columns ``reported_0``, ``reported_1``, ``untouched_0``
            and ``untouched_1``, the patches of each class; and of the reported ones
            the ``synthetic``, ``source_trained_on`` and ``participant_trained_on``.
        """
        by_class = self.predictions.groupby(["approach", "part", "label"]).size()
        wide = by_class.unstack(["part", "label"], fill_value=0)
        columns = [(part, label) for part in _PARTS for label in (0, 1)]
        wide = wide.reindex(index=list(self.evaluations), columns=columns, fill_value=0)
        wide.columns = [f"{part}_{label}" for part, label in columns]
        reported = self.predictions[self.predictions["part"] == "reported"]
        flags = ["synthetic", "source_trained_on", "participant_trained_on"]
        return wide.join(reported.groupby("approach")[flags].sum())

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the predictions as plain types that JSON can hold.

        Returns
        -------
        content : dict
        """
        counts = self.counts()
        return {
            "settings": dict(self.settings),
            "approaches": [
                {
                    "name": one.name,
                    "title": one.title,
                    "counts": {key: int(n[one.name]) for key, n in counts.items()},
                    "inflation": self.inflations[one.name].to_dict(),
                    **{
                        part: evaluation.to_dict()
                        for part, evaluation in self.evaluations[one.name].items()
                    },
                }
                for one in self.approaches
            ],
            "caution": self.caution,
        }


def compare_approaches(
    X: Any,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    estimator: GlomeruliClassifier | None = None,
    approaches: Sequence[Approach] = APPROACHES,
    n_folds: int = 4,
    n_repeats: int = 1,
    test_size: float = 0.15,
    n_bootstrap: int = 1000,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
    after_each: Callable[[ApproachComparison], None] | None = None,
) -> ApproachComparison:
    """Measure what approaches report beside what they get on untouched participants.

    The participants are dealt into folds, and each fold is untouched once: all
    approaches run on the other participants, make their test set there, train, and
    then judge the untouched fold as well. Scores are of the predictions pooled over
    the folds.

    Parameters
    ----------
    X : DataFrame, array-like of paths, or ndarray
        As for `GlomeruliClassifier`.

    y : array-like of shape (n_samples,)
        Labels, 0 or 1.

    groups : array-like of shape (n_samples,), default=None
        The participant of each row. None: the column ``participant`` of `X`.

    estimator : GlomeruliClassifier, default=None
        Network, training and threshold for all approaches; its sampler and seed are
        set by each. None: ``GlomeruliClassifier()``.

    approaches : sequence of Approach, default=APPROACHES
        Those to run, in order, each under a name of its own.

    n_folds : int, default=4
        Number of folds of participants. With 4, a quarter is untouched at a time.

    n_repeats : int, default=1
        How often the folds are drawn anew.

    test_size : float in (0, 1), default=0.15
        Share of its rows that each approach splits off as its test set.

    n_bootstrap : int, default=1000
        Replicates for the intervals.

    random_state : int, RandomState instance or None, default=None
        Seeds folds, splits, samplers and networks; within a fold the same for all
        approaches.

    verbose : int, default=0
        1 shows a bar on standard error.

    after_each : callable, default=None
        Called with an `ApproachComparison` of the approaches done so far whenever one
        is done, to write what is there.

    Returns
    -------
    comparison : ApproachComparison

    Raises
    ------
    SplitError
        If labels, participants or settings do not allow the comparison; the message
        names all that stands against it.
    ImageError, SamplingError
        If files cannot be read, or there are too few rows for SMOTE.

    Warns
    -----
    SplitWarning
        If an untouched fold lacks a class.

    Notes
    -----
    - Approach 1 resamples all rows, then splits test and validation sets off at
      random. Approaches 2 and 3 split the test set off by patch; the classifier sets
      validation rows aside by patch as well, before the sampler. "By participant",
      both are drawn by participant.
    - Test sets are stratified. In approach 1 the classes have been made equal.
    - All intervals are by bootstrap over participants. A synthetic row counts for the
      participant of the image it was made from; one that SMOTE mixed of two, for that
      of the nearer one.
    - The interval of an inflation is paired: in every replicate the same resampled
      participants make up both sides.
    - Within a fold nobody untouched is trained on, validated on, resampled or reported
      on.

    Examples
    --------
    One approach, with a tiny network that is hardly trained:

    >>> from glomclf import GlomeruliClassifier, PatchClassifier, make_glomeruli
    >>> from glomclf.model import APPROACHES, compare_approaches
    >>> X, y, groups = make_glomeruli(
    ...     96, n_participants=16, image_size=32, serial_sections=True, random_state=0
    ... )
    >>> network = PatchClassifier("cnn", weights=None, epochs=1)
    >>> tiny = GlomeruliClassifier(network=network, image_size=32)
    >>> comparison = compare_approaches(
    ...     X,
    ...     y,
    ...     groups,
    ...     estimator=tiny,
    ...     approaches=APPROACHES[:1],
    ...     n_folds=2,
    ...     random_state=0,
    ... )
    >>> comparison.counts().loc["1", ["reported_0", "reported_1", "synthetic"]].tolist()
    [12, 12, 8]
    """
    if estimator is None:
        estimator = GlomeruliClassifier()
    faults = setting_faults(
        estimator, approaches, n_folds, n_repeats, test_size, n_bootstrap
    )
    labels, participants = checked_rows(X, y, groups, faults)
    folds = draw_folds(labels, participants, n_folds, n_repeats, random_state)
    check_splits(labels, participants, folds, test_size, estimator)
    everything = load_rows(X, labels, participants, estimator)
    settings = {"n_folds": n_folds, "n_repeats": n_repeats, "test_size": test_size}
    done = _nothing_done(participants, settings)
    total = len(approaches) * len(folds)
    with progress("Comparing approaches", total, enabled=bool(verbose)) as advance:
        for approach in approaches:
            table = run_approach(
                approach, estimator, everything, folds, test_size, advance
            )
            done = _extended(done, approach, table, n_bootstrap)
            if after_each is not None:
                after_each(done)
    return done


def _nothing_done(
    participants: NDArray[np.str_], settings: dict[str, Any]
) -> ApproachComparison:
    numbers = {
        "n_samples": len(participants),
        "n_participants": len(np.unique(participants)),
    }
    return ApproachComparison(
        approaches=(),
        evaluations={},
        inflations={},
        predictions=pd.DataFrame(),
        settings={**numbers, **settings},
    )


def _extended(
    done: ApproachComparison, approach: Approach, table: pd.DataFrame, n_bootstrap: int
) -> ApproachComparison:
    """Score one more approach."""
    parts = {part: table[table["part"] == part] for part in _PARTS}
    evaluations = {
        part: evaluate(
            rows["label"],
            rows["probability"],
            groups=rows["participant"],
            threshold=_threshold(rows),
            n_bootstrap=n_bootstrap,
            confidence=_CONFIDENCE,
        )
        for part, rows in parts.items()
    }
    inflation = _inflation(parts, evaluations, n_bootstrap)
    return replace(
        done,
        approaches=(*done.approaches, approach),
        evaluations={**done.evaluations, approach.name: evaluations},
        inflations={**done.inflations, approach.name: inflation},
        predictions=pd.concat([done.predictions, table], ignore_index=True),
    )


def _threshold(rows: pd.DataFrame) -> float | NDArray[np.float64]:
    """Return one threshold where all folds have the same, otherwise that of each."""
    cuts = rows["threshold"].to_numpy(np.float64)
    return float(cuts[0]) if (cuts == cuts[0]).all() else cuts


def _inflation(
    parts: dict[str, pd.DataFrame],
    evaluations: dict[str, Evaluation],
    n_bootstrap: int,
) -> Comparison:
    """Compare both parts under the same resampled participants.

    Every participant is untouched in some fold, but need not be reported on.
    """
    names = np.unique(parts["untouched"]["participant"].to_numpy(str))
    scored = {
        part: ScoredRows(
            rows["label"].to_numpy(),
            rows["probability"].to_numpy(),
            np.searchsorted(names, rows["participant"].to_numpy(str)),
            rows["threshold"].to_numpy(),
            evaluations[part].specificity,
        )
        for part, rows in parts.items()
    }

    def difference(weights: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        # A replicate may hold nobody who was reported on: its scores are undefined.
        with np.errstate(invalid="ignore"):
            reported, untouched = (
                scored[part].score(weights[:, : scored[part].n_groups])
                for part in _PARTS
            )
        return {name: reported[name] - untouched[name] for name in COMPARED_SCORES}

    estimates = bootstrap_estimates(
        difference,
        scored["untouched"].strata,
        {name: Scale(-1, 1) for name in COMPARED_SCORES},
        n_bootstrap=n_bootstrap,
        confidence=_CONFIDENCE,
        random_state=0,
    )
    sides = {part: evaluations[part].scores for part in _PARTS}
    return Comparison(
        **vars(estimates),
        scores_a={name: sides["untouched"][name] for name in COMPARED_SCORES},
        scores_b={name: sides["reported"][name] for name in COMPARED_SCORES},
    )
