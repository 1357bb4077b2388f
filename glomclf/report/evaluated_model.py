"""What is known of a model that was evaluated: its data, scores, settings, training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .._runtime import counted
from ..data.participants import kind_of_groups, participant_kind
from ..evaluation.biopsy import BiopsyAgreement, biopsy_agreement
from ..evaluation.evaluation import Evaluation
from ..evaluation.predictions import check_scores
from ..model.ensemble import FoldEnsembleClassifier
from ..model.parts import WITHOUT_EFFECT
from ..model.pipeline import network_of, takes_features

# Of these the name is told, not the folder.
_FILES = ("weights", "encoder__file")


@dataclass(kw_only=True)
class EvaluatedModel:
    """An evaluation, and what is known of the model it is about.

    Parameters
    ----------
    X : DataFrame, array-like of paths, ndarray or None
        The test images; None where there are none to show.
    y : array-like of shape (n_samples,)
        Labels, 0 or 1; an array after.
    y_score : array-like of shape (n_samples,)
        Probabilities of class 1; an array after.
    groups : array-like of shape (n_samples,) or None
        An array after, or None.
    evaluation : Evaluation
    biopsies : BiopsyAgreement, default=None
        None: it is made where groups are participants.
    classifier : object, default=None
        Fitted `GlomeruliClassifier`, `FoldEnsembleClassifier`, or whatever predicted.
    train : DataFrame, default=None
        Training rows, with ``label`` and ``participant``.
    audit : object, default=None
        As from `glomclf.leakage.splits.audit_splits`.
    command : sequence of str, default=None
        Words of the command that made the run.
    n_mistakes : int, default=6
        How many mistakes of either kind are shown.
    explain : bool, default=False
        Whether to draw what the classifier looked at in them.

    Attributes
    ----------
    threshold : float or ndarray of shape (n_samples,)
        One a row where each fold has its own.
    unit : {"participant", "slide", "image", "group"}
        What groups are, as `glomclf.data.participants.kind_of_groups` tells it.
    """

    X: Any
    y: Any
    y_score: Any
    groups: Any
    evaluation: Evaluation
    biopsies: BiopsyAgreement | None = None
    classifier: Any = None
    train: pd.DataFrame | None = None
    audit: Any = None
    command: Sequence[str] | None = None
    n_mistakes: int = 6
    explain: bool = False
    threshold: Any = field(init=False)
    unit: str = field(init=False, default="participant")

    def __post_init__(self) -> None:
        y, y_score, groups = self.y, self.y_score, self.groups
        self.y, self.y_score, _ = check_scores(y, y_score, groups)
        self.threshold = float(self.evaluation.threshold)
        if np.isnan(self.threshold):
            self.threshold = self.classifier.oof_threshold_
        if groups is None:
            return
        self.groups = np.asarray(groups, dtype=object)
        self.unit = kind_of_groups(self.X, groups)
        if self.biopsies is None and self.unit == "participant":
            cut, level = self.threshold, self.evaluation.confidence
            self.biopsies = biopsy_agreement(
                y, y_score, groups, threshold=cut, confidence=level
            )

    @property
    def resampled_as(self) -> dict[str, Any]:
        """What makes bands and intervals of other functions those of the scores."""
        return {
            "groups": self.groups,
            "n_bootstrap": self.evaluation.n_bootstrap,
            "confidence": self.evaluation.confidence,
        }

    @cached_property
    def settings(self) -> dict[str, str]:
        """The settings of the classifier that change its result, as text."""
        # The ensemble's own threshold and seed stand for those of its members.
        told: dict[str, Any] = {}
        for one in (self.networks[0], self.classifier):
            told |= _settings(one)
        return {
            name: Path(value).name if name.endswith(_FILES) and value else str(value)
            for name, value in told.items()
            if name.rpartition("__")[2] not in WITHOUT_EFFECT
        }

    @property
    def of_features(self) -> bool:
        """Whether the classifier takes embeddings, so that there are no images."""
        return takes_features(self.classifier)

    @property
    def members(self) -> list[Any]:
        """The members of an ensemble; none of a single classifier."""
        is_ensemble = isinstance(self.classifier, FoldEnsembleClassifier)
        return self.classifier.estimators_ if is_ensemble else []

    @property
    def networks(self) -> list[Any]:
        """The members of an ensemble, or the classifier alone."""
        return self.members or [self.classifier]

    @cached_property
    def record(self) -> dict[str, Any]:
        """What the classifier recorded of its training."""
        return getattr(self.classifier, "training_record_", {})

    @property
    def first_record(self) -> dict[str, Any]:
        """What the first of the networks recorded of its training."""
        return getattr(self.networks[0], "training_record_", {})

    @cached_property
    def histories(self) -> list[dict[str, list[float]]]:
        """Loss and accuracy of each epoch, of each network; none where not known."""
        found = [getattr(one, "history_", {}) for one in self.networks]
        return [history for history in found if history]

    @property
    def units(self) -> str:
        """What was resampled for intervals."""
        return "rows" if self.groups is None else f"{self.unit}s"

    @property
    def owners(self) -> str:
        """What is counted of training and test rows, in a word."""
        kinds = {self.unit}
        if self.train is not None:
            kinds.add(participant_kind(self.train))
        return "participants" if kinds == {"participant"} else "groups"

    @property
    def patches(self) -> str:
        """How many patches were judged, and of how many participants, in words."""
        told = counted(len(self.y), "patch")
        if self.groups is None or self.unit == "image":
            return told
        return f"{told} of {counted(len(set(self.groups)), self.unit)}"

    @cached_property
    def unknown(self) -> str | None:
        """What is not known of the participants, in a sentence; None if all are."""
        if self.unit == "participant" and self.groups is not None:
            return None
        stands = "Participants are not known, and rows count as independent"
        if self.unit == "slide":
            stands = "Participants are not known, and slides stand for them"
        if self.unit == "group":
            stands = "Not all participants are known; slides or images stand for some"
        return (
            f"{stands}: those of one person count as several, so that intervals are "
            "too narrow, and whether somebody was trained on cannot be told."
        )

    @cached_property
    def other_training(self) -> str | None:
        """Why `train` is not what the model was trained on; None if nothing tells."""
        if self.train is None or "n_samples" not in self.record:
            return None
        n_rows, n_given = self.record["n_samples"], len(self.train)
        n_all = n_rows + self.record.get("n_validation_samples", 0)
        n_known = self.record.get("n_participants") or np.inf
        owners = self.train.get("participant", pd.Series(dtype=object)).nunique()
        told = f"{n_given}, and the model was trained on {n_all}"
        if n_given in (n_rows, n_all):  # validation rows may be others
            if owners <= n_known:  # fewer may be those that both files showed to be one
                return None
            whom = f"{owners} {participant_kind(self.train)}s"
            told = f"of {whom}, and those the model was trained on of {n_known}"
        return (
            f"The training rows given are {told}: what is said of leaks is of other "
            "rows than those."
        )

    @cached_property
    def shared_participants(self) -> list[str] | None:
        """Participants on both sides; None where that cannot be known."""
        if self.train is None or "participant" not in self.train or self.groups is None:
            return None
        kinds = {self.unit, participant_kind(self.train)}
        if "image" in kinds:  # two images of one name need not be of one person
            return None
        known = set(map(str, self.train["participant"]))
        shared = sorted(known & set(map(str, self.groups)))  # 7 may be "7" there
        are_all_known = kinds == {"participant"} and self.other_training is None
        return shared if shared or are_all_known else None


def _settings(classifier: Any) -> dict[str, Any]:
    """Return its parameters, and those of its parts; the default network's as well."""
    if not hasattr(classifier, "get_params"):
        return {}
    settings = classifier.get_params(deep=False)
    settings.pop("estimator", None)  # of an ensemble: its members are told of
    if "network" in settings:
        settings["network"] = network_of(classifier)
    for name in ("encoder", "network"):
        if (part := settings.get(name)) is not None:
            inside = part.get_params(deep=False)
            settings |= {f"{name}__{key}": value for key, value in inside.items()}
            settings[name] = type(part).__name__
    return settings
