"""GlomeruliClassifier, the front door: images to classes, with nothing leaking."""

from __future__ import annotations

import os
from contextlib import suppress
from numbers import Integral, Real
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context, clone
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._metadata_requests import _routing_enabled
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import (
    _num_samples,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from ..data.labels import encode_labels
from ..data.large_arrays import arrays_in
from ..data.participants import participants_of, refuse_shared_participants
from ..data.stain import NORMALIZER_NAMES, StainNormalizer
from ..errors import ParameterError, SplitError
from ..evaluation.thresholds import RecallAtLeast, choose_threshold
from ..network.classifier import (
    BACKBONE_CONSTRAINTS,
    HEAD_CONSTRAINTS,
    TRAINING_CONSTRAINTS,
)
from ..network.encoder import CACHE_CONSTRAINT
from ..network.engines import ENGINE_CONSTRAINTS
from .checks import refuse_contradictions
from .pipeline import make_pipeline, mean_over_views, prepare_validation
from .recipes import (
    RECIPE_PARAMETERS,
    RECIPES,
    Recipe,
    decided_on_validation,
    is_auto,
    resolve_recipe,
    with_origins,
)
from .validation import (
    ChosenThreshold,
    ValidationRows,
    are_enough,
    out_of_fold,
    split_validation,
)

__all__ = ["GlomeruliClassifier"]


def _or_the_recipe(constraints: dict[str, list]) -> dict[str, list]:
    return {
        name: [*constraint, StrOptions({"auto"})]
        for name, constraint in constraints.items()
    }


class GlomeruliClassifier(ClassifierMixin, BaseEstimator):
    """Tell globally sclerotic (1) from other (0) glomeruli in patches.

    Validation participants are set aside before anything is resampled. The rest runs
    through an imbalanced-learn pipeline: ``load`` (files to images), ``stain`` (to one
    stain), ``sample`` (training rows only), ``trunk`` (the frozen layers) and ``net``
    (the trainable layers and the head, which can stop early on the validation
    participants).

    Parameters that are ``"auto"`` take the value of the recipe
    (``glomclf.model.recipes.RECIPES``); any other value overrides it.

    Parameters
    ----------
    sampler : None, str, sampler or list of samplers, default="auto"
        ``"smote"``, ``"augment"``, ``"undersample"``, ``"oversample"`` or a chain of
        them with ``+``; any imbalanced-learn sampler; or a list run in order. See
        :func:`glomclf.samplers.make_sampler`.
    recipe : {"features", "fine-tune", "scratch", "auto"}, default="features"
        How the network is trained. ``"features"``: the head, on the stored output of
        the frozen network; the quickest. ``"fine-tune"``: the head, then the last
        layers at a lower rate, from augmented images; for pretrained weights.
        ``"scratch"``: the whole network, from augmented images; for ``weights=None``.
        ``"auto"`` chooses by `weights` and the number of images, see
        :func:`glomclf.model.recipes.choose_recipe`; `recipe_` says what and why.
    sampling_space : {"pixels", "features"}, default="auto"
        Whether the sampler sees images or the trunk's output.
    backbone : {"resnet50", "cnn"}, default="resnet50"
        ResNet-50, or a small plain network.
    weights : "imagenet", path or None, default="imagenet"
        Keras' own ImageNet weights, an HDF5 weights file, or None for one fixed random
        network.
    trainable_layers : int or "all", default="auto"
        How many of the backbone's last Keras layers are trained. "auto" is the
        recipe's number; "all" trains every one.
    image_size : int, default="auto"
        Side of the square images in pixels, at least 32.
    resize : {"pad", "stretch"}, default="pad"
        How an oblong patch becomes square. See :class:`ImageLoader`.
    stain_normalizer : None, str or StainNormalizer, default="auto"
        What brings every image to one stain before it is sampled: to a fixed one
        (``"fixed-reinhard"``, ``"fixed-density"``, ``"fixed-macenko"``), to that of the
        training images (``"reinhard"``, ``"density"``, ``"macenko"``), or a
        :class:`StainNormalizer`.
    augmentation : None, str or PatchAugmenter, default="auto"
        How each training image is changed anew in every epoch:
        ``"dihedral"`` (turned and mirrored), ``"geometry"`` (turned by any angle,
        zoomed and shifted as well), ``"geometry+stain"`` (its brightness, contrast and
        stain as well), or a :class:`.PatchAugmenter`. Validation rows
        never are. With it frozen layers run in every epoch, for there is nothing to
        store.
    augmented_views : int, default="auto"
        How many augmented views of each training image are added, after the sampler,
        for frozen layers: their output is stored, so that folds and trials share it.
    predict_views : int in [1, 8], default="auto"
        Over how many of the eight ways to turn and mirror an image its probability is
        the mean. The threshold is chosen on such means too.
    dense_units, dropout, optimizer, learning_rate, batch_size, epochs, class_weight, \
training_precision : default="auto"
        See :class:`PatchClassifier`.
    schedule, warmup_epochs, weight_decay, label_smoothing, clip_norm, head_epochs, \
tail_learning_rate : default="auto"
        See :class:`PatchClassifier`.
    patience : int or None, default="auto"
        Epochs without a lower `val_loss` after which training stops and the best
        weights return. None trains for all epochs.
    checkpoint_dir : path or None, default=None
        Folder where the state of the training is kept after every epoch, so that a run
        that was killed goes on from there. See :class:`PatchClassifier`.
    validation_fraction : float in (0, 1), None or "auto", default="auto"
        Share of the training participants (of the rows, where participants are not
        known) set aside for ``history_``, early stopping (`patience`) and
        ``threshold="validation"``; they are not trained on. "auto" is 0.15 where
        something is decided on them (`patience`, or
        ``threshold="validation"`` where they are enough for it), else None, which sets
        nobody aside.
    threshold : float in [0, 1] or "validation", default=0.5
        Probability of the positive class from which it is predicted. "validation"
        chooses it on training participants alone: on the validation participants
        where they are enough (see :func:`.are_enough`), else on the
        predictions of 5 inner folds by participant, which takes 5 further fits.
    threshold_aim : {"f1", "recall"}, default="f1"
        What "validation" aims at: the highest F1, or the highest precision among the
        thresholds with at least `threshold_recall`. See
        :func:`glomclf.evaluation.thresholds.choose_threshold`.
    threshold_recall : float in (0, 1], default=0.95
        Recall that the aim "recall" must reach.
    cache_dir : path, None or False, default=None
        Folder where the trunk's features are kept, so that each image is computed once.
        None is the platform's cache folder; False keeps nothing. Decoded files are kept
        there as well, and arrays that memory may not hold lie there in the meantime.
    engine, precision
        What runs the frozen layers, and what it computes in. See
        :class:`PatchEncoder`.
    n_jobs : int or None, default=None
        Threads that decode files and transform images before the network is trained;
        its training takes all cores of the process.
    random_state : int, RandomState instance or None, default=None
        Seeds the validation split, the sampler and the network.
    verbose : int, default=0
        1 shows bars on standard error.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The two labels, sorted; the second is the positive class.
    pipeline_ : imblearn.pipeline.Pipeline
        The fitted steps ``load``, ``stain``, ``sample`` and ``views`` (where asked
        for), ``trunk`` (unless there is an `augmentation`) and ``net``.
    recipe_ : glomclf.model.recipes.Recipe
        The recipe's name, why it was taken, and every setting that it governs.
    history_ : dict of str to list of float
        ``loss``, ``accuracy`` and, with validation rows, ``val_loss`` and
        ``val_accuracy`` of every epoch. See :class:`PatchClassifier`.
    validation_indices_ : ndarray of int
        Rows of ``X`` that were set aside; empty where none were.
    threshold_ : float
        Threshold that ``predict`` uses.
    training_record_ : dict
        Numbers of rows, participants and validation rows, rows of each class before
        and after the sampler, and on how many rows of which kind the threshold was
        chosen.

    See Also
    --------
    glomclf.FoldEnsembleClassifier : The mean of one such classifier a fold.
    glomclf.PatchClassifier : The last step alone, for a pipeline of your own.

    Notes
    -----
    Participants are taken from ``groups`` or from a column ``participant`` of ``X``;
    then no participant is on both sides of the validation split. Where neither is
    given, rows are split, and two patches of one participant may part.

    Examples
    --------
    >>> from glomclf import GlomeruliClassifier, make_glomeruli
    >>> X, y, groups = make_glomeruli(
    ...     40, n_participants=8, sclerotic_fraction=0.3, image_size=32, random_state=0
    ... )
    >>> classifier = GlomeruliClassifier(
    ...     backbone="cnn", weights=None, image_size=32, epochs=2, random_state=0
    ... )
    >>> classifier.fit(X, y, groups=groups).predict_proba(X).shape
    (40, 2)
    """

    _parameter_constraints = {  # noqa: RUF012
        "recipe": [StrOptions({*RECIPES, "auto"})],
        **BACKBONE_CONSTRAINTS,
        **_or_the_recipe(
            {
                "sampler": [None, str, list, HasMethods("fit_resample")],
                "sampling_space": [StrOptions({"pixels", "features"})],
                "trainable_layers": BACKBONE_CONSTRAINTS["trainable_layers"],
                "image_size": [Interval(Integral, 32, None, closed="left")],
                "stain_normalizer": [
                    None,
                    StrOptions({*NORMALIZER_NAMES}),
                    StainNormalizer,
                ],
                "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
                "augmented_views": [Interval(Integral, 0, None, closed="left")],
                "predict_views": [Interval(Integral, 1, 8, closed="both")],
                **{
                    name: constraint
                    for name, constraint in HEAD_CONSTRAINTS.items()
                    if name in RECIPE_PARAMETERS
                },
                **TRAINING_CONSTRAINTS,
            }
        ),
        "resize": [StrOptions({"pad", "stretch"})],
        "checkpoint_dir": HEAD_CONSTRAINTS["checkpoint_dir"],
        "threshold": [Interval(Real, 0, 1, closed="both"), StrOptions({"validation"})],
        "threshold_aim": [StrOptions({"f1", "recall"})],
        "threshold_recall": [Interval(Real, 0, 1, closed="right")],
        "cache_dir": CACHE_CONSTRAINT,
        **ENGINE_CONSTRAINTS,
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(  # noqa: PLR0915  a statement a parameter
        self,
        sampler="auto",
        *,
        recipe="features",
        sampling_space="auto",
        backbone="resnet50",
        weights="imagenet",
        trainable_layers="auto",
        image_size="auto",
        resize="pad",
        stain_normalizer="auto",
        augmentation="auto",
        augmented_views="auto",
        predict_views="auto",
        dense_units="auto",
        dropout="auto",
        optimizer="auto",
        learning_rate="auto",
        schedule="auto",
        warmup_epochs="auto",
        weight_decay="auto",
        label_smoothing="auto",
        clip_norm="auto",
        head_epochs="auto",
        tail_learning_rate="auto",
        batch_size="auto",
        epochs="auto",
        patience="auto",
        class_weight="auto",
        training_precision="auto",
        checkpoint_dir=None,
        validation_fraction="auto",
        threshold=0.5,
        threshold_aim="f1",
        threshold_recall=0.95,
        cache_dir=None,
        engine="auto",
        precision="float32",
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.sampler = sampler
        self.recipe = recipe
        self.sampling_space = sampling_space
        self.backbone = backbone
        self.weights = weights
        self.trainable_layers = trainable_layers
        self.image_size = image_size
        self.resize = resize
        self.stain_normalizer = stain_normalizer
        self.augmentation = augmentation
        self.augmented_views = augmented_views
        self.predict_views = predict_views
        self.dense_units = dense_units
        self.dropout = dropout
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup_epochs = warmup_epochs
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.clip_norm = clip_norm
        self.head_epochs = head_epochs
        self.tail_learning_rate = tail_learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.class_weight = class_weight
        self.training_precision = training_precision
        self.checkpoint_dir = checkpoint_dir
        self.validation_fraction = validation_fraction
        self.threshold = threshold
        self.threshold_aim = threshold_aim
        self.threshold_recall = threshold_recall
        self.cache_dir = cache_dir
        self.engine = engine
        self.precision = precision
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    # The sampler is an estimator of its own, validated by its own fit_resample.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, groups=None, X_val=None, y_val=None):
        """Set validation participants aside, resample the rest, train.

        Parameters
        ----------
        X : DataFrame, array-like of paths, or ndarray
            A DataFrame with ``path`` (and, where known, ``participant``), paths, or
            uint8 images in [0, 255] of shape (n_samples, height, width, 3).
        y : array-like of shape (n_samples,)
            Labels of two classes.
        groups : array-like of shape (n_samples,), default=None
            Participant of each row; by default the column ``participant`` of ``X``.
        X_val, y_val : as X and y, default=None
            Validation rows to use instead of setting some aside.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        SplitError
            If the participants do not allow a validation split, or the inner folds of
            ``threshold="validation"``, with both classes.
        ParameterError
            If parameters contradict each other.
        LeakageError
            If a participant of ``X_val`` is also in ``X``.
        ImageError
            If files cannot be read; it lists every one of them.
        """
        self.__dict__.pop("training_record_", None)  # not fitted until this fit is done
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        if len(y):
            encode_labels(y)  # before images are read for hours
        groups = participants_of(X, groups)
        self.recipe_ = self.resolve(
            len(y), has_X_val=X_val is not None, has_y_val=y_val is not None
        )
        rng = check_random_state(self.random_state)
        seeds = [int(seed) for seed in rng.randint(2**31 - 2, size=4)]
        train, self.validation_indices_ = self._split(y, groups, X_val, seeds[0])
        validation = self._validation_rows(X, y, groups, X_val, y_val)
        self.pipeline_ = make_pipeline(self._settings(), *seeds[1:3])
        # All rows are not copied, of which there may be more than memory holds.
        rows = X if len(train) == len(y) else _safe_indexing(X, train)
        with self._large_arrays_in_cache():
            self._fit_pipeline(rows, y[train], validation)
        self.classes_ = self.pipeline_["net"].classes_
        chosen = ChosenThreshold(self.threshold)
        if self.threshold == "validation":
            chosen = self._choose_on_validation(validation)
            if chosen is None:
                given = {"X_val": X_val, "y_val": y_val}
                chosen = self._choose_on_folds(X, y, groups, given, seeds[3])
        self.threshold_ = float(chosen.value)
        self._record_fit(y[train], validation.y, groups, chosen)
        return self

    def predict_proba(self, X):
        """Give the probability of each class.

        Parameters
        ----------
        X : DataFrame, array-like of paths, or ndarray
            As in ``fit``; no labels or participants are needed.

        Returns
        -------
        ndarray of shape (n_samples, 2), float64 in [0, 1]
        """
        check_is_fitted(self)
        return self._probability(X)

    def _probability(self, X):
        with self._large_arrays_in_cache():
            return mean_over_views(self.pipeline_, X, self._settings().predict_views)

    def predict(self, X):
        """Predict the positive class where its probability reaches ``threshold_``.

        Parameters
        ----------
        X : DataFrame, array-like of paths, or ndarray
            As in ``predict_proba``.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        positive = self.predict_proba(X)[:, 1] >= self.threshold_
        return self.classes_[positive.astype(int)]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted classifier to one file, without pickle.

        The file holds all weights, so that it needs neither the internet nor the
        weights file it was trained from. Parameters that only training needs and that
        are not plain values (a RandomState instance) are left out.

        Parameters
        ----------
        path : str or Path

        Raises
        ------
        ModelFileError
            If the sampler cannot be described without pickle.
        """
        from ..data.archive import write_model

        check_is_fitted(self)
        write_model(path, *self._to_parts())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> GlomeruliClassifier:
        """Read a classifier that ``save`` wrote; it predicts the same.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        GlomeruliClassifier
            Fitted.

        Raises
        ------
        ModelFileError
            If the file is truncated, changed or foreign, or holds another kind of
            model.
        """
        from ..data.archive import read_model, rebuilt

        parts = read_model(path, kind="GlomeruliClassifier")
        return rebuilt(path, cls._from_parts, *parts)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "training_record_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.non_deterministic = self.random_state is None
        return tags

    def resolve(self, n_samples, *, has_X_val=False, has_y_val=False):
        """Say what a fit would be set to.

        Parameters
        ----------
        n_samples : int
            Rows to fit, validation rows included: ``recipe="auto"`` goes by them.
        has_X_val, has_y_val : bool, default=False
            Whether ``fit`` will be given ``X_val`` and ``y_val``.

        Returns
        -------
        glomclf.model.recipes.Recipe
            The recipe's name, why it was taken, and every setting that it governs.

        Raises
        ------
        ParameterError
            If parameters contradict each other.

        Examples
        --------
        >>> from glomclf import GlomeruliClassifier
        >>> recipe = GlomeruliClassifier(weights=None, recipe="auto").resolve(717)
        >>> recipe.name, recipe.reason
        ('scratch', 'random weights and 717 images, at least 500')
        """
        given = {name: getattr(self, name) for name in RECIPE_PARAMETERS}
        recipe = resolve_recipe(
            self.recipe,
            given,
            weights=self.weights,
            n_samples=n_samples,
            chooses_threshold=self.threshold == "validation",
            has_X_val=has_X_val,
        )
        try:
            refuse_contradictions(
                self._settings(recipe), has_X_val=has_X_val, has_y_val=has_y_val
            )
        except ParameterError as error:
            raise ParameterError(with_origins(str(error), recipe, given)) from None
        return recipe

    def _settings(self, recipe=None):
        """Return all parameters, none of them left to a recipe."""
        parameters = self.get_params(deep=False)
        governed = (recipe or self.recipe_).parameters
        given = {
            name: value
            for name, value in parameters.items()
            if name not in governed or not is_auto(value)
        }
        return SimpleNamespace(**{**governed, **given})

    def _split(self, y, groups, X_val, seed):
        """Return the rows to train on and those set aside."""
        rows = np.arange(len(y))
        settings = self._settings()
        fraction = settings.validation_fraction
        if X_val is not None or fraction is None:
            return rows, rows[:0]
        is_open = is_auto(self.validation_fraction)
        if not is_open or decided_on_validation(vars(settings)):
            return split_validation(y, groups, fraction, seed)
        return self._split_for_threshold(y, groups, fraction, seed)

    def _split_for_threshold(self, y, groups, fraction, seed):
        """Set nobody aside where those would be too few to choose a threshold on."""
        with suppress(SplitError):
            train, validation = split_validation(y, groups, fraction, seed)
            owners = None if groups is None else groups[validation]
            if are_enough(y[validation], owners):
                return train, validation
        parameters = {**self.recipe_.parameters, "validation_fraction": None}
        self.recipe_ = self.recipe_._replace(parameters=parameters)
        return np.arange(len(y)), np.arange(0)

    def _validation_rows(self, X, y, groups, X_val, y_val):
        """Return the rows given for validation, or those set aside, or none."""
        if X_val is not None:
            refuse_shared_participants(groups, X_val)
            return ValidationRows(X_val, column_or_1d(y_val), participants_of(X_val))
        rows = self.validation_indices_
        if not len(rows):
            return ValidationRows(None, None, None)
        owners = None if groups is None else groups[rows]
        return ValidationRows(_safe_indexing(X, rows), y[rows], owners)

    def _fit_pipeline(self, X, y, validation):
        """Fit all steps; validation rows meet what transforms, no sampler."""
        prepared = None
        if validation.X is not None:
            prepared = prepare_validation(self.pipeline_, X, validation.X)
        rows = {"X_val": prepared, "y_val": validation.y}
        if _routing_enabled():
            self.pipeline_["net"].set_fit_request(X_val=True, y_val=True)
        else:
            rows = {f"net__{name}": value for name, value in rows.items()}
        self.pipeline_.fit(X, y, **rows)

    def _large_arrays_in_cache(self):
        """Keep arrays that memory may not hold where features are kept."""
        from ..data.database import resolve

        return arrays_in(None if self.cache_dir is False else resolve(self.cache_dir))

    def _choose_on_validation(self, validation):
        """Choose the threshold on the validation rows, if they are enough."""
        if validation.y is None or not are_enough(validation.y, validation.groups):
            return None
        probability = self._probability(validation.X)[:, 1]
        return self._choose(validation.y, probability, "validation participants")

    def _choose_on_folds(self, X, y, groups, given, seed):
        """Choose it on predictions by classifiers that did not see the participant."""

        def fit(X, y, groups):
            # "auto" goes by rows, of which a fold has fewer.
            model = clone(self).set_params(
                recipe=self.recipe_.name,
                threshold=0.5,
                threshold_aim="f1",
                threshold_recall=0.95,
                random_state=seed,
                verbose=0,
            )
            return model.fit(X, y, groups, **given)

        probability = out_of_fold(
            fit, X, y, groups, random_state=seed, verbose=self.verbose
        )
        return self._choose(y, probability, "inner folds")

    def _choose(self, y, probability, chosen_on):
        """Choose the threshold for the stated aim."""
        recall = RecallAtLeast(self.threshold_recall)
        aim = recall if self.threshold_aim == "recall" else "f1"
        value = choose_threshold(y == self.classes_[1], probability, aim)
        return ChosenThreshold(value, chosen_on, len(y))

    def _record_fit(self, y, y_val, groups, chosen):
        """Keep what is known of the fit once the pipeline is fitted."""
        net = self.pipeline_["net"]
        self.history_ = net.history_
        labels, counts = np.unique(y, return_counts=True)
        names = [str(label) for label in labels]
        resampled = net.class_count_.tolist()
        self.training_record_ = {
            "n_samples": len(y),
            "n_validation_samples": 0 if y_val is None else _num_samples(y_val),
            "n_participants": None if groups is None else len(np.unique(groups)),
            "class_counts": dict(zip(names, counts.tolist(), strict=True)),
            "class_counts_resampled": dict(zip(names, resampled, strict=True)),
            "threshold": float(chosen.value),
            "threshold_chosen_on": chosen.chosen_on,
            "threshold_n_samples": chosen.n_samples,
        }

    def _to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Describe the fitted classifier as JSON and arrays."""
        from ..data.archive import estimator_to_json

        parameters = self.get_params(deep=False)
        settings = vars(self._settings())
        governed = {name: settings[name] for name in RECIPE_PARAMETERS}
        for described in (parameters, governed):
            for name in _DESCRIBED & set(described):
                described[name] = estimator_to_json(described[name])
        if isinstance(self.weights, Path):
            parameters["weights"] = str(self.weights)
        parameters |= _OF_NO_MACHINE
        if self.cache_dir is False:
            parameters["cache_dir"] = False
        if not isinstance(self.random_state, Integral | None):
            parameters["random_state"] = None
        parts = {name: self.pipeline_[name]._to_parts() for name in self._kept_steps()}
        header = {
            "parameters": parameters,
            "recipe": [self.recipe_.name, self.recipe_.reason, governed],
            "classes": self.classes_.tolist(),
            "threshold": self.threshold_,
            "history": self.history_,
            "training_record": self.training_record_,
            **{name: described for name, (described, _) in parts.items()},
        }
        arrays = {k: v for _, found in parts.values() for k, v in found.items()}
        return header, arrays

    def _kept_steps(self):
        """Name the steps that a model file describes."""
        return [
            name
            for name in ("stain", "trunk", "net")
            if name in self.pipeline_.named_steps
        ]

    @classmethod
    def _from_parts(
        cls, header: dict, arrays: dict[str, np.ndarray]
    ) -> GlomeruliClassifier:
        from ..data.archive import estimator_from_json

        parameters = dict(header["parameters"])
        name, reason, governed = header["recipe"]
        for described in (parameters, governed):
            for key in _DESCRIBED & set(described):
                described[key] = estimator_from_json(described[key])
        if parameters["cache_dir"] is not False:  # older files name folders
            parameters |= _OF_NO_MACHINE
        self = cls(**parameters)
        self.recipe_ = Recipe(name, reason, governed)
        self.classes_ = np.asarray(header["classes"])
        self.threshold_ = header["threshold"]
        self.history_ = header["history"]
        self.training_record_ = header["training_record"]
        self.validation_indices_ = np.arange(0)
        self.pipeline_ = make_pipeline(self._settings(), 0, 0)
        for step in self._kept_steps():
            classes = [self.classes_] if step == "net" else []
            self.pipeline_[step]._set_parts(header[step], arrays, *classes)
        return self


# What another machine may not have. Precision says what the engine computed.
_OF_NO_MACHINE = {"cache_dir": None, "checkpoint_dir": None, "engine": "auto"}
# Parameters that may be estimators, or have keys that JSON does not have.
_DESCRIBED = {"sampler", "class_weight", "stain_normalizer", "augmentation"}
