"""Reporting checklists for studies of prediction models, filled as far as a run knows.

CLAIM [1]_ is for artificial intelligence in medical imaging, TRIPOD+AI [2]_ for
prediction models. Items are told in our own short words; what an article must say is in
the sources, and a filled item is a start for it, not the whole answer.

References
----------
.. [1] Tejani AS, Klontzas ME, Gatti AA, et al. Checklist for Artificial Intelligence in
   Medical Imaging (CLAIM): 2024 update. Radiology: Artificial Intelligence
   2024;6:e240300.
.. [2] Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement: updated guidance for
   reporting clinical prediction models that use regression or machine learning methods.
   BMJ 2024;385:e078378.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

__all__ = ["CLAIM", "TRIPOD_AI", "Checklist", "ChecklistItem"]


@dataclass(frozen=True)
class ChecklistItem:
    """One item of a checklist.

    Parameters
    ----------
    item : str
        Its number, as in the source.
    section : str
        Where in an article it belongs.
    asks : str
        What is to be reported, in our words.
    fact : str
        Name of the fact that answers it; empty where a run knows none.
    """

    item: str
    section: str
    asks: str
    fact: str


@dataclass(frozen=True)
class Checklist:
    """A reporting checklist.

    Parameters
    ----------
    name : str
    reference : str
        The article that sets it out.
    items : tuple of ChecklistItem
        In the order of the source.

    Examples
    --------
    >>> from glomclf.report.checklists import CLAIM
    >>> CLAIM.name, len(CLAIM.items)
    ('CLAIM 2024', 44)
    >>> table = CLAIM.fill({"goal": "Evaluation of a classifier of patches."})
    >>> table.loc["6", "answer"], (table["answer"] == "").sum()
    ('Evaluation of a classifier of patches.', np.int64(43))
    """

    name: str
    reference: str
    items: tuple[ChecklistItem, ...]

    def fill(self, facts: Mapping[str, str]) -> pd.DataFrame:
        """Put facts beside the items that they answer.

        Parameters
        ----------
        facts : mapping of str to str
            By name; those that no item asks for are left out.

        Returns
        -------
        table : DataFrame
            Index ``item``; columns ``section``, ``asks`` and ``answer``, which is empty
            where the item is open.
        """
        table = pd.DataFrame(self.items).set_index("item")
        table["answer"] = [facts.get(fact, "") for fact in table.pop("fact")]
        return table


def _items(file: str) -> tuple[ChecklistItem, ...]:
    with (
        Path(__file__)
        .with_name("templates")
        .joinpath(file)
        .open(encoding="utf-8") as rows
    ):
        return tuple(ChecklistItem(**row) for row in csv.DictReader(rows))


CLAIM = Checklist(
    "CLAIM 2024",
    "Tejani AS, Klontzas ME, Gatti AA, et al. Checklist for Artificial Intelligence in "
    "Medical Imaging (CLAIM): 2024 update. Radiology: Artificial Intelligence "
    "2024;6:e240300. doi:10.1148/ryai.240300",
    _items("claim_2024.csv"),
)

TRIPOD_AI = Checklist(
    "TRIPOD+AI",
    "Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement: updated guidance for "
    "reporting clinical prediction models that use regression or machine learning "
    "methods. BMJ 2024;385:e078378. doi:10.1136/bmj-2023-078378",
    _items("tripod_ai.csv"),
)
