"""Three ways to balance and split, and what each one's reported scores are worth.

A published pipeline for glomeruli was built in three ways, here called approaches 1 to
3. They differ in when they balance the classes and how; all split by patch. Here they
run on one code path, and two of them once more split by participant. Before any of
them begins, some participants are set aside, the same for all. So for each approach
there are two scores: what it *reports*, on the test set it makes for itself, and what
it *gets* on participants that it never touched. The difference is the inflation.

Approach 1 resamples before it splits. That is a leak, and it is built in this room
only, to be measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.metrics import pairwise_distances_argmin
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils.validation import _num_samples

from .._runtime import progress
from ..data.loader import ImageLoader
from ..data.participants import participants_of
from ..data.splitting import RepeatedStratifiedGroupKFold, StratifiedGroupShuffleSplit
from ..errors import SplitError
from ..evaluation.comparison import Comparison
from ..evaluation.evaluation import Evaluation, evaluate
from ..evaluation.intervals import Scale, bootstrap_estimates, settings_faults
from ..evaluation.scores import ScoredRows
from ..samplers import make_sampler
from .classifier import GlomeruliClassifier
from .validation import share_set_aside

__all__ = [
    "APPROACHES",
    "COMPARED_SCORES",
    "Approach",
    "ApproachComparison",
    "compare_approaches",
]

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
# Untouched, test, validation and training participants all need each class.
_LEAST_CARRIERS = 4
_CONFIDENCE = 0.95
_THUMBNAIL = 28  # pixels a side that are enough to tell whose mixture an image is


@dataclass(frozen=True)
class Approach:
    """One way to balance and to split.

    Parameters
    ----------
    name : str
        Short, such as ``"2 by participant"``.
    title : str
        What is done, in order.
    sampler : str
        As for :func:`glomclf.samplers.make_sampler`.
    resamples_first : bool, default=False
        Whether the sampler runs on all rows, before the test set is split off: a leak.
    by_participant : bool, default=False
        Whether test and validation sets are made of whole participants.
    """

    name: str
    title: str
    sampler: str
    resamples_first: bool = False
    by_participant: bool = False


APPROACHES = (
    Approach(
        "1", "1: resample, then split (leaks)", "smote+augment", resamples_first=True
    ),
    Approach("2", "2: split by patch, then SMOTE and augmentation", "smote+augment"),
    Approach(
        "3",
        "3: split by patch, then undersampling and augmentation",
        "undersample+augment",
    ),
    Approach(
        "2 by participant",
        "2 by participant: split, then SMOTE and augmentation",
        "smote+augment",
        by_participant=True,
    ),
    Approach(
        "3 by participant",
        "3 by participant: split, then undersampling and augmentation",
        "undersample+augment",
        by_participant=True,
    ),
)
"""The published approaches, and two of them by participant."""


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
        on (``kin_trained_on``), and whether other patches of its participant were
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
        found: dict[str, list[str]] = {}
        for name, parts in self.evaluations.items():
            for part, evaluation in parts.items():
                if evaluation.caution:
                    where = found.setdefault(evaluation.caution, [])
                    where.append(f"{name} {part}")
        return "; ".join(
            f"{', '.join(where)}: {caution}" for caution, where in found.items()
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the scores as a table.

        Returns
        -------
        frame : DataFrame
            Index ``approach`` and ``score``; for each of ``reported``, ``untouched``
            and ``inflation`` its value and ``_low``, ``_high``, the ends of its
            interval. ``frame.xs("f1", level="score")`` is the table of one score.
        """
        index = pd.MultiIndex.from_product(
            [[one.name for one in self.approaches], COMPARED_SCORES],
            names=["approach", "score"],
        )
        return pd.DataFrame([self._cells(*key) for key in index], index=index)

    def counts(self) -> pd.DataFrame:
        """Count what the test sets hold, over all folds.

        Returns
        -------
        frame : DataFrame
            Index ``approach``; columns ``reported_0``, ``reported_1``, ``untouched_0``
            and ``untouched_1``, the patches of each class; and of the reported ones
            the ``synthetic``, ``kin_trained_on`` and ``participant_trained_on``.
        """
        names = [one.name for one in self.approaches]
        by_class = self.predictions.groupby(["approach", "part", "label"]).size()
        wide = by_class.unstack(["part", "label"], fill_value=0)
        columns = [(part, label) for part in _PARTS for label in (0, 1)]
        wide = wide.reindex(index=names, columns=columns, fill_value=0)
        wide.columns = [f"{part}_{label}" for part, label in columns]
        reported = self.predictions[self.predictions["part"] == "reported"]
        flags = ["synthetic", "kin_trained_on", "participant_trained_on"]
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

    def _cells(self, name: str, score: str) -> dict[str, float]:
        sides = {**self.evaluations[name], "inflation": self.inflations[name]}
        cells: dict[str, float] = {}
        for side, one in sides.items():
            low, high = one.interval(score)
            cells |= {side: one.scores[score], f"{side}_low": low, f"{side}_high": high}
        return cells


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
      random: its sampler is not run again. Approaches 2 and 3 split the test set off
      by patch; validation rows are set aside by patch as well, before the sampler.
      "By participant", both are drawn by participant.
    - What the estimator does with validation rows (stop early, choose a threshold),
      each approach does with its own.
    - Test sets are stratified. The classes are in proportion there, except in approach
      1, where they have been made equal.
    - All intervals are by bootstrap over participants. A synthetic row counts for the
      participant of the image it was made from; one that SMOTE mixed of two, for that
      of the nearer one.
    - The interval of an inflation is paired: in every replicate the same resampled
      participants make up both sides, those reported on and those untouched.
    - Participants are trained on in one fold and untouched in another, as in any
      cross-validation. Within a fold nobody untouched is trained on, validated on,
      resampled or reported on.

    Examples
    --------
    One approach, with a tiny network that is hardly trained:

    >>> from glomclf import GlomeruliClassifier, make_glomeruli
    >>> from glomclf.model.approaches import APPROACHES, compare_approaches
    >>> X, y, groups = make_glomeruli(
    ...     96, n_participants=16, image_size=32, serial_sections=True, random_state=0
    ... )
    >>> tiny = GlomeruliClassifier(
    ...     backbone="cnn", weights=None, image_size=32, epochs=1
    ... )
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
    faults = _setting_faults(
        estimator, approaches, n_folds, n_repeats, test_size, n_bootstrap
    )
    labels, participants = _checked(X, y, groups, faults)
    folds = _draw_folds(
        labels, participants, n_folds, n_repeats, check_random_state(random_state)
    )
    _check_splits(labels, participants, folds, test_size, estimator)
    everything = _load(X, labels, participants, estimator)
    settings = {
        "n_samples": len(labels),
        "n_participants": len(np.unique(participants)),
        "n_folds": n_folds,
        "n_repeats": n_repeats,
        "test_size": test_size,
    }
    done = ApproachComparison(
        approaches=(),
        evaluations={},
        inflations={},
        predictions=pd.DataFrame(),
        settings=settings,
    )
    total = len(approaches) * len(folds)
    with progress("Comparing approaches", total, enabled=bool(verbose)) as advance:
        for approach in approaches:
            tables = []
            for number, fold in enumerate(folds):
                advance(0, note=approach.title)
                table = _run(approach, estimator, everything, fold, test_size)
                tables.append(table.assign(fold=number))
                advance()
            done = _extended(done, approach, pd.concat(tables), n_bootstrap)
            if after_each is not None:
                after_each(done)
    return done


@dataclass(frozen=True)
class _Rows:
    """Patches, real or made."""

    images: NDArray[np.uint8]
    labels: NDArray[np.intp]
    participants: NDArray[np.str_]
    origins: NDArray[np.intp]  # the row of X that it is, or was made from
    synthetic: NDArray[np.bool_]

    def take(self, rows: NDArray[np.intp]) -> _Rows:
        return _Rows(**{name: one[rows] for name, one in vars(self).items()})


@dataclass(frozen=True)
class _Fold:
    rest: NDArray[np.intp]
    untouched: NDArray[np.intp]
    seed: int


def _checked(
    X: Any, y: ArrayLike, groups: ArrayLike | None, faults: list[str]
) -> tuple[NDArray[np.intp], NDArray[np.str_]]:
    """Return labels and participants, or list all that stands against them."""
    labels = np.asarray(y)
    groups = participants_of(X) if groups is None else groups
    faults = [*faults, *_label_faults(_num_samples(X), labels)]
    if groups is None:
        faults.append(
            "the participants are not known: pass groups, one entry a row, or an X "
            "that is a DataFrame with a column 'participant'"
        )
    else:
        faults += _participant_faults(labels, np.asarray(groups, dtype=object))
    if faults:
        raise SplitError("Approaches cannot be compared:\n  " + "\n  ".join(faults))
    return labels.astype(np.intp), np.asarray(groups).astype(str)


def _label_faults(n_samples: int, labels: NDArray[Any]) -> list[str]:
    if labels.shape != (n_samples,):
        return [f"y has shape {labels.shape}, and X has {n_samples} rows"]
    found = pd.unique(pd.Series(labels))
    if np.isin(labels, (0, 1)).all() and len(found) == 2:
        return []
    shown = ", ".join(sorted(map(str, found)))
    return [f"y must hold labels 0 and 1, both; got {shown}"]


def _participant_faults(
    labels: NDArray[Any], participants: NDArray[np.object_]
) -> list[str]:
    if participants.shape != labels.shape:
        return [f"groups has shape {participants.shape}, and y {labels.shape}"]
    if n_unknown := int(pd.isna(participants).sum()):
        return [f"groups lacks the participant of {n_unknown} rows"]
    carriers = pd.Series(participants).groupby(labels).nunique()
    return [
        f"class {label} is found in {n} participants; it takes {_LEAST_CARRIERS} of "
        "each class at least, for untouched, test, validation and training rows"
        for label, n in carriers.items()
        if n < _LEAST_CARRIERS
    ]


def _setting_faults(
    estimator: Any,
    approaches: Sequence[Approach],
    n_folds: Any,
    n_repeats: Any,
    test_size: Any,
    n_bootstrap: Any,
) -> list[str]:
    faults = settings_faults(n_bootstrap, _CONFIDENCE)
    for name, value, least in (("n_folds", n_folds, 2), ("n_repeats", n_repeats, 1)):
        if not isinstance(value, Integral) or value < least:
            faults.append(
                f"{name} must be an integer of at least {least}, got {value!r}"
            )
    if not isinstance(test_size, float) or not 0 < test_size < 1:
        faults.append(f"test_size must be a float in (0, 1), got {test_size!r}")
    names = [one.name for one in approaches]
    if not names or len(set(names)) < len(names):
        faults.append(f"approaches must be some, with names of their own; got {names}")
    if not isinstance(estimator, GlomeruliClassifier):
        faults.append(f"estimator must be a GlomeruliClassifier, got {estimator!r}")
    elif estimator.sampling_space == "features":
        faults.append(
            'estimator has sampling_space="features", but the approaches resample '
            'images; pass sampling_space="pixels"'
        )
    return faults


def _draw_folds(
    labels: NDArray[np.intp],
    participants: NDArray[np.str_],
    n_folds: int,
    n_repeats: int,
    rng: np.random.RandomState,
) -> list[_Fold]:
    """Deal participants into folds, each of them untouched once a repeat."""
    splitter = RepeatedStratifiedGroupKFold(n_folds, n_repeats, random_state=rng)
    sides = list(splitter.split(labels, labels, participants))
    seeds = rng.randint(2**31 - 1, size=len(sides)).tolist()
    return [_Fold(*two, seed) for two, seed in zip(sides, seeds, strict=True)]


def _check_splits(
    labels: NDArray[np.intp],
    participants: NDArray[np.str_],
    folds: list[_Fold],
    test_size: float,
    estimator: GlomeruliClassifier,
) -> None:
    """See before any training that each fold allows to split by participant."""
    sizes = [test_size]
    fraction = share_set_aside(estimator)
    if fraction is not None:
        sizes.append(fraction)
    faults = []
    for number, fold in enumerate(folds):
        rows = fold.rest
        try:
            for size in sizes:
                train, _ = _split(labels[rows], participants[rows], size, fold.seed)
                rows = rows[train]
        except SplitError as error:
            faults.append(f"fold {number}: {error}")
    if faults:
        raise SplitError(
            "There are too few participants to split by participant:\n  "
            + "\n  ".join(faults)
        )


def _split(
    labels: NDArray[np.intp],
    participants: NDArray[np.str_] | None,
    size: float,
    seed: int,
) -> list[NDArray[np.intp]]:
    """Split a stratified set off: of whole participants, or of rows."""
    options: dict[str, Any] = {"test_size": size, "random_state": seed}
    if participants is None:
        splits = StratifiedShuffleSplit(1, **options).split(labels, labels)
    else:
        grouped = StratifiedGroupShuffleSplit(1, **options)
        splits = grouped.split(labels, labels, participants)
    return list(next(splits))


def _load(
    X: Any,
    labels: NDArray[np.intp],
    participants: NDArray[np.str_],
    estimator: GlomeruliClassifier,
) -> _Rows:
    """Read all images, once for all approaches."""
    loader = ImageLoader(
        estimator.image_size,
        resize=estimator.resize,
        n_jobs=estimator.n_jobs,
        cache_dir=estimator.cache_dir,
    )
    images = loader.fit(X).transform(X)
    synthetic = np.zeros(len(labels), dtype=bool)
    return _Rows(images, labels, participants, np.arange(len(labels)), synthetic)


def _run(
    approach: Approach,
    estimator: GlomeruliClassifier,
    everything: _Rows,
    fold: _Fold,
    test_size: float,
) -> pd.DataFrame:
    """Run one approach on all but the untouched, then judge its test set and them."""
    rest = everything.take(fold.rest)
    model = clone(estimator).set_params(
        sampler=approach.sampler, random_state=fold.seed, verbose=0
    )
    if approach.resamples_first:
        rest = _resample_before_the_split(rest, approach.sampler, fold.seed)
        model.set_params(sampler=None)
    known = rest.participants if approach.by_participant else None
    sides = _split(rest.labels, known, test_size, fold.seed)
    train, test = (rest.take(rows) for rows in sides)
    # Without groups, the classifier sets validation rows aside by patch as well.
    groups = train.participants if approach.by_participant else None
    model.fit(train.images, train.labels, groups=groups)
    judged = {"reported": test, "untouched": everything.take(fold.untouched)}
    tables = [
        _predicted(model, rows, train).assign(part=part)
        for part, rows in judged.items()
    ]
    return pd.concat(tables).assign(approach=approach.name)


def _predicted(model: GlomeruliClassifier, rows: _Rows, train: _Rows) -> pd.DataFrame:
    """Put predictions beside what the model knew of each row."""
    return pd.DataFrame(
        {
            "row": rows.origins,
            "participant": rows.participants,
            "label": rows.labels,
            "probability": model.predict_proba(rows.images)[:, 1],
            "threshold": model.threshold_,
            "synthetic": rows.synthetic,
            "kin_trained_on": np.isin(rows.origins, train.origins),
            "participant_trained_on": np.isin(rows.participants, train.participants),
        }
    )


def _resample_before_the_split(rows: _Rows, sampler: str, seed: int) -> _Rows:
    """Resample all rows, those to be tested included: the leak of approach 1.

    Only for `_run`, which measures what comes of it.
    """
    images, labels = rows.images, rows.labels
    parents, synthetic = np.arange(len(labels)), np.zeros(len(labels), dtype=bool)
    chain = make_sampler(sampler)
    for place, step in enumerate(getattr(chain, "samplers", [chain])):
        one = make_sampler(step, random_state=(seed + place) % 2**32)
        new_images, new_labels = one.fit_resample(images, labels)
        of_step = _parents(one, images, labels, new_images, new_labels)
        parents = parents[of_step]
        synthetic = synthetic[of_step] | (one.source_indices_ < 0)
        images, labels = new_images, new_labels
    return _Rows(
        images, labels, rows.participants[parents], rows.origins[parents], synthetic
    )


def _parents(
    sampler: Any,
    images: NDArray[np.uint8],
    labels: NDArray[np.intp],
    new_images: NDArray[np.uint8],
    new_labels: NDArray[np.intp],
) -> NDArray[np.intp]:
    """Name for each new row the row it is, was transformed from, or mostly mixed of."""
    if hasattr(sampler, "parent_indices_"):
        return sampler.parent_indices_
    parents = sampler.source_indices_.copy()
    # Leaving pixels out is linear, so that a mixture of images stays one.
    step = max(1, images.shape[1] // _THUMBNAIL)
    old, new = (
        rows[:, ::step, ::step].reshape(len(rows), -1) for rows in (images, new_images)
    )
    for label in np.unique(new_labels[parents < 0]):
        made = np.flatnonzero((parents < 0) & (new_labels == label))
        candidates = np.flatnonzero(labels == label)
        nearest = pairwise_distances_argmin(
            new[made].astype(np.float32), old[candidates].astype(np.float32)
        )
        parents[made] = candidates[nearest]
    return parents


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
    leading = ["approach", "fold", "part"]
    order = [*leading, *table.columns.drop(leading)]
    return ApproachComparison(
        approaches=(*done.approaches, approach),
        evaluations={**done.evaluations, approach.name: evaluations},
        inflations={**done.inflations, approach.name: inflation},
        predictions=pd.concat([done.predictions, table[order]], ignore_index=True),
        settings=done.settings,
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
        _strata(parts["untouched"]),
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


def _strata(untouched: pd.DataFrame) -> NDArray[np.intp]:
    """Sort participants by which classes they have: 0 only, 1 only, or both."""
    by_participant = untouched.groupby("participant")["label"]
    return (by_participant.max() * (1 + (by_participant.nunique() == 2))).to_numpy()
