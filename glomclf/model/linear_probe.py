"""LinearProbe: logistic regression on features, its strength chosen by participant."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from ..data.labels import check_weights, encode_labels, row_weights
from .folds import inner_folds
from .rows import Rows


class LinearProbe(ClassifierMixin, BaseEstimator):
    """Logistic regression on standardized features, its `C` chosen inside.

    Each value of `C` is judged on the log loss of predictions for rows whose
    participants were not trained on: by up to five folds of the training rows, in each
    of which features are standardized anew. The best one is fitted to all rows.

    Parameters
    ----------
    C : float or sequence of float, default=(1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
        Inverse strength of the L2 penalty, greater than 0. One number is taken as it
        is; of several the best one is chosen.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, in the fit and in the log loss.
    random_state : int, RandomState instance or None, default=None
        Seeds the folds.

    Attributes
    ----------
    C_ : float
        The value chosen, or given.
    log_loss_ : ndarray of shape (n_values,)
        Of each value of `C`; empty where one number is given. Not in a model file.
    classes_ : ndarray of shape (2,)
        The two labels, sorted.
    coef_ : ndarray of shape (n_features,)
        Weights of the features as they are given, not of standardized ones.
    intercept_ : float
    n_features_in_ : int
        Number of features seen in ``fit``.

    See Also
    --------
    sklearn.linear_model.LogisticRegressionCV : Has neither the participants of a fit
        within another nor a scaler within its folds.

    Notes
    -----
    This is the usual first test of an encoder [1]_.

    References
    ----------
    .. [1] Alain & Bengio (2017), "Understanding intermediate layers using linear
       classifier probes".

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.model import LinearProbe
    >>> rng = np.random.default_rng(0)
    >>> groups, y = np.repeat(np.arange(20), 5), np.tile([0, 0, 0, 1, 1], 20)
    >>> X = rng.normal(size=(100, 8)) + y[:, None]
    >>> probe = LinearProbe(random_state=0).fit(X, y, groups=groups)
    >>> probe.C_, probe.predict_proba(X).shape
    (1.0, (100, 2))
    """

    _parameter_constraints = {  # noqa: RUF012
        "C": [Interval(Real, 0, None, closed="neither"), list, tuple],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        C=(1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0),
        *,
        class_weight=None,
        random_state=None,
    ):
        self.C = C
        self.class_weight = class_weight
        self.random_state = random_state

    @property
    def _chooses(self) -> bool:
        return not isinstance(self.C, Real)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, groups=None, sample_weight=None):
        """Choose `C` on folds of the rows, then fit all of them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Labels of two classes.
        groups : array-like of shape (n_samples,), default=None
            Participant of each row; without them folds are by row.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of rows, at least 0: in the standardization, the fit and the log
            loss.

        Returns
        -------
        self

        Raises
        ------
        SplitError
            If there are too few participants to choose on.
        ParameterError
            If weights of classes are not greater than 0.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        groups = None if groups is None else np.asarray(groups)
        given = check_weights(sample_weight, y)
        self.classes_, codes = encode_labels(y)
        total = row_weights(self, y, given)
        rows = Rows(X, codes, groups, np.ones(len(y)) if total is None else total)
        # Products this small are slower on several threads.
        with threadpool_limits(1, user_api="blas"):
            self.C_, self.log_loss_ = self._choose(rows, given)
            lines = _lines(rows, given, np.arange(len(X)), [self.C_])
        ((self.coef_, self.intercept_),) = lines
        return self

    def _choose(self, rows: Rows, given: Any) -> tuple[float, NDArray[np.float64]]:
        """Return the value with the lowest log loss, and the log loss of each."""
        if not self._chooses:
            return float(self.C), np.empty(0)
        decision = np.empty((len(rows.y), len(self.C)))
        for train, aside in inner_folds(*rows[1:3], self.random_state, chosen="C"):
            lines = _lines(rows, given, train, self.C)
            for place, (coef, intercept) in enumerate(lines):
                decision[aside, place] = rows.X[aside] @ coef + intercept
        losses = [
            log_loss(rows.y, expit(column), sample_weight=rows.weight)
            for column in decision.T
        ]
        return float(self.C[int(np.argmin(losses))]), np.array(losses)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Give the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, 2), float64 in [0, 1]
            Columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        rows: NDArray[Any] = validate_data(self, X, reset=False, dtype=np.float64)
        positive = expit(rows @ self.coef_ + self.intercept_)
        return np.column_stack([1 - positive, positive])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Give the more probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        probability = self.predict_proba(X)
        return self.classes_[np.argmax(probability, axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def _lines(
    rows: Rows, given: NDArray[Any] | None, train: NDArray[np.intp], costs: Any
) -> list[tuple[NDArray[np.float64], float]]:
    """Fit some rows with each cost; give weights of features as they are.

    Standardization knows no classes: its weights are those `given`, which those of
    `rows` are times the weights of classes.
    """
    X, y, _, weight = rows.take(train)
    scaler = StandardScaler()
    scaler.fit(X, sample_weight=None if given is None else given[train])
    standardized, lines = scaler.transform(X), []
    for C in costs:
        # As exact as a float64 allows: a probability must not hang on which engine
        # computed the features.
        model = LogisticRegression(C=C, tol=1e-7, max_iter=10_000)
        model.fit(standardized, y, sample_weight=weight)
        coef = model.coef_[0] / scaler.scale_
        lines.append((coef, float(model.intercept_[0] - coef @ scaler.mean_)))
    return lines
