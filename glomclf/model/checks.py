"""Parameters of GlomeruliClassifier that contradict each other, or the rows given."""

from __future__ import annotations

import os
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions

from ..data.labels import class_weight_faults
from ..errors import ParameterError
from ..evaluation.thresholds import RecallAtLeast
from ..network import PatchClassifier, PatchEncoder
from ..network.image_encoder import ImageEncoder
from ..network.parameters import faults_of_parts
from ..samplers import needs_images
from ..samplers.named import mixes_rows
from .linear_probe import LinearProbe
from .pipeline import holds_features, network_of, takes_features, weight_parameter

THRESHOLD_CONSTRAINT = [
    Interval(Real, 0, 1, closed="both"),
    StrOptions({"f1"}),
    RecallAtLeast,
]


def chooses_threshold(classifier: Any) -> bool:
    """Tell whether the threshold is chosen, not given."""
    return isinstance(classifier.threshold, str | RecallAtLeast)


def looks_at_validation(classifier: Any) -> bool:
    """Tell whether the training stops early on validation rows."""
    return getattr(network_of(classifier), "patience", None) is not None


def refuse_contradictions(
    classifier: Any,
    *,
    of_features: bool | None = None,
    classes: Any = None,
    has_X_val: bool = False,
    has_y_val: bool = False,
    is_weighted: bool = False,
) -> None:
    """Refuse settings that contradict each other, all at once.

    Parameters
    ----------
    classifier : GlomeruliClassifier
    of_features : bool or None, default=None
        Whether ``fit`` was given features in place of images; None: nothing was given.
    classes : ndarray of shape (2,) or None, default=None
        The labels that it was given.
    has_X_val, has_y_val : bool, default=False
        Whether it was given validation rows, and their labels.
    is_weighted : bool, default=False
        Whether it was given weights of rows.

    Raises
    ------
    ParameterError
        It says of each contradiction what was given and what to do.
    """
    network = network_of(classifier)
    for part in (network, classifier.encoder):
        if isinstance(part, PatchClassifier | ImageEncoder):
            part._validate_params()  # now, not when all images are encoded
    faults = _faults_of_rows(classifier, network, has_X_val, has_y_val)
    faults += class_weight_faults(network, classes)
    if is_weighted:
        faults += _weight_faults(classifier, network)
    if of_features:
        faults += _feature_faults(classifier, network)
    elif isinstance(network, PatchClassifier):
        faults += _encoder_faults(classifier.encoder, network)
        faults += _space_faults(classifier, network)
    elif of_features is False and classifier.encoder is None:
        faults.append(
            f"X holds images, but network={network!r} has no layers of its own that "
            "turn them into features. Pass an encoder, such as encoder=PatchEncoder()."
        )
    if isinstance(network, PatchClassifier):
        faults += faults_of_parts(network)
    if faults:
        raise ParameterError("\n".join(faults))


def _those(faults: dict[str, bool]) -> list[str]:
    """Return the sentences that are true."""
    return [told for told, is_so in faults.items() if is_so]


def refuse_other_rows(classifier: Any, X: Any) -> None:
    """Refuse images where the classifier was fitted on features, and the other way.

    Parameters
    ----------
    classifier : GlomeruliClassifier
        Fitted.
    X : DataFrame, array-like of paths, or ndarray

    Raises
    ------
    ParameterError
    """
    if not takes_features(classifier):
        if holds_features(X):
            raise ParameterError(
                f"X holds features of shape {np.shape(X)}, but this model was trained "
                "on images and makes its own. Pass images, or a model that was trained "
                "on features like these."
            )
        return
    n_features = classifier.n_features_in_
    shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
    has_paths = isinstance(X, pd.DataFrame) and "path" in X
    if has_paths or len(shape) == 4 or _are_paths(X, shape):
        raise ParameterError(
            f"X holds images, but this model was trained on {n_features} features of "
            "each and has no encoder. Pass the features that the same encoder gives of "
            "these images: X=read_embeddings(FILE, manifest)."
        )
    if len(shape) == 2 and shape[1] != n_features:
        raise ParameterError(
            f"X has {shape[1]} features, but {type(classifier).__name__} is "
            f"expecting {n_features} features as input. Pass those of the encoder that "
            "it was trained with."
        )


def _are_paths(X: Any, shape: tuple[int, ...]) -> bool:
    is_list = len(shape) == 1 and shape[0] > 0
    return is_list and isinstance(next(iter(X)), str | os.PathLike)


def _faults_of_rows(
    classifier: Any, network: Any, has_X_val: bool, has_y_val: bool
) -> list[str]:
    """Say where rows cannot be set aside, sampled or chosen on as asked."""
    share, sampler = classifier.validation_fraction, classifier.sampler
    recall: Any = getattr(classifier.threshold, "recall", 1)
    is_share = isinstance(recall, Real) and 0 < float(recall) <= 1
    chooses = isinstance(network, LinearProbe) and network._chooses
    faults = {
        f"threshold={classifier.threshold!r} asks for a recall outside (0, 1].":
            not is_share,
        "X_val and y_val belong together: pass both or neither.":
            has_X_val != has_y_val,
        f"validation_fraction={share} sets training participants aside, but X_val was "
        "given as well. Pass one of them.":
            has_X_val and has_y_val and share is not None,
        f"sampler={sampler!r} makes rows of no participant, but "
        f"network__C={getattr(network, 'C', None)!r} is chosen on folds by "
        "participant. Pass sampler=None, or one number as network__C.":
            sampler is not None and chooses,
    }  # fmt: skip
    return _those(faults)


def _weight_faults(classifier: Any, network: Any) -> list[str]:
    """Say where weights of rows do not reach the network."""
    faults = []
    if mixes_rows(classifier.sampler):
        faults.append(
            f"sample_weight: sampler={classifier.sampler!r} makes rows out of several "
            'others, which have no weight of their own. Pass sampler=None, "augment", '
            '"oversample" or "undersample".'
        )
    try:
        weight_parameter(network)
    except ParameterError as error:
        faults.append(str(error))
    return faults


def _feature_faults(classifier: Any, network: Any) -> list[str]:
    """Say what is for images, where X holds features."""
    why = "is for images, but X holds features of shape (n_samples, n_features)"
    given = {
        "stain_normalizer": (classifier.stain_normalizer, None),
        "encoder": (classifier.encoder, None),
        "predict_views": (classifier.predict_views, 1),
        "network__augmentation": (getattr(network, "augmentation", None), None),
        "network__trainable_layers": (getattr(network, "trainable_layers", 0), 0),
    }
    faults = [
        f"{name}={value!r} {why}. Pass {name}={without}."
        for name, (value, without) in given.items()
        if value != without
    ]
    if needs_images(classifier.sampler):
        faults.append(
            f"sampler={classifier.sampler!r} {why}. Pass a sampler without "
            'augmentation, such as "smote", or None.'
        )
    return faults


def _space_faults(classifier: Any, network: PatchClassifier) -> list[str]:
    if classifier.sampling_space == "pixels":
        return []
    faults = {
        f"sampler={classifier.sampler!r} transforms images, but "
        'sampling_space="features" resamples features. Pass sampling_space="pixels", '
        "or a sampler without augmentation.":
            needs_images(classifier.sampler),
        f"network__augmentation={network.augmentation!r} trains from images, but "
        'sampling_space="features" resamples the output of frozen layers. Pass '
        'sampling_space="pixels", or network__augmentation=None.':
            network.augmentation is not None,
        'sampling_space="features" resamples the output of frozen layers, but '
        'network__trainable_layers="all" leaves none. Pass sampling_space="pixels".':
            network.trainable_layers == "all",
    }  # fmt: skip
    return _those(faults)


def _encoder_faults(encoder: Any, network: PatchClassifier) -> list[str]:
    """Say where encoder and network do not go together."""
    layers = network.trainable_layers
    if encoder is None:
        return []
    if network.augmentation is not None:
        return [
            f"network__augmentation={network.augmentation!r} trains and predicts from "
            f"images, but encoder={encoder!r} gives it features. Pass one of them."
        ]
    if not isinstance(encoder, PatchEncoder):
        told = (
            f"network__trainable_layers={layers!r} trains layers of "
            f"network__backbone={network.backbone!r}, but encoder={encoder!r} stands "
            "in place of all of them. Pass network__trainable_layers=0."
        )
        return [told] if layers != 0 else []
    shared = ("backbone", "weights", "normalization") if layers != 0 else ()
    return [
        f"encoder__{name}={theirs!r}, but network__{name}={ours!r}: the network goes "
        "on where the encoder ends. Give both the same."
        for name in ("trainable_layers", *shared)
        if (theirs := getattr(encoder, name)) != (ours := getattr(network, name))
    ]
