"""FoldEnsembleClassifier: the models of a cross-validation, kept and averaged."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import _fit_context, clone
from sklearn.utils import check_random_state, get_tags, indexable
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.random import sample_without_replacement
from sklearn.utils.validation import check_consistent_length, column_or_1d

from ..data.labels import check_weights
from ..data.participants import participants_of
from ..errors import ParameterError
from ..evaluation.evaluation import evaluate
from ..evaluation.thresholds import choose_threshold, cross_fitted_thresholds
from .binary import BinaryClassifier
from .checks import THRESHOLD_CONSTRAINT, chooses_threshold
from .classifier import GlomeruliClassifier
from .ensemble_parts import ensemble_from_parts, ensemble_to_parts
from .folds import fit_folds, refuse_unfit_folds, splits_of
from .known_people import forget_fit, keep_record
from .rows import Rows, record_of
from .threshold import ChosenThreshold


class FoldEnsembleClassifier(BinaryClassifier):
    """Average one classifier a fold, and keep what each says of the rows it never saw.

    The training rows of every fold fit one member; no row and no participant of the
    fold itself is among them. New images get the mean of all members' probabilities.
    The rows trained on get the probability of the one member that did not see them,
    so that all data are trained on, and all are judged as well.

    Parameters
    ----------
    estimator : GlomeruliClassifier or None, default=None
        Cloned for each member; None is ``GlomeruliClassifier()``. Another classifier
        of two classes with ``predict_proba`` serves too, but cannot be saved. Its
        ``threshold`` stays at 0.5: the mean is cut, not the members.
    cv : int, splitter or list of (train, test), default=5
        The folds; each row is left out by one of them. An int gives shuffled,
        stratified folds by participant where participants are known, by row where
        not.
    threshold : float in [0, 1], "f1" or RecallAtLeast, default=0.5
        Mean probability from which the positive class is predicted. ``"f1"`` and
        :class:`RecallAtLeast` choose it on the out-of-fold probabilities of all rows.
        See :func:`glomclf.evaluation.choose_threshold`.
    random_state : int, RandomState instance or None, default=None
        Shuffles the folds of an int and then seeds the members: each gets a seed of
        its own in place of the estimator's ``random_state``.
    verbose : int, default=0
        1 shows a bar of folds on standard error, and silences the members. With 0 they
        show the bars that the estimator's own ``verbose`` asks for, each headed by its
        fold.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The two labels, sorted.
    pos_label_ : int, str or bool
        The label of the positive class.
    estimators_ : list of classifiers
        The members, one a fold, in the order of the folds.
    oof_probability_ : ndarray of shape (n_samples,), float64 in [0, 1]
        Of the positive class, for each row of ``fit``, by the member that did not see
        it.
    oof_fold_ : ndarray of shape (n_samples,), int
        The fold that left the row out, which is the place of that member.
    oof_threshold_ : ndarray of shape (n_samples,), float64
        Threshold at which the row is judged: the given one or, where one is
        chosen, that chosen on the rows of the other folds.
    oof_evaluation_ : glomclf.evaluation.evaluation.Evaluation
        Scores of the out-of-fold probabilities at ``oof_threshold_``, with intervals
        over participants. No file keeps what begins with ``oof_``.
    out_of_fold_record_ : glomclf.evaluation.OutOfFoldRecord
        For :func:`glomclf.evaluation.summarize_biopsies`; only with ``groups``. A file
        keeps it.
    threshold_ : float
        Threshold that ``predict`` uses.
    training_record_ : dict
        Numbers of rows, participants and members, rows of each class, and on how many
        rows of which kind the threshold was chosen.
    recalibration_ : glomclf.model.Recalibration
        Only after ``recalibrate``.
    n_features_in_, feature_names_in_
        Those of the members, where they have them.

    See Also
    --------
    glomclf.model.predict_folds : The same predictions, without keeping the models.
    sklearn.ensemble.BaggingClassifier : Members on rows drawn with replacement.

    Notes
    -----
    The out-of-fold scores estimate what *one* member is worth on new participants, not
    the mean of all. The Brier score of the mean is at most the mean of its members'
    [1]_. Other scores of single members are mostly a little too low for the ensemble as
    well, but nothing guarantees that. Only participants whom no member has seen tell
    what the ensemble itself is worth.

    A threshold that is chosen looks too good on the rows that chose it. So each fold is
    judged at the threshold of the other folds (:func:`.cross_fitted_thresholds`).

    Members share the features that are kept on disk (``cache_dir``).

    References
    ----------
    .. [1] Krogh A, Vedelsby J. Neural network ensembles, cross validation, and active
       learning. Advances in Neural Information Processing Systems 1995;7:231-238.

    Examples
    --------
    >>> from glomclf import FoldEnsembleClassifier, make_classifier, make_glomeruli
    >>> X, y, groups = make_glomeruli(
    ...     60, n_participants=12, sclerotic_fraction=0.3, image_size=32, random_state=0
    ... )
    >>> classifier = make_classifier(
    ...     "features",
    ...     network__backbone="cnn",
    ...     network__weights=None,
    ...     network__epochs=2,
    ...     image_size=32,
    ... )
    >>> ensemble = FoldEnsembleClassifier(classifier, cv=3, random_state=0)
    >>> ensemble.fit(X, y, groups=groups).predict_proba(X).shape
    (60, 2)
    >>> len(ensemble.estimators_), ensemble.oof_evaluation_.n_samples
    (3, 60)
    """

    _parameter_constraints = {  # noqa: RUF012
        "estimator": [None, HasMethods(["fit", "predict_proba"])],
        "cv": [
            Interval(Integral, 2, None, closed="left"),
            HasMethods(["split", "get_n_splits"]),
            list,
        ],
        "threshold": THRESHOLD_CONSTRAINT,
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator=None,
        *,
        cv=5,
        threshold=0.5,
        random_state=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.cv = cv
        self.threshold = threshold
        self.random_state = random_state
        self.verbose = verbose

    # The estimator is validated by its own fit.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, groups=None, pos_label=None, sample_weight=None):
        """Fit one member a fold, and predict the rows that it has not seen.

        Parameters
        ----------
        X : DataFrame, array-like of paths, or ndarray
            As in the estimator's ``fit``: a DataFrame with ``path`` (and, where known,
            ``participant``), paths, or uint8 images in [0, 255] of shape
            (n_samples, height, width, 3).
        y : array-like of shape (n_samples,)
            Labels of two classes.
        groups : array-like of shape (n_samples,), default=None
            Participant of each row; by default the column ``participant`` of ``X``.
        pos_label : int, str or bool, default=None
            Label of the positive class; by default 1, if it is among the labels.
        sample_weight : array-like of shape (n_samples,), default=None
            For the members' ``fit``. Out-of-fold scores know no weights.

        Returns
        -------
        self
            The fitted ensemble.

        Raises
        ------
        SplitError
            If the participants do not allow the folds.
        LeakageError
            If a row or a participant is on both sides of a fold.
        ParameterError
            If the estimator has a threshold of its own, or no label is positive.
        """
        forget_fit(self)  # until this fit is done
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        (X,) = indexable(X)
        self._find_classes(y, pos_label)
        groups = participants_of(X, groups)
        self._refuse_own_threshold()
        rng = check_random_state(self.random_state)
        splits = splits_of(self.cv, y, groups, rng)
        refuse_unfit_folds(splits, y, groups)
        self._fit_members(
            Rows(X, y, groups, check_weights(sample_weight, y)), splits, rng
        )
        is_positive = (y == self.pos_label_).astype(int)
        chosen = self._choose_threshold(is_positive)
        self.threshold_ = float(chosen.value)
        judged_at = self.oof_threshold_ if chosen.n_samples else self.threshold_
        self.oof_evaluation_ = evaluate(
            is_positive, self.oof_probability_, groups=groups, threshold=judged_at
        )
        keep_record(self, is_positive, self.oof_probability_, groups)
        self.training_record_ = record_of(
            y, groups, n_members=len(self.estimators_), **chosen.record
        )
        return self

    def _probability(self, X):
        return np.mean([one.predict_proba(X) for one in self.estimators_], axis=0)

    _to_parts = ensemble_to_parts
    _from_parts: Any = classmethod(ensemble_from_parts)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._estimator()).input_tags
        return tags

    def _estimator(self):
        return GlomeruliClassifier() if self.estimator is None else self.estimator

    def _refuse_own_threshold(self):
        own = getattr(self._estimator(), "threshold", 0.5)
        if own != 0.5:
            raise ParameterError(
                f"estimator has threshold={own!r}, but the mean of all members is cut, "
                "not each of them. Leave the estimator's at 0.5, and give the "
                "threshold to the ensemble."
            )

    def _members(self, n_members, rng):
        """Clone the estimator, each time with another seed."""
        seeds = sample_without_replacement(2**31 - 2, n_members, random_state=rng)
        for seed in seeds.tolist():
            member = clone(self._estimator())
            own = {"random_state": seed, **({"verbose": 0} if self.verbose else {})}
            known = member.get_params(deep=False)
            yield member.set_params(**{k: v for k, v in own.items() if k in known})

    def _fit_members(self, rows, splits, rng):
        """Fit each member on its fold's training rows alone; predict the others."""
        self.estimators_ = []
        self.oof_probability_ = np.empty(len(rows.y))
        self.oof_fold_ = np.empty(len(rows.y), dtype=np.intp)
        members = self._members(len(splits), rng)
        options = {"pos_label": self.pos_label_, "verbose": self.verbose}
        for one in fit_folds(members, rows, splits, **options):
            self.estimators_.append(one.model)
            self.oof_probability_[one.test] = one.probability
            self.oof_fold_[one.test] = one.fold
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimators_[0], name):
                setattr(self, name, getattr(self.estimators_[0], name))

    def _choose_threshold(self, is_positive):
        """Take the given threshold, or choose it; that of each row on other folds."""
        if not chooses_threshold(self):
            self.oof_threshold_ = np.full(len(is_positive), float(self.threshold))
            return ChosenThreshold(self.threshold)
        self.oof_threshold_ = cross_fitted_thresholds(
            is_positive, self.oof_probability_, self.oof_fold_, self.threshold
        )
        value = choose_threshold(is_positive, self.oof_probability_, self.threshold)
        return ChosenThreshold(value, "out-of-fold predictions", len(is_positive))
