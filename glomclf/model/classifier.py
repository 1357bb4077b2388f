"""GlomeruliClassifier: images to classes, with nothing leaking."""

from __future__ import annotations

from numbers import Integral, Real
from pathlib import Path
from typing import Any

from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.validation import (
    check_consistent_length,
    column_or_1d,
    validate_data,
)

from ..data.labels import check_weights
from ..data.large_arrays import arrays_in
from ..data.participants import participants_of, refuse_shared_participants
from ..data.stain import NORMALIZER_NAMES, StainNormalizer
from ..data.store import resolve_cache_dir
from .binary import BinaryClassifier
from .checks import THRESHOLD_CONSTRAINT, refuse_contradictions, refuse_other_rows
from .classifier_parts import classifier_from_parts, classifier_to_parts
from .known_people import forget_fit
from .pipeline import (
    encoder_of,
    fit_pipeline,
    holds_features,
    make_pipeline,
    mean_over_views,
    network_of,
    seeds_of_fit,
    takes_features,
    takes_images,
    unfitted_pipeline,
)
from .rows import Rows, class_counts, record_of
from .threshold import choose_inside
from .validation import set_aside


class GlomeruliClassifier(BinaryClassifier):
    """Classify glomeruli as globally sclerotic (1) or not (0).

    Validation participants are set aside before anything is resampled. The other rows
    run through an imbalanced-learn pipeline: ``load`` (files to images), ``stain`` (to
    one stain), ``sample`` (training rows only), ``encode`` (images to features) and
    ``classify``. :func:`glomclf.make_classifier` makes one by a recipe.

    Parameters
    ----------
    sampler : None, str, sampler or list of samplers, default="smote+augment"
        ``"smote"``, ``"augment"``, ``"undersample"``, ``"oversample"`` or a chain of
        them with ``+``; any imbalanced-learn sampler; or a list run in order. See
        :func:`glomclf.samplers.make_sampler`.
    network : classifier or None, default=None
        What is trained. None is :class:`PatchClassifier`; any scikit-learn classifier
        with ``predict_proba`` serves that takes features.
    encoder : transformer or None, default=None
        What turns images into features. None is the frozen layers of `network`. Others
        are :class:`PatchEncoder`, :class:`OnnxEncoder`, or any transformer of images,
        uint8 of shape (n_samples, image_size, image_size, 3), to features.
    sampling_space : {"pixels", "features"}, default="pixels"
        Whether the sampler sees images or the encoder's output.
    image_size : int, default=224
        Side of the square images in pixels, at least 32.
    resize : {"pad", "stretch"}, default="pad"
        How an oblong patch becomes square. See :class:`ImageLoader`.
    stain_normalizer : None, str or StainNormalizer, default=None
        What brings every image to one stain before it is sampled: to a fixed one
        (``"fixed-reinhard"``, ``"fixed-density"``, ``"fixed-macenko"``), to that of the
        training images (``"reinhard"``, ``"density"``, ``"macenko"``), or a
        :class:`StainNormalizer`.
    predict_views : int in [1, 8], default=1
        Number of the eight ways to turn and mirror an image. Its probability is the
        mean over them. The threshold is chosen on such means too.
    validation_fraction : float in (0, 1) or None, default=None
        Share of the training participants (of the rows, where participants are not
        known) set aside. They are not trained on. None sets 0.15 aside where something
        is decided on them (`network__patience`, or a `threshold` that is chosen), else
        nobody.
    threshold : float in [0, 1], "f1" or RecallAtLeast, default=0.5
        Probability of the positive class from which it is predicted. ``"f1"`` chooses
        the one with the highest F1, :class:`RecallAtLeast` the most precise one that
        reaches a recall. It is chosen on training participants alone: on the
        validation participants where they are enough, else on the predictions of 5
        inner folds, which takes 5 further fits.
    cache_dir : path, None or False, default=None
        Folder where decoded files and features are kept, so that each image is computed
        once. None is the platform's cache folder; False keeps nothing.
    n_jobs : int or None, default=None
        Threads that decode files and transform images. Training takes all cores.
    random_state : int, RandomState instance or None, default=None
        Seeds the validation split, the sampler and the network.
    verbose : int, default=0
        1 shows bars on standard error.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The two labels, sorted.
    pos_label_ : int, str or bool
        The label of the positive class.
    pipeline_ : imblearn.pipeline.Pipeline
        The fitted steps.
    history_ : dict of str to list of float
        That of the network: ``loss`` and so on of every epoch. Empty for a network
        that keeps none.
    validation_indices_ : ndarray of int
        Rows of ``X`` that were set aside; empty where none were.
    threshold_ : float
        Threshold that ``predict`` uses.
    training_record_ : dict
        Rows, participants and validation rows, rows of each class before and after the
        sampler, rows that the threshold was chosen on; what the initial weights were.
    recalibration_ : glomclf.model.Recalibration
        Only after ``recalibrate``.

    See Also
    --------
    glomclf.FoldEnsembleClassifier : The mean of one such classifier a fold.

    Notes
    -----
    Participants come from ``groups`` or from a column ``participant`` of ``X``; then
    no participant is on both sides of the validation split. A ``random_state``,
    ``verbose`` or ``cache_dir`` that `network` or `encoder` leaves open is that of the
    classifier.

    Examples
    --------
    >>> from glomclf import GlomeruliClassifier, PatchClassifier, make_glomeruli
    >>> X, y, groups = make_glomeruli(
    ...     40, n_participants=8, sclerotic_fraction=0.3, image_size=32, random_state=0
    ... )
    >>> network = PatchClassifier("cnn", weights=None, epochs=2)
    >>> classifier = GlomeruliClassifier(network=network, image_size=32, random_state=0)
    >>> classifier.fit(X, y, groups=groups).predict_proba(X).shape
    (40, 2)
    """

    _parameter_constraints = {  # noqa: RUF012
        "sampler": [None, str, list, HasMethods("fit_resample")],
        "network": [None, HasMethods(["fit", "predict_proba"])],
        "encoder": [None, HasMethods(["fit", "transform"])],
        "sampling_space": [StrOptions({"pixels", "features"})],
        "image_size": [Interval(Integral, 32, None, closed="left")],
        "resize": [StrOptions({"pad", "stretch"})],
        "stain_normalizer": [None, StrOptions({*NORMALIZER_NAMES}), StainNormalizer],
        "predict_views": [Interval(Integral, 1, 8, closed="both")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "threshold": THRESHOLD_CONSTRAINT,
        "cache_dir": [str, Path, Options(bool, {False}), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self, sampler="smote+augment", *, network=None, encoder=None,
        sampling_space="pixels", image_size=224, resize="pad", stain_normalizer=None,
        predict_views=1, validation_fraction=None, threshold=0.5, cache_dir=None,
        n_jobs=None, random_state=None, verbose=0,
    ):  # fmt: skip
        self.sampler = sampler
        self.network = network
        self.encoder = encoder
        self.sampling_space = sampling_space
        self.image_size = image_size
        self.resize = resize
        self.stain_normalizer = stain_normalizer
        self.predict_views = predict_views
        self.validation_fraction = validation_fraction
        self.threshold = threshold
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def set_params(self, **params):
        """Set parameters; those of a part that is None make it the default part.

        Parameters
        ----------
        **params
            As in scikit-learn: ``network__epochs=20``.

        Returns
        -------
        self
        """
        inside = {name: v for name, v in params.items() if name.startswith("encoder__")}
        rest = {name: v for name, v in params.items() if name not in inside}
        opens = any(name.startswith("network__") for name in rest)
        if opens and rest.get("network", self.network) is None:
            rest["network"] = network_of(self)
        super().set_params(**rest)
        if inside and self.encoder is None:
            self.encoder = encoder_of(self)
        return super().set_params(**inside)

    @property
    def pipeline(self):
        """The steps that ``fit`` will fit, to print or to copy.

        Setting participants aside and choosing a threshold are no steps of it.
        """
        return unfitted_pipeline(self)

    # The parts are estimators of their own, validated by their own fit.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X, y, groups=None, X_val=None, y_val=None, pos_label=None,
        sample_weight=None,
    ):  # fmt: skip
        """Set validation participants aside, resample the rest, train.

        Parameters
        ----------
        X : DataFrame, array-like of paths, or ndarray
            A DataFrame with ``path`` (and, where known, ``participant``), paths, uint8
            images in [0, 255] of shape (n_samples, height, width, 3), or features of
            shape (n_samples, n_features), which are resampled and classified as they
            are.
        y : array-like of shape (n_samples,)
            Labels of two classes.
        groups : array-like of shape (n_samples,), default=None
            Participant of each row; by default the column ``participant`` of ``X``.
        X_val, y_val : as X and y, default=None
            Validation rows to use instead of setting some aside.
        pos_label : int, str or bool, default=None
            Label of the positive class; by default 1, if it is among the labels.
        sample_weight : array-like of shape (n_samples,), default=None
            For the network's ``fit``, at least 0. Copies of a row have its weight;
            samplers that mix rows are refused. Validation rows are not weighted.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        SplitError
            If the participants do not allow validation rows with both classes.
        ParameterError
            If parameters contradict each other, or no label is the positive one.
        LeakageError
            If a participant of ``X_val`` is also in ``X``.
        ImageError
            If files cannot be read; it lists every one of them.
        """
        forget_fit(self)  # until this fit is done
        of_features = holds_features(X)
        if of_features:
            X = validate_data(self, X)
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        self._find_classes(y, pos_label)  # before images are read for hours
        groups = participants_of(X, groups)
        refuse_contradictions(
            self,
            of_features=of_features,
            classes=self.classes_,
            has_X_val=X_val is not None,
            has_y_val=y_val is not None,
            is_weighted=sample_weight is not None,
        )
        rows = Rows(X, y, groups, check_weights(sample_weight, y))
        self._fit(rows, {"X_val": X_val, "y_val": y_val}, of_features)
        return self

    def _fit(self, rows, given, of_features):
        X_val, y_val = given.values()
        of_rows, *seeds, of_threshold = seeds_of_fit(self.random_state)
        train, aside = set_aside(self, rows, of_rows, has_X_val=X_val is not None)
        self.validation_indices_, validation = aside, None
        if X_val is not None:
            refuse_shared_participants(rows.groups, X_val)
            validation = Rows(X_val, column_or_1d(y_val), participants_of(X_val))
        elif len(aside):
            validation = rows.take(aside)
        # All rows are not copied, of which there may be more than memory holds.
        trained = rows.take(train) if len(aside) else rows
        self.pipeline_ = make_pipeline(self, *seeds, of_features=of_features)
        with self._large_arrays_in_cache():
            fit_pipeline(self.pipeline_, trained, validation)
        self.history_ = getattr(self.pipeline_["classify"], "history_", {})
        chosen = choose_inside(self, rows, validation, given, of_threshold)
        self.threshold_ = float(chosen.value)
        self.training_record_ = record_of(
            trained.y,
            rows.groups,
            n_validation_samples=0 if validation is None else len(validation.y),
            class_counts_resampled=self._counts_resampled(trained.y),
            weights=self._weights_record(),
            **chosen.record,
        )

    def _counts_resampled(self, y):
        """Count rows behind the sampler, None where that is not known."""
        counts = class_counts(y)
        if "sample" not in self.pipeline_.named_steps:
            return counts
        # Classifiers of other libraries do not count what they are given.
        found = getattr(self.pipeline_["classify"], "class_count_", None)
        return (
            found if found is None else dict(zip(counts, map(int, found), strict=True))
        )

    def _weights_record(self):
        """Say what the initial weights were, None where no step started from any."""
        steps = self.pipeline_.named_steps.values()
        records = (getattr(step, "weights_record_", None) for step in steps)
        return next(filter(None, records), None)

    def _probability(self, X):
        refuse_other_rows(self, X)
        if takes_features(self):
            X = validate_data(self, X, reset=False)
        with self._large_arrays_in_cache():
            return mean_over_views(self.pipeline_, X, self.predict_views)

    _to_parts = classifier_to_parts
    _from_parts: Any = classmethod(classifier_from_parts)

    def _large_arrays_in_cache(self):
        """Keep arrays that memory may not hold where features are kept."""
        return arrays_in(
            None if self.cache_dir is False else resolve_cache_dir(self.cache_dir)
        )

    def __sklearn_tags__(self):
        tags, of_images = super().__sklearn_tags__(), takes_images(self)
        for name in ("three_d_array", "one_d_array", "string"):
            setattr(tags.input_tags, name, of_images)
        return tags
