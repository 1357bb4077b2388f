"""How long a study will take, from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .figures import Figure

__all__ = ["Study", "estimate_study"]

# Balanced classes at the seed's prevalence of 18 %: 0.64 new images for each old one.
_NEW_IMAGES = 0.64


@dataclass(frozen=True)
class Study:
    """A cross-validation, repeated for each trial of a tuning.

    Attributes
    ----------
    images, folds, epochs, trials : int
    """

    images: int
    folds: int = 5
    epochs: int = 10
    trials: int = 1


def estimate_study(study: Study, figures: Sequence[Figure]) -> dict[str, float] | None:
    """Estimate the seconds of a study whose head alone is trained.

    Each image runs through the trunk once, and so does each that the sampler adds in a
    fold: a share of 0.64 of the training rows, as for balanced classes at a prevalence
    of 18 %. Then every trial trains a head in each fold. The plain pipeline runs all of
    these through the network in every epoch of every trial.

    Parameters
    ----------
    study : Study
    figures : sequence of Figure
        Those of the sections ``loading``, ``engines`` and ``training``.

    Returns
    -------
    dict of str to float or None
        Seconds of ``reading``, ``trunk``, ``heads``, ``total`` and ``plain pipeline``;
        None where a section was not measured.
    """
    value = {(f.section, f.name): f.value for f in figures}
    reading = [v for (s, n), v in value.items() if s == "loading" and "Pillow, " in n]
    engine = ("OpenVINO float32", "tf.function")
    rates = [value.get(("engines", f"{name}: rate")) for name in engine]
    trunk = next((rate for rate in rates if rate), None)
    plain = value.get(("engines", "tf.function: rate"))
    head = value.get(("training", "head, from features"))
    a_fit = value.get(("training", "head, from features: beside epochs"))
    if not reading or trunk is None or plain is None or head is None or a_fit is None:
        return None
    rows = study.images * (study.folds - 1) * (1 + _NEW_IMAGES)  # in all folds
    new = study.images * (study.folds - 1) * _NEW_IMAGES
    fits = study.trials * study.folds
    parts = {
        "reading": study.images / reading[-1],
        "trunk": (study.images + new) / trunk,
        "heads": fits * a_fit + study.trials * study.epochs * rows / head,
    }
    parts["total"] = sum(parts.values())
    parts["plain pipeline"] = (
        study.trials * (study.epochs * rows + study.images) / plain
    )
    return parts
