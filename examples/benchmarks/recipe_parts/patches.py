"""The patches of a csv, and the folds they are judged on."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .methods import SEED

SPLITS = ("slide", "half", "centre")
N_FOLDS = {"slide": 5, "half": 2}
Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


class Rows(NamedTuple):
    """Rows that a method may learn from."""

    X: Any
    y: NDArray[np.intp]
    groups: NDArray[Any]


class Patches:
    """Rows of a csv: images, labels, and which belong together.

    Participants stay whole. Where the csv names slides only, as `read_manifest` says,
    each slide counts as one participant.
    """

    def __init__(self, csv: Path, images: Path | None = None):
        from glomclf import read_manifest
        from glomclf.errors import ParticipantWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ParticipantWarning)
            self.manifest = read_manifest(csv, images)
        self.X = self.manifest[["path", "participant"]]
        self.y = self.manifest["label"].to_numpy()
        self.groups = self.manifest["participant"].to_numpy()
        self.names = [Path(path).name for path in self.manifest["path"]]
        self.splits = SPLITS if "centre" in self.manifest else tuple(N_FOLDS)
        self.folds = {split: self._folds(split) for split in self.splits}

    def __str__(self) -> str:
        counts = np.bincount(self.y, minlength=2)
        text = (
            f"{len(self.y)} patches ({counts[0]} of class 0, {counts[1]} of class 1) "
            f"of {len(np.unique(self.groups))} participants"
        )
        if "centre" in self.manifest:
            text += f" and {self.manifest['centre'].nunique()} centres"
        return text

    def rows(self, places: NDArray[np.intp]) -> Rows:
        """Return the rows at some places of the csv."""
        return Rows(self.X.iloc[places], self.y[places], self.groups[places])

    def _folds(self, split: str) -> dict[str, Fold]:
        """Return training and test rows by the name of the fold.

        Five or two stratified folds that keep participants whole, or each centre left
        out.
        """
        from sklearn.model_selection import StratifiedGroupKFold

        from glomclf.data.splitting import leave_one_centre_out

        if split == "centre":
            centres = self.manifest["centre"]
            left_out = leave_one_centre_out(self.manifest)
            return {
                str(centres.iloc[test[0]]): (train, test) for train, test in left_out
            }
        cv = StratifiedGroupKFold(N_FOLDS[split], shuffle=True, random_state=SEED)
        parted = cv.split(self.X, self.y, self.groups)
        return {str(number): fold for number, fold in enumerate(parted)}

    def fingerprint(self) -> str:
        """Hash names, labels, participants and centres; not pixels."""
        columns = [self.names, self.y.tolist(), self.groups.tolist()]
        if "centre" in self.manifest:
            columns.append(self.manifest["centre"].tolist())
        text = "\n".join("\t".join(map(str, row)) for row in zip(*columns, strict=True))
        return hashlib.sha256(text.encode()).hexdigest()
