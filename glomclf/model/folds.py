"""Predictions of rows that the predicting classifier has not seen, fold by fold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import column_or_1d, has_fit_parameter

from .._runtime import headed, progress
from ..data.labels import check_weights, positive_class
from ..data.participants import participants_of
from ..data.splitting import fold_splitter
from ..errors import LeakageError, SplitError
from .pipeline import weight_parameter

__all__ = ["FittedFold", "fit_folds", "predict_folds", "refuse_unfit_folds"]

Split = tuple[NDArray[np.intp], NDArray[np.intp]]


class FittedFold(NamedTuple):
    """A classifier that one fold's training rows made, and what it says of the others.

    Parameters
    ----------
    fold : int
        From 0.
    train, test : ndarray of int
        Places of the rows in ``X``.
    model : classifier
        Fitted on the training rows.
    probability : ndarray of shape (n_test,), float64 in [0, 1]
        Of the positive class, for the test rows.
    """

    fold: int
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    model: Any
    probability: NDArray[np.float64]


def fit_folds(
    models: Iterable[Any],
    X: Any,
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    splits: Sequence[Split],
    *,
    pos_label: Any = None,
    sample_weight: NDArray[Any] | None = None,
    verbose: int = 0,
) -> Iterator[FittedFold]:
    """Fit one classifier a fold, and predict the rows that it has not seen.

    Parameters
    ----------
    models : iterable of classifiers
        Not fitted, one a fold. Those whose ``fit`` takes ``groups`` are given the
        participants of their training rows.
    X : DataFrame, array-like of paths, or ndarray
        Rows.
    y : ndarray of shape (n_samples,)
        Labels of two classes.
    groups : ndarray of shape (n_samples,) or None
        Participants.
    splits : sequence of (train, test)
        Places of rows.
    pos_label : int, str or bool, default=None
        Label of the positive class; None is 1, if it is among the labels.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weights of rows, for ``fit``.
    verbose : int, default=0
        1 shows a bar of folds on standard error. 0 leaves the bars to the classifiers;
        each is headed by its fold.

    Yields
    ------
    FittedFold

    Raises
    ------
    ParameterError
        If there are weights, and a classifier takes none.
    """
    rows, classes = np.arange(len(y)), np.unique(y)
    positive = classes.tolist().index(positive_class(classes, pos_label))
    with progress("cross-validation", len(splits), enabled=verbose > 0) as advance:
        for fold, (model, split) in enumerate(zip(models, splits, strict=True)):
            train, test = (rows[side] for side in split)
            given = {"pos_label": pos_label}
            given |= {} if groups is None else {"groups": groups[train]}
            taken = {k: v for k, v in given.items() if has_fit_parameter(model, k)}
            if sample_weight is not None:
                taken[weight_parameter(model)] = sample_weight[train]
            with headed(f"fold {fold + 1} of {len(splits)}: "):
                model.fit(_safe_indexing(X, train), y[train], **taken)
                probability = model.predict_proba(_safe_indexing(X, test))[:, positive]
            yield FittedFold(fold, train, test, model, probability)
            advance()


def predict_folds(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    cv: Any = 5,
    pos_label: Any = None,
    sample_weight: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
) -> pd.DataFrame:
    """Fit a classifier on each training fold, and predict the fold left out.

    Unlike scikit-learn's ``cross_val_predict`` it keeps the threshold that each fold's
    classifier chose, gives ``groups`` to the folds and to ``fit``, and takes splitters
    that test a row more than once.

    Parameters
    ----------
    estimator : GlomeruliClassifier
        Or another classifier; where its ``fit`` takes ``groups``, it is given those of
        the training rows. It is cloned.
    X : DataFrame, array-like of paths, or ndarray
        As in ``estimator.fit``.
    y : array-like of shape (n_samples,)
        Labels of two classes.
    groups : array-like of shape (n_samples,), default=None
        Participant of each row; by default the column ``participant`` of ``X``.
    cv : int, splitter, or iterable of (train, test), default=5
        An int gives stratified folds by participant where these are known, by row
        where not.
    pos_label : int, str or bool, default=None
        Label of the positive class; None is 1, if it is among the labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows, for ``fit``.
    random_state : int, RandomState instance or None, default=None
        Shuffles the folds of an int.
    verbose : int, default=0
        1 shows a bar of folds on standard error.

    Returns
    -------
    DataFrame
        One row a prediction: ``row`` (place in ``X``), ``fold``, ``probability`` of the
        positive class, and ``threshold``, the ``threshold_`` of the fold's classifier
        (0.5 if it has none).

    Examples
    --------
    >>> from glomclf import make_classifier, make_glomeruli
    >>> from glomclf.evaluation import evaluate
    >>> from glomclf.model import predict_folds
    >>> X, y, groups = make_glomeruli(
    ...     60, n_participants=12, sclerotic_fraction=0.3, image_size=32, random_state=0
    ... )
    >>> classifier = make_classifier(
    ...     "features",
    ...     network__backbone="cnn",
    ...     network__weights=None,
    ...     network__epochs=2,
    ...     image_size=32,
    ...     random_state=0,
    ... )
    >>> table = predict_folds(
    ...     classifier, X, y, groups=groups, cv=2, random_state=0
    ... )
    >>> result = evaluate(
    ...     y[table.row], table.probability, groups=groups[table.row],
    ...     threshold=table.threshold,
    ... )
    >>> result.n_samples
    60
    """
    labels = column_or_1d(y)
    participants = participants_of(X, groups)
    splits = list(_splits(cv, labels, participants, random_state))
    models = (clone(estimator) for _ in splits)
    tables = [
        pd.DataFrame(
            {
                "row": one.test,
                "fold": one.fold,
                "probability": one.probability,
                "threshold": getattr(one.model, "threshold_", 0.5),
            }
        )
        for one in fit_folds(
            models,
            X,
            labels,
            participants,
            splits,
            pos_label=pos_label,
            sample_weight=check_weights(sample_weight, labels),
            verbose=verbose,
        )
    ]
    return pd.concat(tables, ignore_index=True)


def refuse_unfit_folds(
    splits: Sequence[Split], y: NDArray[Any], groups: NDArray[Any] | None
) -> None:
    """Refuse folds that do not give every row one prediction by a model blind to it.

    Parameters
    ----------
    splits : sequence of (train, test)
        Places of rows.
    y : ndarray of shape (n_samples,)
        Labels of two classes.
    groups : ndarray of shape (n_samples,) or None
        Participants.

    Raises
    ------
    SplitError
        If a row is left out by no fold or by several, or a training side lacks a
        class. It names every fault.
    LeakageError
        If a row or a participant is on both sides of a fold.
    """
    rows, faults, leaks = np.arange(len(y)), [], []
    times_tested = np.zeros(len(y), dtype=int)
    owners = rows if groups is None else groups
    unit = "rows" if groups is None else "participants"
    for fold, (train, test) in enumerate(splits):
        np.add.at(times_tested, rows[test], 1)
        absent = np.setdiff1d(y, y[train])
        if len(absent):
            faults.append(f"the training rows of fold {fold} have no {absent.tolist()}")
        shared = np.intersect1d(owners[train], owners[test])
        if len(shared):
            named = ", ".join(map(str, shared[:5]))
            more = ", ..." if len(shared) > 5 else ""
            leaks.append(
                f"{len(shared)} {unit} are on both sides of fold {fold}: {named}{more}"
            )
    if leaks:
        raise LeakageError("The folds leak: " + "; ".join(leaks) + ".")
    for n_times in sorted(set(times_tested) - {1}):
        faults.append(
            f"{(times_tested == n_times).sum()} rows are left out by {n_times} folds"
        )
    if faults:
        raise SplitError(
            f"These {len(splits)} folds do not serve: {'; '.join(faults)}. Each row "
            "must be left out by one fold, and each training side have both classes: "
            "pass an int, or a splitter such as StratifiedGroupKFold."
        )


def _splits(
    cv: Any,
    y: np.ndarray,
    groups: np.ndarray | None,
    random_state: int | np.random.RandomState | None,
) -> Iterable[Split]:
    """Return the folds; those of an int are shuffled and respect participants."""
    if isinstance(cv, Integral):
        cv = fold_splitter(int(cv), groups, check_random_state(random_state))
    return check_cv(cv).split(np.arange(len(y)), y, groups)
