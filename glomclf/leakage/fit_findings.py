"""What follows from the calls of a fit: who was seen that must not be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .noted_calls import SYNTHETIC, Call, Ledger

__all__ = ["COLUMNS", "MEANINGS", "Verdict"]

MEANINGS = {
    "judged participant seen": "rows of a judged participant were used in the fit",
    "validation row is not real": "it is no row of the data; a sampler made it",
    "validation participant trained on": "early stopping watches known participants",
    "own validation split": "validation rows are cut from resampled rows, or within "
    "participants",
    "own participants predicted": "within the fit, a model predicts participants it "
    "was trained on; a threshold chosen on that would be too good",
    "rows not recognised": "they could not be traced to rows of the data",
}
COLUMNS = ("fold", "kind", "leaks", "step", "n_rows", "participants")
_NO_LEAKS = ("own participants predicted", "rows not recognised")


class Verdict:
    """Judge what was noted of one fit."""

    def __init__(self, ledger: Ledger, owner: NDArray, train: NDArray, test: NDArray):
        self.noted = ledger.calls
        self.owner = owner
        self.train = set(np.asarray(train).tolist())
        self.judged = set(owner[test])
        keys = {key for call in ledger.calls for key in (*call.keys, *call.trained_on)}
        self.origins = {key: ledger.origins(key) for key in keys}
        self.rows = {key: rows - {SYNTHETIC} for key, rows in self.origins.items()}

    def calls(self) -> list[dict[str, Any]]:
        """Count the rows of every call."""
        return [
            {
                "step": call.step,
                "method": call.method,
                "role": call.role,
                "n_rows": len(call.keys),
                "n_synthetic": sum(self.origins[k] == {SYNTHETIC} for k in call.keys),
                "n_unrecognised": sum(not self.origins[key] for key in call.keys),
                "n_participants": len(self._surely(call.keys)),
            }
            for call in self.noted
        ]

    def findings(self) -> list[dict[str, Any]]:
        """List all that is wrong."""
        found = []
        for call in self.noted:
            for kind, keys in self._faults(call):
                who = ", ".join(sorted(set().union(*map(self._owners, keys))))
                about = (kind, kind not in _NO_LEAKS, call.step, len(keys), who)
                found.append(dict(zip(COLUMNS[1:], about, strict=True)))
        return [one for one in found if one["n_rows"]]

    def _faults(self, call: Call) -> Iterator[tuple[str, list[bytes]]]:
        """Give for each kind of finding the rows of a call that it is true of."""
        yield "judged participant seen", list(filter(self._is_judged, call.keys))
        if not any(map(self.origins.get, call.keys)):
            yield "rows not recognised", call.keys
        if call.splits_itself:
            yield "own validation split", call.keys
        trained = self._surely(call.trained_on)
        who = {key: self._owners(key) for key in call.keys}
        shared = [key for key in call.keys if who[key] and who[key] <= trained]
        if call.role == "validation":
            unreal = [key for key in call.keys if not self.rows[key]]
            yield "validation row is not real", unreal
            yield "validation participant trained on", shared
        elif call.role == "prediction":
            yield "own participants predicted", shared

    def _is_judged(self, key: bytes) -> bool:
        """Whether a row can only be one of a judged participant."""
        rows = self.rows[key]
        of_judged = self._owners(key) <= self.judged
        return bool(rows) and (not rows & self.train or of_judged)

    def _surely(self, keys: Iterable[bytes]) -> set[str]:
        """Participants of whom rows are there, leaving doubtful rows aside."""
        owners = [self._owners(key) for key in keys]
        return set().union(*(who for who in owners if len(who) == 1))

    def _owners(self, key: bytes) -> set[str]:
        return {self.owner[row] for row in self.rows[key]}
