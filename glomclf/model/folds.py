"""Predictions of rows that the predicting classifier has not seen, fold by fold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state
from sklearn.utils.validation import column_or_1d, has_fit_parameter

from .._runtime import headed, progress
from ..data.labels import check_weights, positive_class
from ..data.participants import participants_of
from ..data.splitting import fold_splitter
from ..errors import LeakageError, SplitError
from .pipeline import weight_parameter
from .rows import Rows

Split = tuple[NDArray[np.intp], NDArray[np.intp]]
_N_INNER = 5


class FittedFold(NamedTuple):
    """A classifier that one fold's training rows made, and what it says of the others.

    Parameters
    ----------
    fold : int
        From 0.
    test : ndarray of int
        Places of the rows that were left out.
    model : classifier
        Fitted on the training rows.
    probability : ndarray of shape (n_test,), float64 in [0, 1]
        Of the positive class, for the test rows.
    """

    fold: int
    test: NDArray[np.intp]
    model: Any
    probability: NDArray[np.float64]


def fit_folds(
    models: Iterable[Any],
    rows: Rows,
    splits: Sequence[Split],
    *,
    pos_label: Any = None,
    verbose: int = 0,
    doing: str = "cross-validation",
    **given: Any,
) -> Iterator[FittedFold]:
    """Fit one classifier a fold, and predict the rows that it has not seen.

    Parameters
    ----------
    models : iterable of classifiers
        One a fold; they are cloned. Those whose ``fit`` takes ``groups`` are given the
        participants of their training rows.
    rows : Rows
    splits : sequence of (train, test)
        Places of rows.
    pos_label : int, str or bool, default=None
        Label of the positive class; None is 1, if it is among the labels.
    verbose : int, default=0
        1 shows a bar of folds on standard error. 0 leaves the bars to the classifiers;
        each is headed by its fold.
    doing : str
        What the folds are for; for the bar.
    **given
        For each ``fit`` that takes it.

    Yields
    ------
    FittedFold

    Raises
    ------
    ParameterError
        If there are weights, and a classifier takes none.
    """
    classes, everyone = np.unique(rows.y), np.arange(len(rows.y))
    positive = classes.tolist().index(positive_class(classes, pos_label))
    with progress(doing, len(splits), enabled=verbose > 0) as advance:
        for fold, (model, sides) in enumerate(zip(models, splits, strict=False)):
            train, test = rows.take(everyone[sides[0]]), everyone[sides[1]]
            known = {"groups": train.groups, "pos_label": pos_label, **given}
            taken = {k: v for k, v in known.items() if has_fit_parameter(model, k)}
            if train.weight is not None:
                taken[weight_parameter(model)] = train.weight
            with headed(f"fold {fold + 1} of {len(splits)}: "):
                fitted = clone(model).fit(train.X, train.y, **taken)
                probability = fitted.predict_proba(rows.take(test).X)[:, positive]
            yield FittedFold(fold, test, fitted, probability)
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
    labels, participants = column_or_1d(y), participants_of(X, groups)
    rows = Rows(X, labels, participants, check_weights(sample_weight, labels))
    splits = splits_of(cv, labels, participants, random_state)
    options = {"pos_label": pos_label, "verbose": verbose}
    tables = []
    for one in fit_folds(repeat(estimator), rows, splits, **options):
        told = {"row": one.test, "fold": one.fold, "probability": one.probability}
        threshold = getattr(one.model, "threshold_", 0.5)
        tables.append(pd.DataFrame({**told, "threshold": threshold}))
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
    owners, unit = (rows, "rows") if groups is None else (groups, "participants")
    for fold, (train, test) in enumerate(splits):
        if absent := np.setdiff1d(y, y[train]).tolist():
            faults.append(f"the training rows of fold {fold} have no {absent}")
        if shared := np.intersect1d(owners[train], owners[test]).tolist():
            named = ", ".join([*map(str, shared[:5]), *["..."] * (len(shared) > 5)])
            leaks.append(
                f"{len(shared)} {unit} are on both sides of fold {fold}: {named}"
            )
    if leaks:
        raise LeakageError("The folds leak: " + "; ".join(leaks) + ".")
    tested = np.concatenate([rows[test] for _, test in splits])
    times = np.bincount(tested, minlength=len(y))
    faults += [
        f"{(times == n).sum()} rows are left out by {n} folds"
        for n in np.unique(times[times != 1])
    ]
    if faults:
        raise SplitError(
            f"These {len(splits)} folds do not serve: {'; '.join(faults)}. Each row "
            "must be left out by one fold, and each training side have both classes: "
            "pass an int, or a splitter such as StratifiedGroupKFold."
        )


def splits_of(
    cv: Any, y: NDArray[Any], groups: NDArray[Any] | None, random_state: Any = None
) -> list[Split]:
    """Return the folds; those of an int are shuffled and respect participants."""
    if isinstance(cv, Integral):
        cv = fold_splitter(int(cv), groups, check_random_state(random_state))
    return list(check_cv(cv).split(np.arange(len(y)), y, groups))


def inner_folds(
    y: NDArray[Any], groups: NDArray[Any] | None, random_state: Any, *, chosen: str
) -> list[Split]:
    """Cut as many folds as the rarer class has participants, at most five.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels of two classes.
    groups : ndarray of shape (n_samples,) or None
        Participants; without them folds are by row.
    random_state : int, RandomState instance or None
        Seeds the folds.
    chosen : str
        What is chosen on them, for the error: "threshold".

    Returns
    -------
    list of (train, held_out)

    Raises
    ------
    SplitError
        If there are too few participants for two folds with both classes.
    """
    owners = np.arange(len(y)) if groups is None else groups
    fewest = min(len(np.unique(owners[y == label])) for label in np.unique(y))
    if fewest < 2:
        raise SplitError(
            f"a {chosen} is chosen on at least two participants (rows, where they are "
            f"not known) of each class, got {fewest}. Give a number as {chosen}, or "
            "more participants."
        )
    return splits_of(min(_N_INNER, fewest), y, groups, random_state)
