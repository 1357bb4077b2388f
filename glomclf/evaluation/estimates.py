"""Scores with intervals, as a table, as text and as plain types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from .plain import plain


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """Scores with their intervals.

    Parameters
    ----------
    scores : dict of str to float
        NaN where undefined.

    intervals : dict of str to (float, float)
        Lower and upper end; NaN where no interval can be given.

    n_effective : dict of str to float
        Effective number of participants behind each interval, see `.intervals`;
        NaN where there is none.

    notes : dict of str to str
        What to know about single scores: why one is undefined or has no interval.

    confidence : float
        In (0, 1).

    n_bootstrap : int
        Number of bootstrap replicates.

    caution : str, default=""
        Why the intervals as a whole are not to be trusted; empty if they are.
    """

    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    n_effective: dict[str, float]
    notes: dict[str, str]
    confidence: float
    n_bootstrap: int
    caution: str = ""

    @property
    def level(self) -> str:
        """Confidence in words, such as "95 %"."""
        return f"{100 * self.confidence:g} %"

    def interval(self, name: str) -> tuple[float, float]:
        """Return the interval of a score.

        Parameters
        ----------
        name : str
            One of the names in `scores`.

        Returns
        -------
        low, high : float
            NaN where no interval can be given; `notes` says why.

        Raises
        ------
        KeyError
            If there is no such score.
        """
        if name not in self.intervals:
            raise KeyError(f"no score {name!r}; there are {', '.join(self.intervals)}")
        return self.intervals[name]

    def to_frame(self) -> pd.DataFrame:
        """Return the scores as a table.

        Returns
        -------
        frame : DataFrame
            Index ``score``; columns ``value``, ``low``, ``high``, ``n_effective`` and
            ``note``.
        """
        return pd.DataFrame(
            {
                "value": self.scores,
                "low": {name: ends[0] for name, ends in self.intervals.items()},
                "high": {name: ends[1] for name, ends in self.intervals.items()},
                "n_effective": self.n_effective,
                "note": {name: self.notes.get(name, "") for name in self.scores},
            },
            index=pd.Index(list(self.scores), name="score"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types that JSON can hold; NaN becomes None.

        Returns
        -------
        content : dict
        """
        return plain(vars(self))

    def __str__(self) -> str:
        ends = {
            name: f"{low:.3f} to {high:.3f}".replace("nan to nan", "none")
            for name, (low, high) in self.intervals.items()
        }
        table = pd.DataFrame({"value": self.scores, f"{self.level} interval": ends})
        remarks = [f"{name}: {note}" for name, note in self.notes.items()]
        if self.caution:
            remarks.append(f"Caution: {self.caution}")
        rows = table.to_string(float_format="{:.3f}".format)
        return "\n".join(filter(None, [self._heading(), rows, *remarks]))

    def _heading(self) -> str:
        """Say what was scored; for the children to fill."""
        return ""
