"""The parameters of PatchClassifier: their values, and what must not stand together."""

from __future__ import annotations

from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING

from sklearn.utils._param_validation import Interval, StrOptions

from ..data.augmenter import PatchAugmenter

if TYPE_CHECKING:
    from .classifier import PatchClassifier


BACKBONE_CONSTRAINTS: dict[str, list] = {
    "backbone": [
        StrOptions({"resnet50", "resnet50-v1.5", "efficientnet-lite0", "cnn"})
    ],
    "weights": [str, Path, None],
    "normalization": [str, tuple, list, None],
    "trainable_layers": [
        Interval(Integral, 0, None, closed="left"),
        StrOptions({"all"}),
    ],
}
CLASSIFIER_CONSTRAINTS: dict[str, list] = {
    **BACKBONE_CONSTRAINTS,
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
    "schedule": [StrOptions({"constant", "cosine"})],
    "warmup_epochs": [Interval(Real, 0, None, closed="left")],
    "weight_decay": [Interval(Real, 0, None, closed="left"), None],
    "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
    "label_smoothing": [Interval(Real, 0, 0.5, closed="left")],
    "head_epochs": [Interval(Integral, 0, None, closed="left")],
    "tail_learning_rate": [Interval(Real, 0, None, closed="neither"), None],
    "augmentation": [str, PatchAugmenter, None],
}


def faults_of_parts(net: PatchClassifier) -> list[str]:
    """Say what is wrong with the epochs, and with the parts that they train.

    Parameters
    ----------
    net : PatchClassifier

    Returns
    -------
    list of str
        A sentence for each fault, which names what to pass instead.

    Examples
    --------
    >>> from glomclf import PatchClassifier
    >>> from glomclf.network.parameters import faults_of_parts
    >>> faults_of_parts(PatchClassifier(head_epochs=2))[0]
    'head_epochs=2 is for trainable layers, but trainable_layers=0 trains the head ...'
    """
    return [*_faults_without_tail(net), *_faults_of_epochs(net)]


def _faults_without_tail(net: PatchClassifier) -> list[str]:
    unused = {"head_epochs": 0, "tail_learning_rate": None}
    return [
        f"{name}={value} is for trainable layers, but trainable_layers=0 trains the "
        f"head alone. Pass more trainable_layers, or {name}={none}."
        for name, none in unused.items()
        if (value := getattr(net, name)) != none and net.trainable_layers == 0
    ]


def _faults_of_epochs(net: PatchClassifier) -> list[str]:
    rest = net.epochs - net.head_epochs
    if rest < 1:
        return [
            f"head_epochs={net.head_epochs} leaves none of epochs={net.epochs} to the "
            "trainable layers. Pass more epochs, or fewer head_epochs."
        ]
    if 0 < net.warmup_epochs >= rest:
        return [
            f"warmup_epochs={net.warmup_epochs} does not end within the {rest} epochs "
            "of the schedule. Pass fewer warmup_epochs, or more epochs."
        ]
    return []


def faults_of_validation(
    net: PatchClassifier, *, has_X_val: bool, has_y_val: bool
) -> list[str]:
    """Say what is wrong with validation rows, or with their absence."""
    if has_X_val != has_y_val:
        return ["X_val and y_val belong together: pass both or neither."]
    if net.patience is None or has_X_val:
        return []
    return [
        f"patience={net.patience} stops on the validation loss, but fit was given no "
        "X_val and y_val. Pass them, or patience=None."
    ]


def faults_of_augmentation(net: PatchClassifier, *, from_images: bool) -> list[str]:
    """Say what is wrong with an augmentation of the rows given to ``fit``."""
    if net.augmentation is None or from_images:
        return []
    return [
        f"augmentation={net.augmentation!r} changes images, but X has rows of shape "
        f"{net.input_shape_}. Leave the encoder out, so that images come in, or pass "
        "augmentation=None."
    ]
