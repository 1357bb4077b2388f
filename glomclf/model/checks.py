"""Parameters of the front door that contradict each other."""

from __future__ import annotations

from typing import Any

from ..errors import ParameterError
from ..samplers import needs_images
from .pipeline import make_net
from .recipes import decided_on_validation

__all__ = ["refuse_contradictions", "threshold_faults"]


def refuse_contradictions(settings: Any, *, has_X_val: bool, has_y_val: bool) -> None:
    """Refuse settings that contradict each other, all at once.

    Parameters
    ----------
    settings : object
        The parameters of a `GlomeruliClassifier` as attributes, none of them "auto".
    has_X_val, has_y_val : bool
        Whether ``fit`` was given validation rows, and their labels.

    Raises
    ------
    ParameterError
        It says of each contradiction what was given and what to do.
    """
    faults = [
        *_validation_faults(settings, has_X_val, has_y_val),
        *_space_faults(settings),
        *_view_faults(settings),
        *_engine_faults(settings),
        *make_net(settings, 0).faults_of_parts(),
        *threshold_faults(settings, chosen="validation"),
    ]
    if faults:
        raise ParameterError("\n".join(faults))


def _validation_faults(settings: Any, has_X_val: bool, has_y_val: bool) -> list[str]:
    faults = []
    if has_X_val != has_y_val:
        faults.append("X_val and y_val belong together: pass both or neither.")
    if has_X_val or settings.validation_fraction is not None:
        return faults
    looks = decided_on_validation(vars(settings))
    for name in looks:
        does, without = _LOOKS[name]
        faults.append(
            f"{name}={getattr(settings, name)!r} {does} the validation rows, but "
            "validation_fraction=None sets nobody aside. Give a fraction or X_val, "
            f"or pass {without}."
        )
    return faults


_LOOKS = {
    "patience": ("stops on", "patience=None"),
}


def _space_faults(settings: Any) -> list[str]:
    faults = []
    if settings.sampling_space == "features" and needs_images(settings.sampler):
        faults.append(
            f"sampler={settings.sampler!r} transforms images, but "
            'sampling_space="features" resamples features. Pass '
            'sampling_space="pixels", or a sampler without augmentation.'
        )
    if settings.sampling_space == "features" and settings.augmentation is not None:
        faults.append(
            f"augmentation={settings.augmentation!r} trains from images, but "
            'sampling_space="features" resamples the output of frozen layers. Pass '
            'sampling_space="pixels", or augmented_views in place of augmentation.'
        )
    if settings.sampling_space == "features" and settings.trainable_layers == "all":
        faults.append(
            'sampling_space="features" resamples the output of frozen layers, but '
            'trainable_layers="all" leaves none. Pass sampling_space="pixels".'
        )
    return faults


def _view_faults(settings: Any) -> list[str]:
    faults = []
    if settings.augmentation is not None and settings.augmented_views:
        faults.append(
            f"augmentation={settings.augmentation!r} draws new views in every epoch, "
            f"and augmented_views={settings.augmented_views} stores some: pass one of "
            "them, the other as None or 0."
        )
    if settings.augmented_views and settings.trainable_layers == "all":
        faults.append(
            f"augmented_views={settings.augmented_views} is for frozen layers, whose "
            'output is stored, but trainable_layers="all" leaves none. Pass '
            "augmentation."
        )
    return faults


def _engine_faults(settings: Any) -> list[str]:
    """Say what is for the trunk's features where there is no trunk."""
    why = f"augmentation={settings.augmentation!r} trains and predicts from images"
    remedy = "Leave {name} out, or pass augmentation=None."
    if settings.augmentation is None:
        if settings.trainable_layers != "all":
            return []
        why, remedy = 'trainable_layers="all" leaves none', "Leave {name} out."
    plain = {"engine": ("auto", "keras"), "precision": ("float32",)}
    return [
        f"{name}={getattr(settings, name)!r} is for stored output of frozen layers, "
        f"but {why}. {remedy.format(name=name)}"
        for name, usual in plain.items()
        if getattr(settings, name) not in usual
    ]


def threshold_faults(settings: Any, *, chosen: str) -> list[str]:
    """Say what is wrong with the threshold's aim.

    Parameters
    ----------
    settings : object
        With ``threshold``, ``threshold_aim`` and ``threshold_recall``.
    chosen : str
        The threshold that stands for one that is chosen.

    Returns
    -------
    list of str
    """
    faults = []
    if settings.threshold != chosen and settings.threshold_aim != "f1":
        faults.append(
            f'threshold_aim="{settings.threshold_aim}" is for threshold="{chosen}", '
            f"but threshold={settings.threshold} was given."
        )
    if settings.threshold_aim != "recall" and settings.threshold_recall != 0.95:
        faults.append(
            f"threshold_recall={settings.threshold_recall} belongs to "
            f'threshold_aim="recall", but threshold_aim="{settings.threshold_aim}".'
        )
    return faults
