"""What audits have in common: findings as a table, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..errors import LeakageError


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Parameters
    ----------
    findings : DataFrame
        As `to_frame` returns them.
    folds : DataFrame
        What was looked at, fold by fold.
    """

    findings: pd.DataFrame
    folds: pd.DataFrame

    @property
    def is_leaky(self) -> bool:
        """Whether anything that is judged was trained on as well."""
        return bool(self.findings["leaks"].any())

    def to_frame(self) -> pd.DataFrame:
        """Return the findings as a table.

        Returns
        -------
        findings : DataFrame
            Columns as the class of the audit lists them.
        """
        return self.findings.copy()

    def raise_if_leaky(self) -> None:
        """Raise an error that names all that leaks.

        Raises
        ------
        LeakageError
        """
        if self.is_leaky:
            raise LeakageError(self._complaint(self.findings[self.findings["leaks"]]))

    def _complaint(self, leaks: pd.DataFrame) -> str:
        """Name the leaks, and what to do; for the children to write."""
        raise NotImplementedError
