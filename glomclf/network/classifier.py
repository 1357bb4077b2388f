"""PatchClassifier: the trainable layers and the head, as an estimator."""

from __future__ import annotations

import functools
from dataclasses import fields
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from .._runtime import progress
from ..data.augmenter import PatchAugmenter, make_augmenter
from ..data.labels import encode_labels
from ..errors import ParameterError
from .processor import check_training_precision

if TYPE_CHECKING:
    from .backbones import Backbone
    from .optimisation import TrainingSpec

__all__ = [
    "BACKBONE_CONSTRAINTS",
    "HEAD_CONSTRAINTS",
    "TRAINING_CONSTRAINTS",
    "PatchClassifier",
]

BACKBONE_CONSTRAINTS: dict[str, list] = {
    "backbone": [StrOptions({"resnet50", "cnn"})],
    "weights": [str, Path, None],
    "trainable_layers": [
        Interval(Integral, 0, None, closed="left"),
        StrOptions({"all"}),
    ],
}
HEAD_CONSTRAINTS: dict[str, list] = {
    "dense_units": [Interval(Integral, 1, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "optimizer": [StrOptions({"adam", "adamw", "rmsprop", "sgd"})],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "epochs": [Interval(Integral, 1, None, closed="left")],
    "patience": [Interval(Integral, 0, None, closed="left"), None],
    "class_weight": [dict, StrOptions({"balanced"}), None],
    "training_precision": [StrOptions({"float32", "bfloat16"})],
    "checkpoint_dir": [str, Path, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
TRAINING_CONSTRAINTS: dict[str, list] = {
    "schedule": [StrOptions({"constant", "cosine"})],
    "warmup_epochs": [Interval(Real, 0, None, closed="left")],
    "weight_decay": [Interval(Real, 0, None, closed="left"), None],
    "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
    "label_smoothing": [Interval(Real, 0, 0.5, closed="left")],
    "head_epochs": [Interval(Integral, 0, None, closed="left")],
    "tail_learning_rate": [Interval(Real, 0, None, closed="neither"), None],
    "augmentation": [str, PatchAugmenter, None],
}


class PatchClassifier(ClassifierMixin, BaseEstimator):
    """The trainable layers of a backbone and a dense head, trained by SciKeras.

    Given images it is the whole network with its lower layers frozen; given the output
    of :class:`PatchEncoder` with the same ``backbone``, ``weights`` and
    ``trainable_layers`` it is the rest of it, and predicts the same.

    Parameters
    ----------
    backbone : {"resnet50", "cnn"}, default="resnet50"
        ResNet-50 [1]_ as in ``keras.applications``, or a small plain network of four
        convolution blocks.
    weights : "imagenet", path or None, default="imagenet"
        Initial weights: Keras' own ImageNet weights (fetched once), an HDF5 weights
        file, or None for one fixed random network.
    trainable_layers : int or "all", default=0
        How many of the backbone's last Keras layers are trained, the pooling layer
        counted. Frozen batch-norm layers stay in inference mode; where all layers are
        trained, batch-norm statistics follow with a momentum of 0.9.
    dense_units : int, default=256
        Width of the hidden layer of the head.
    dropout : float in [0, 1), default=0.5
        Share of the hidden units dropped in training.
    optimizer : {"rmsprop", "adam", "adamw", "sgd"}, default="rmsprop"
        ``"sgd"`` has Nesterov's momentum of 0.9 [3]_.
    learning_rate : float, default=1e-3
        Of the first step after the warm-up.
    batch_size : int, default=32
        Rows in a step of training, and in a batch of prediction.
    epochs : int, default=10
        The most passes over the training rows.
    patience : int or None, default=None
        Epochs without a lower validation loss after which training stops; the weights
        of the best epoch are restored. Needs ``X_val, y_val`` in ``fit``.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied with ``sample_weight``.
    schedule : {"constant", "cosine"}, default="constant"
        How the learning rate goes on after the warm-up: as it is; or down to 0, reached
        at the end of the last epoch, along half a cosine [4]_.
    warmup_epochs : float, default=0
        Epochs in which the rate rises step by step, linearly [5]_.
    weight_decay : float or None, default=None
        Decoupled from the gradient, as in AdamW [6]_, whatever the optimizer: in each
        step kernels (never biases or batch norm) lose this share of themselves, times
        the learning rate. None is Keras' own: 0.004 of all weights for ``"adamw"``,
        none for the others.
    clip_norm : float or None, default=None
        Gradients whose norm, over all weights together, is greater are scaled down to
        it [7]_.
    label_smoothing : float in [0, 0.5), default=0.0
        Training labels become ``label_smoothing / 2`` and ``1 - label_smoothing / 2``
        [8]_. ``val_loss`` is the cross-entropy of the labels as they are, so that it
        stays comparable.
    head_epochs : int, default=0
        Epochs, of ``epochs``, in which the head is trained alone, at a constant rate,
        before the trainable layers join it. Schedule, warm-up and patience begin then.
    tail_learning_rate : float or None, default=None
        Rate of the backbone's trainable layers; the head's stays ``learning_rate``, and
        the schedule is that of both. None is the same for both.
    augmentation : None, str or PatchAugmenter, default=None
        What gives each training image another look in every epoch: ``"dihedral"``,
        ``"geometry"``, ``"geometry+stain"`` (see
        :func:`glomclf.data.augmenter.make_augmenter`), or an augmenter of one's own.
        Validation rows are left as they are. For images alone.
    training_precision : {"float32", "bfloat16"}, default="float32"
        What the trainable layers compute in, in training and in prediction. With
        ``"bfloat16"`` weights stay in float32 and products are taken in bfloat16 [2]_:
        for training many layers, on a processor that has it.
    checkpoint_dir : path or None, default=None
        Folder where the state of the training is kept after every epoch, in a file
        named after all that decides it. The same training, begun again after a kill,
        goes on after the last whole epoch and ends with the weights that an
        undisturbed one ends with, on the same machine and with the same versions; a
        finished one is not done again. A file is three to four times as large as the
        trained weights; remove it when the model is saved.
    random_state : int, RandomState instance or None, default=None
        Seeds the head's weights, dropout and the order of rows.
    verbose : int, default=0
        1 shows a bar of epochs on standard error.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The two labels, sorted; the second is the positive class.
    class_count_ : ndarray of shape (2,), int
        Rows of each class that were trained on, after any sampler.
    net_ : scikeras.wrappers.KerasClassifier
        The fitted network, ``net_.model_`` being the Keras model.
    backbone_fingerprint_ : str or None
        SHA-256 of the initial weights; None where the head is all that is fitted.
    history_ : dict of str to list of float
        ``loss``, ``accuracy`` and, with validation rows, ``val_loss`` and
        ``val_accuracy`` of every epoch; where it changes, ``learning_rate``, that of
        the epoch's last step.
    input_shape_ : tuple of int
        Shape of one row seen in ``fit``.
    n_features_in_ : int
        Number of features seen in ``fit``; only for 2-D input.

    References
    ----------
    .. [1] He, Zhang, Ren & Sun (2016), "Deep residual learning for image recognition".
    .. [2] Micikevicius et al. (2018), "Mixed precision training".
    .. [3] Sutskever, Martens, Dahl & Hinton (2013), "On the importance of
       initialization and momentum in deep learning".
    .. [4] Loshchilov & Hutter (2017), "SGDR: stochastic gradient descent with warm
       restarts".
    .. [5] Goyal et al. (2017), "Accurate, large minibatch SGD".
    .. [6] Loshchilov & Hutter (2019), "Decoupled weight decay regularization".
    .. [7] Pascanu, Mikolov & Bengio (2013), "On the difficulty of training recurrent
       neural networks".
    .. [8] Szegedy et al. (2016), "Rethinking the inception architecture for computer
       vision".

    Examples
    --------
    >>> from glomclf import PatchClassifier, make_glomeruli
    >>> X, y, _ = make_glomeruli(20, n_participants=4, image_size=32, random_state=0)
    >>> net = PatchClassifier("cnn", weights=None, epochs=1, random_state=0)
    >>> net.fit(X, y).predict_proba(X).shape
    (20, 2)
    """

    _parameter_constraints = {  # noqa: RUF012
        **BACKBONE_CONSTRAINTS,
        **HEAD_CONSTRAINTS,
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        backbone="resnet50",
        *,
        weights="imagenet",
        trainable_layers=0,
        dense_units=256,
        dropout=0.5,
        optimizer="rmsprop",
        learning_rate=1e-3,
        batch_size=32,
        epochs=10,
        patience=None,
        class_weight=None,
        schedule="constant",
        warmup_epochs=0.0,
        weight_decay=None,
        clip_norm=None,
        label_smoothing=0.0,
        head_epochs=0,
        tail_learning_rate=None,
        augmentation=None,
        training_precision="float32",
        checkpoint_dir=None,
        random_state=None,
        verbose=0,
    ):
        self.backbone = backbone
        self.weights = weights
        self.trainable_layers = trainable_layers
        self.dense_units = dense_units
        self.dropout = dropout
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.class_weight = class_weight
        self.schedule = schedule
        self.warmup_epochs = warmup_epochs
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.label_smoothing = label_smoothing
        self.head_epochs = head_epochs
        self.tail_learning_rate = tail_learning_rate
        self.augmentation = augmentation
        self.training_precision = training_precision
        self.checkpoint_dir = checkpoint_dir
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None):
        """Train the head and the trainable layers.

        Parameters
        ----------
        X : array-like
            uint8 images in [0, 255] of shape (n_samples, height, width, 3), feature
            maps of shape (n_samples, height, width, channels) or features of shape
            (n_samples, n_features).
        y : array-like of shape (n_samples,)
            Labels of two classes.
        sample_weight : array-like of shape (n_samples,), default=None
        X_val, y_val : array-like, default=None
            Validation rows, in the same form, for early stopping and the history.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        EngineError
            If this processor does not compute in ``training_precision``.
        ModelFileError
            If there is a checkpoint to go on from, and it was damaged.
        ParameterError
            If parameters contradict each other, or the rows; it lists all that do.
        """
        check_training_precision(self.training_precision)
        augmenter = make_augmenter(self.augmentation)
        X = self._check_rows(X, reset=True)
        self._check_combination(X_val, y_val)
        codes = self._encode_labels(X, y)
        self.class_count_ = np.bincount(codes.astype(int), minlength=2)
        validation = self._check_validation(X_val, y_val)
        weight = self._weigh_rows(X, y, sample_weight)
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 2))
        backbone = self._initial_backbone()
        self._stored_arrays = None
        self.backbone_fingerprint_ = None if backbone is None else backbone.fingerprint
        self.net_ = self._make_net(backbone)
        self._train(X, codes, weight, validation, augmenter)
        self.history_ = {
            name: list(map(float, v)) for name, v in self.net_.history_.items()
        }
        return self

    def predict_proba(self, X):
        """Give the probability of each class.

        Parameters
        ----------
        X : array-like
            Rows of the form seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, 2), float64 in [0, 1]
        """
        check_is_fitted(self)
        from .backend import refuse_fork

        refuse_fork()
        X = self._check_rows(X, reset=False)
        # A single row comes back from SciKeras without its first dimension.
        proba = np.asarray(self.net_.predict_proba(X), dtype=np.float64).reshape(-1, 2)
        return np.column_stack([1.0 - proba[:, 1], proba[:, 1]])

    def predict(self, X):
        """Give the class whose probability is at least one half.

        Parameters
        ----------
        X : array-like
            Rows of the form seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        positive = self.predict_proba(X)[:, 1] >= 0.5
        return self.classes_[positive.astype(int)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.three_d_array = True
        tags.non_deterministic = self.random_state is None
        return tags

    def __getstate__(self):
        """Keep the weights a fit can change, not the Keras model around them."""
        state = super().__getstate__()
        if "net_" in state:
            state = {**state, "net_": self._owned_weights()}
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "net_" in state:
            self._restore_net(state["net_"])

    def _to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Describe the fitted network as JSON and arrays.

        Above a trunk it is the trunk that keeps the frozen layers; of images, they are
        kept here.
        """
        header = {
            "input_shape": list(self.input_shape_),
            "from_images": self._from_images,
            "backbone_fingerprint": self.backbone_fingerprint_,
            "history": self.history_,
        }
        kept = {"net": self._owned_weights()}
        backbone = self._fitted_backbone() if self._has_frozen_layers() else None
        if backbone is not None:
            kept["backbone"] = backbone.weights()
        return header, {
            f"{part}/{i:03d}": array
            for part, arrays in kept.items()
            for i, array in enumerate(arrays)
        }

    def _set_parts(
        self, header: dict[str, Any], arrays: dict[str, np.ndarray], classes: np.ndarray
    ) -> None:
        """Become the fitted network that ``_to_parts`` described."""
        self.classes_ = classes
        self.input_shape_ = tuple(header["input_shape"])
        if len(self.input_shape_) == 1:
            self.n_features_in_ = self.input_shape_[0]
        self._from_images = header["from_images"]
        self.backbone_fingerprint_ = header["backbone_fingerprint"]
        self.history_ = header["history"]
        self._seed = 0
        self._stored_arrays = _arrays_of("backbone", arrays) or None
        self._restore_net(_arrays_of("net", arrays))

    def _owned_weights(self):
        from .assembly import owned_weights

        return owned_weights(self.net_.model_)

    def _restore_net(self, weights):
        """Build the network again and give it its fitted weights."""
        from .assembly import set_owned_weights

        self.net_ = self._make_net(self._fitted_backbone())
        dtype = np.uint8 if self._from_images else np.float32
        rows = np.zeros((2, *self.input_shape_), dtype=dtype)
        self.net_.initialize(rows, np.array([0.0, 1.0], dtype=np.float32))
        set_owned_weights(self.net_.model_, weights)

    def _check_rows(self, X, *, reset):
        """Return images as uint8, features as floats, of the shape seen in fit."""
        if np.asarray(X).ndim > 2:
            X = check_array(X, allow_nd=True, dtype=None, input_name="X")
            X = X if _are_images(X) else _as_maps(X)
        else:
            X = validate_data(self, X, reset=reset, dtype=np.float32)
        if reset:
            self.input_shape_ = X.shape[1:]
            self._from_images = _are_images(X)
        elif (X.shape[1:], _are_images(X)) != (self.input_shape_, self._from_images):
            fitted_dtype = "uint8" if self._from_images else "float32"
            raise ValueError(
                f"X has rows of shape {X.shape[1:]} and dtype {X.dtype}, but "
                f"{type(self).__name__} was fitted on rows of shape "
                f"{self.input_shape_} and dtype {fitted_dtype}."
            )
        return X

    def _check_combination(self, X_val, y_val):
        """Refuse parameters that contradict each other, all at once."""
        faults = [
            *self._faults_without_validation(X_val, y_val),
            *self.faults_of_parts(),
        ]
        if self.augmentation is not None and not self._from_images:
            faults.append(
                f"augmentation={self.augmentation!r} changes images, but X has rows of "
                f"shape {self.input_shape_}. Leave the encoder out, so that images "
                "come in, or pass augmentation=None."
            )
        if faults:
            raise ParameterError("\n".join(faults))

    def _faults_without_validation(self, X_val, y_val):
        if (X_val is None) != (y_val is None):
            return ["X_val and y_val belong together: pass both or neither."]
        if X_val is None and self.patience is not None:
            return [
                f"patience={self.patience} stops on the validation loss, but fit was "
                "given no X_val and y_val. Pass them, or patience=None."
            ]
        return []

    def faults_of_parts(self):
        """Return what is wrong with the epochs, and with the parts they train."""
        faults = []
        unused = {"head_epochs": 0, "tail_learning_rate": None}
        faults += [
            f"{name}={value} is for trainable layers, but trainable_layers=0 trains "
            f"the head alone. Pass more trainable_layers, or {name}={none}."
            for name, none in unused.items()
            if (value := getattr(self, name)) != none and self.trainable_layers == 0
        ]
        rest = self.epochs - self.head_epochs
        if rest < 1:
            faults.append(
                f"head_epochs={self.head_epochs} leaves none of epochs={self.epochs} "
                "to the trainable layers. Pass more epochs, or fewer head_epochs."
            )
        elif self.warmup_epochs >= rest and self.warmup_epochs > 0:
            faults.append(
                f"warmup_epochs={self.warmup_epochs} does not end within the {rest} "
                "epochs of the schedule. Pass fewer warmup_epochs, or more epochs."
            )
        return faults

    def _encode_labels(self, X, y):
        """Return labels as 0 and 1, and keep the classes."""
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        self.classes_, codes = encode_labels(y)
        return codes.astype(np.float32)

    def _check_validation(self, X_val, y_val):
        """Return the validation rows and their encoded labels, None without any."""
        if X_val is None:
            return None
        X_val = self._check_rows(X_val, reset=False)
        y_val = column_or_1d(y_val)
        check_consistent_length(X_val, y_val)
        unknown = np.setdiff1d(y_val, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y_val holds {unknown.tolist()}, but y has {self.classes_.tolist()}."
            )
        return X_val, (y_val == self.classes_[1]).astype(np.float32)

    def _weigh_rows(self, X, y, sample_weight):
        if sample_weight is None and self.class_weight is None:
            return None
        # A copy: the caller's weights stay as they are.
        weight = _check_sample_weight(sample_weight, X, dtype=np.float32, copy=True)
        if self.class_weight is not None:
            weight *= compute_sample_weight(self.class_weight, y).astype(np.float32)
        return weight

    def _make_net(self, backbone: Backbone | None) -> Any:
        """Wrap the function that builds the network in SciKeras."""
        from .assembly import HeadSpec, build_network
        from .backend import refuse_fork, wrappers

        refuse_fork()
        spec = HeadSpec(
            self.dense_units,
            self.dropout,
            self.optimizer,
            self.learning_rate,
            self._seed,
            self.training_precision,
            self._training_spec(),
        )
        build = functools.partial(
            build_network,
            self.input_shape_,
            backbone,
            self.trainable_layers,
            spec,
            from_images=self._from_images,
        )
        # Every seed lies in the network itself: SciKeras' own would change the
        # state of the whole process.
        return wrappers.KerasClassifier(
            model=build, epochs=self.epochs, batch_size=self.batch_size, verbose=0
        )

    def _training_spec(self) -> TrainingSpec:
        from .optimisation import TrainingSpec

        names = [field.name for field in fields(TrainingSpec)]
        return TrainingSpec(**{name: getattr(self, name) for name in names})

    def _initial_backbone(self) -> Backbone | None:
        """Return the backbone a fit starts from, None where the head is all."""
        if not self._from_images and self.trainable_layers == 0:
            if len(self.input_shape_) != 1:
                raise ValueError(_misfit(self.input_shape_, "(n_features,)"))
            return None
        from .backbones import find_backbone

        backbone = find_backbone(self.backbone, self.weights)
        if not self._from_images:
            _check_fits_cut(self.input_shape_, backbone, self.trainable_layers)
        return backbone

    def _fitted_backbone(self) -> Backbone | None:
        """Return the backbone of the fit; where it owns all weights, only its shape."""
        if not self._from_images and self.trainable_layers == 0:
            return None
        from .backbones import find_backbone, load_backbone

        if not self._has_frozen_layers():
            return load_backbone(self.backbone, None)
        return find_backbone(
            self.backbone,
            self.weights,
            self.backbone_fingerprint_,
            self._stored_arrays,
        )

    def _has_frozen_layers(self) -> bool:
        """Whether images run through layers that no fit changes."""
        return self._from_images and self.trainable_layers != "all"

    def _train(self, X, codes, weight, validation, augmenter):
        """Train, from the checkpoint where there is one."""
        checkpoint = self._checkpoint(X, codes, weight, validation)
        state = None if checkpoint is None else checkpoint.read()
        with progress("training", self.epochs, enabled=self.verbose > 0) as advance:
            if state is not None:
                advance(state.epoch, note="from the checkpoint")
            callbacks = self._callbacks(validation, advance)
            if checkpoint is not None:
                from .checkpoints import KeepCheckpoint

                callbacks.append(KeepCheckpoint(checkpoint, callbacks))
            self.net_.set_params(callbacks=callbacks)
            self.net_.fit(
                X,
                codes,
                sample_weight=weight,
                validation_data=validation,
                augmenter=augmenter,
                resume=state,
            )
            self.net_.set_params(callbacks=None)

    def _checkpoint(self, X, codes, weight, validation):
        """Name the checkpoint of this training, None where none is kept."""
        if self.checkpoint_dir is None:
            return None
        from .checkpoints import Checkpoint, training_fingerprint

        settings = {
            name: repr(value)
            for name, value in self.get_params().items()
            if name not in ("weights", "checkpoint_dir", "random_state", "verbose")
        }
        settings["seed"] = repr(self._seed)
        settings["backbone_is"] = repr(self.backbone_fingerprint_)
        rows = [X, codes, weight, *(validation or (None, None))]
        fingerprint = training_fingerprint(settings, rows)
        return Checkpoint(self.checkpoint_dir, fingerprint)

    def _callbacks(self, validation, advance):
        from .callbacks import EarlyStopping, EpochProgress

        callbacks = [EpochProgress(advance)]
        if validation is not None and self.patience is not None:
            callbacks.append(EarlyStopping(self.patience, self.head_epochs))
        return callbacks


def _arrays_of(part: str, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Return the arrays of a part of a model file, in their order."""
    return [arrays[key] for key in sorted(arrays) if key.startswith(f"{part}/")]


def _are_images(X: np.ndarray) -> bool:
    return X.dtype == np.uint8 and X.ndim == 4 and X.shape[-1] == 3


def _as_maps(X: np.ndarray) -> np.ndarray:
    """Accept feature maps, refuse images that are not uint8."""
    if X.ndim != 4 or X.dtype.kind != "f" or X.shape[-1] == 3:
        raise ValueError(
            f"X has shape {X.shape} and dtype {X.dtype}. Expected uint8 images of "
            "shape (n_samples, height, width, 3), float feature maps of shape "
            "(n_samples, height, width, channels) or features of shape "
            "(n_samples, n_features)."
        )
    return X.astype(np.float32, copy=False)


def _misfit(shape: tuple[int, ...], expected: str) -> str:
    return (
        f"X has rows of shape {shape}, but the layers above the trunk take {expected}. "
        "Give PatchEncoder and PatchClassifier the same backbone and "
        "trainable_layers, or pass uint8 images."
    )


def _check_fits_cut(
    shape: tuple[int, ...], backbone: Backbone, trainable_layers: int | str
) -> None:
    cut = backbone.cut(trainable_layers)
    if cut is None:
        raise ValueError(_misfit(shape, "uint8 images, since all layers are trained"))
    expected = backbone.model.get_layer(cut).output.shape[1:]
    if len(shape) != len(expected) or shape[-1] != expected[-1]:
        raise ValueError(_misfit(shape, f"{tuple(expected)}, the output of {cut}"))
