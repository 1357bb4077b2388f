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

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

__all__ = ["CLAIM", "TRIPOD_AI", "Checklist"]


@dataclass(frozen=True)
class Checklist:
    """A reporting checklist.

    Parameters
    ----------
    name : str
    reference : str
        The article that sets it out.
    file : str
        Its items in the folder of templates.

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
    file: str

    @cached_property
    def items(self) -> pd.DataFrame:
        """The items in the order of the source.

        Index ``item``, their number in the source; columns ``section``, where in an
        article it belongs, ``asks``, what is to be reported, in our words, and
        ``fact``, the name of the fact that answers it, empty where a run knows none.
        """
        path = Path(__file__).with_name("templates") / self.file
        return pd.read_csv(path, dtype=str, keep_default_na=False, index_col="item")

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
        answers = [facts.get(fact, "") for fact in self.items["fact"]]
        return self.items.drop(columns="fact").assign(answer=answers)


CLAIM = Checklist(
    "CLAIM 2024",
    "Tejani AS, Klontzas ME, Gatti AA, et al. Checklist for Artificial Intelligence in "
    "Medical Imaging (CLAIM): 2024 update. Radiology: Artificial Intelligence "
    "2024;6:e240300. doi:10.1148/ryai.240300",
    "claim_2024.csv",
)

TRIPOD_AI = Checklist(
    "TRIPOD+AI",
    "Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement: updated guidance for "
    "reporting clinical prediction models that use regression or machine learning "
    "methods. BMJ 2024;385:e078378. doi:10.1136/bmj-2023-078378",
    "tripod_ai.csv",
)
