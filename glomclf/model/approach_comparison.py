"""What the scores that an approach reports are worth.

Before an approach begins, some participants are set aside, the same for all. So there
are two scores: what it *reports*, on the test set it makes for itself, and what it
*gets* on participants that it never touched. The difference is the inflation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_consistent_length, column_or_1d

from .._runtime import progress
from ..data.participants import participants_of
from ..errors import ParameterError, SplitError
from ..evaluation.estimates import Estimates
from ..evaluation.evaluation import Evaluation, evaluate
from ..evaluation.intervals import draw_replicates
from ..evaluation.predictions import Predictions
from ..evaluation.scores import score_rows
from .approaches import APPROACHES, draw_folds, load_patches, run_approach, try_splits
from .checks import refuse_contradictions
from .classifier import GlomeruliClassifier

COMPARED_SCORES = ("f1", "recall", "precision", "roc_auc")
"""The scores of which an inflation is given."""

_ENDS = ("", "_low", "_high")
_PARTS = ("reported", "untouched")
_N_BOOTSTRAP = 1000
_LEAST_CARRIERS = 4  # untouched, test, validation and training all need each class


@dataclass(frozen=True)
class ApproachComparison:
    """What approaches report and what they get, as `compare_approaches` returns it.

    Parameters
    ----------
    predictions : DataFrame
        One row for each patch judged: ``approach``, ``fold`` (from 0), ``part``
        (reported or untouched), ``row`` (of X, that it is or was made from),
        ``participant``, ``label``, ``probability``, ``threshold``; and whether it is
        ``synthetic``, whether its image, or one made from the same image, was trained
        on (``source_trained_on``), and whether other patches of its participant were
        (``participant_trained_on``).

    evaluations : dict of str to dict of str to Evaluation
        For the name of each approach, its scores on the test set it made
        (``"reported"``) and on the participants set aside (``"untouched"``).

    inflations : dict of str to Estimates
        For the name of each approach, reported less untouched scores, with intervals
        from the same resampled participants on either side.
    """

    predictions: pd.DataFrame
    evaluations: dict[str, dict[str, Evaluation]] = field(default_factory=dict)
    inflations: dict[str, Estimates] = field(default_factory=dict)

    @property
    def caution(self) -> str:
        """Why intervals are not to be trusted; empty if they are."""
        where: dict[str, list[str]] = {}
        for name, parts in self.evaluations.items():
            for part, evaluation in parts.items():
                score = f"{part} score of approach {name}"
                where.setdefault(evaluation.caution, []).append(score)
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
                rows[name, score] = {
                    f"{side}{end}": value
                    for side, one in sides.items()
                    for end, value in zip(_ENDS, _told(one, score), strict=True)
                }
        table = pd.DataFrame.from_dict(rows, orient="index")
        return table.rename_axis(["approach", "score"])

    def counts(self) -> pd.DataFrame:
        """Count what the test sets hold, over all folds.

        Returns
        -------
        frame : DataFrame
            Index ``approach``; columns ``reported_0``, ``reported_1``, ``untouched_0``
            and ``untouched_1``, the patches of each class; and of the reported ones
            the ``synthetic``, ``source_trained_on`` and ``participant_trained_on``.
        """
        about = self.predictions
        kinds = about["part"] + "_" + about["label"].astype(str)
        columns = [f"{part}_{label}" for part in _PARTS for label in (0, 1)]
        counts = pd.crosstab(about["approach"], kinds)
        counts = counts.reindex(list(self.evaluations), columns=columns, fill_value=0)
        reported = about[about["part"] == "reported"].groupby("approach")
        flags = ["synthetic", "source_trained_on", "participant_trained_on"]
        return counts.rename_axis(columns=None).join(reported[flags].sum())


@validate_params(
    {
        "estimator": [GlomeruliClassifier, None],
        "n_folds": [Interval(Integral, 2, None, closed="left")],
    },
    prefer_skip_nested_validation=False,
)
def compare_approaches(
    X: Any,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    estimator: GlomeruliClassifier | None = None,
    n_folds: int = 4,
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

    n_folds : int, default=4
        Number of folds of participants. With 4, a quarter is untouched at a time.

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
    ParameterError
        If the estimator resamples features, not images, or cannot be trained on rows
        that a sampler made.
    SplitError
        If labels or participants do not allow the comparison.
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
    - Test sets are 15 % of the rows, stratified. In approach 1 the classes have been
      made equal.
    - All intervals are by bootstrap over participants. A synthetic row counts for the
      participant of the image it was made from; one that SMOTE mixed of two, for that
      of the nearer one.
    - The interval of an inflation is paired: in every replicate the same resampled
      participants make up both sides.
    - Within a fold nobody untouched is trained on, validated on, resampled or reported
      on.

    Examples
    --------
    With a tiny network that is hardly trained:

    >>> from glomclf import GlomeruliClassifier, PatchClassifier, make_glomeruli
    >>> from glomclf.model import compare_approaches
    >>> X, y, groups = make_glomeruli(
    ...     96, n_participants=16, image_size=32, serial_sections=True, random_state=0
    ... )
    >>> network = PatchClassifier("cnn", weights=None, epochs=1)
    >>> tiny = GlomeruliClassifier(network=network, image_size=32)
    >>> comparison = compare_approaches(
    ...     X, y, groups, estimator=tiny, n_folds=2, random_state=0
    ... )
    >>> comparison.counts().loc["1", ["reported_0", "reported_1", "synthetic"]].tolist()
    [12, 12, 8]
    """
    estimator = estimator or GlomeruliClassifier()
    if estimator.sampling_space == "features":
        raise ParameterError(
            'estimator has sampling_space="features", but the approaches resample '
            'images; pass sampling_space="pixels"'
        )
    for approach in APPROACHES:  # not when others have run for hours
        refuse_contradictions(clone(estimator).set_params(sampler=approach.sampler))
    rows = _checked_rows(X, y, groups)
    folds = draw_folds(*rows, n_folds, random_state)
    try_splits(*rows, folds, estimator)
    everything = load_patches(X, *rows, estimator)
    done, total = ApproachComparison(pd.DataFrame()), len(APPROACHES) * n_folds
    with progress("Comparing approaches", total, enabled=bool(verbose)) as advance:
        for approach in APPROACHES:
            tables = []
            for fold in folds:
                advance(0, note=approach.title)
                tables.append(run_approach(approach, estimator, everything, fold))
                advance()
            done = _extended(done, approach.name, pd.concat(tables))
            if after_each is not None:
                after_each(done)
    return done


def _told(estimates: Estimates, score: str) -> tuple[float, ...]:
    return estimates.scores[score], *estimates.interval(score)


def _checked_rows(
    X: Any, y: ArrayLike, groups: ArrayLike | None
) -> tuple[NDArray[np.intp], NDArray[np.str_]]:
    """Return labels and participants, where there are enough of both."""
    labels = column_or_1d(y)
    check_consistent_length(X, labels)
    participants = participants_of(X, groups)
    if participants is None:
        raise SplitError(
            "the participants are not known: pass groups, one entry a row, or an X "
            "that is a DataFrame with a column 'participant'"
        )
    found = np.unique(labels).tolist()
    if found != [0, 1]:
        raise SplitError(f"y must hold labels 0 and 1, both; got {found}")
    carriers = pd.Series(participants).groupby(labels).nunique()
    if carriers.min() < _LEAST_CARRIERS:
        told = [f"class {i} is found in {n} participants" for i, n in carriers.items()]
        raise SplitError(
            f"{', '.join(told)}; it takes {_LEAST_CARRIERS} of each class at least, "
            "for untouched, test, validation and training rows"
        )
    return labels.astype(np.intp), participants.astype(str)


def _extended(
    done: ApproachComparison, name: str, table: pd.DataFrame
) -> ApproachComparison:
    """Score one more approach."""
    parts = {part: table[table["part"] == part] for part in _PARTS}
    evaluations = {
        part: evaluate(
            rows["label"],
            rows["probability"],
            groups=rows["participant"],
            threshold=rows["threshold"],
            n_bootstrap=_N_BOOTSTRAP,
        )
        for part, rows in parts.items()
    }
    return ApproachComparison(
        pd.concat([done.predictions, table], ignore_index=True),
        {**done.evaluations, name: evaluations},
        {**done.inflations, name: _inflation(parts)},
    )


def _inflation(parts: dict[str, pd.DataFrame]) -> Estimates:
    """Compare both parts under the same resampled participants.

    Every participant is untouched in some fold, but need not be reported on.
    """
    names = np.unique(parts["untouched"]["participant"].to_numpy(str))

    def scored(rows: pd.DataFrame) -> Predictions:
        label, probability, threshold = (
            rows[name].to_numpy() for name in ("label", "probability", "threshold")
        )
        codes = np.searchsorted(names, rows["participant"].to_numpy(str))
        return Predictions(label, probability, codes, threshold)

    reported, untouched = (scored(parts[part]) for part in _PARTS)
    replicates = draw_replicates(untouched.strata, _N_BOOTSTRAP)
    weights = replicates.weights
    # A replicate may hold nobody who was reported on: its scores are undefined.
    high = score_rows(reported, weights[:, : reported.n_groups], COMPARED_SCORES)
    low = score_rows(untouched, weights, COMPARED_SCORES)
    return replicates.estimates({name: high[name] - low[name] for name in low})
