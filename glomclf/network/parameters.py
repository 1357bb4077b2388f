"""The parameters of PatchClassifier: their values, and what must not stand together."""

from __future__ import annotations

from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.utils._param_validation import Interval, StrOptions

from ..data.augmenter import PatchAugmenter
from .weight_sources import ORIGINS

if TYPE_CHECKING:
    from .classifier import PatchClassifier


BACKBONE_CONSTRAINTS: dict[str, list] = {
    "backbone": [StrOptions(set(ORIGINS))],
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
    unused = {"head_epochs": 0, "tail_learning_rate": None}
    faults = [
        f"{name}={value} is for trainable layers, but trainable_layers=0 trains the "
        f"head alone. Pass more trainable_layers, or {name}={none}."
        for name, none in unused.items()
        if (value := getattr(net, name)) != none and net.trainable_layers == 0
    ]
    rest = net.epochs - net.head_epochs
    if rest < 1:
        faults.append(
            f"head_epochs={net.head_epochs} leaves none of epochs={net.epochs} to the "
            "trainable layers. Pass more epochs, or fewer head_epochs."
        )
    elif 0 < net.warmup_epochs >= rest:
        faults.append(
            f"warmup_epochs={net.warmup_epochs} does not end within the {rest} epochs "
            "of the schedule. Pass fewer warmup_epochs, or more epochs."
        )
    return faults


def faults_of_rows(net: PatchClassifier, X_val: Any, y_val: Any) -> list[str]:
    """Say what does not go with the rows given to ``fit``."""
    faults = []
    if (X_val is None) != (y_val is None):
        faults.append("X_val and y_val belong together: pass both or neither.")
    elif net.patience is not None and X_val is None:
        faults.append(
            f"patience={net.patience} stops on the validation loss, but fit was given "
            "no X_val and y_val. Pass them, or patience=None."
        )
    if net.augmentation is not None and not net._from_images:
        faults.append(
            f"augmentation={net.augmentation!r} changes images, but X has rows of "
            f"shape {net.input_shape_}. Leave the encoder out, so that images come in, "
            "or pass augmentation=None."
        )
    return faults
