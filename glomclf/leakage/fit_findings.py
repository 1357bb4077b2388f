"""What follows from the calls of a fit: who was seen that must not be."""

from __future__ import annotations

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

    def __init__(
        self, fold: int, ledger: Ledger, owner: NDArray, train: NDArray, test: NDArray
    ):
        self.fold = fold
        self.noted = ledger.calls
        self.owner = owner
        self.train = set(np.asarray(train).tolist())
        self.judged = set(owner[test])
        keys = {key for call in ledger.calls for key in (*call.keys, *call.trained_on)}
        self.known = {key: ledger.origins(key) for key in keys}

    def calls(self) -> list[dict[str, Any]]:
        """Count the rows of every call."""
        made = {key for key, rows in self.known.items() if rows == {SYNTHETIC}}
        return [
            {
                "fold": self.fold,
                "step": call.step,
                "method": call.method,
                "role": call.role,
                "n_rows": len(call.keys),
                "n_synthetic": sum(key in made for key in call.keys),
                "n_unrecognised": sum(not self.known[key] for key in call.keys),
                "n_participants": len(self._surely(call.keys)),
            }
            for call in self.noted
        ]

    def findings(self) -> list[dict[str, Any]]:
        """List all that is wrong."""
        found: list[dict[str, Any]] = []
        for call in self.noted:
            found += self._of_any(call)
            if call.role == "validation":
                found += self._of_validation(call)
            elif call.role == "prediction":
                shared = self._shared(call)
                found += self._one("own participants predicted", call, shared)
        return found

    def _of_any(self, call: Call) -> list[dict[str, Any]]:
        judged = [key for key in call.keys if self._is_judged(key)]
        found = self._one("judged participant seen", call, judged)
        if not any(self.known[key] for key in call.keys):
            found += self._one("rows not recognised", call, call.keys)
        if call.splits_itself:
            found += self._one("own validation split", call, call.keys)
        return found

    def _of_validation(self, call: Call) -> list[dict[str, Any]]:
        unreal = [key for key in call.keys if not self.known[key] - {SYNTHETIC}]
        found = self._one("validation row is not real", call, unreal)
        return found + self._one(
            "validation participant trained on", call, self._shared(call)
        )

    def _is_judged(self, key: bytes) -> bool:
        """Whether a row can only be one of a judged participant."""
        rows = self.known[key] - {SYNTHETIC}
        of_judged = {self.owner[row] for row in rows} <= self.judged
        return bool(rows) and (not rows & self.train or of_judged)

    def _surely(self, keys: list[bytes]) -> set[str]:
        """Participants of whom rows are there, leaving doubtful rows aside."""
        owners = [self._owners(key) for key in keys]
        return {next(iter(who)) for who in owners if len(who) == 1}

    def _owners(self, key: bytes) -> set[str]:
        return {self.owner[row] for row in self.known[key] - {SYNTHETIC}}

    def _shared(self, call: Call) -> list[bytes]:
        trained = self._surely(call.trained_on)
        return [
            key
            for key in call.keys
            if (owners := self._owners(key)) and owners <= trained
        ]

    def _one(self, kind: str, call: Call, keys: list[bytes]) -> list[dict[str, Any]]:
        if not keys:
            return []
        who = sorted({name for key in keys for name in self._owners(key)})
        leaks = kind not in _NO_LEAKS
        values = (self.fold, kind, leaks, call.step, len(keys), ", ".join(who))
        return [dict(zip(COLUMNS, values, strict=True))]
