"""What stands for participants who are not known, and what is said about it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import PurePath

import pandas as pd

from .._runtime import as_text
from ..errors import ParticipantWarning
from .participants import inferred_from
from .spellings import is_missing, spelled_alike
from .table_files import TEXT_COLUMNS

# Titles of columns that name participants in the tables of others.
_LIKELY = re.compile(
    r"(patient|case|subject|donor|person|participant)s?[ _.-]*"
    r"(id|no|nr|number|code|name|identifier)?s?",
    re.IGNORECASE,
)
_SPELLED = [name for name in TEXT_COLUMNS if name != "slide"]
_MOST_SHOWN = 20


def slides_and_participants(
    rows: pd.DataFrame, titles: Iterable[str] = ()
) -> tuple[list[str], list[str], str]:
    """Return slide and participant of each row, given, inferred or the next best.

    And the kind of the participants, as `participant_kind` tells it.

    Parameters
    ----------
    rows : DataFrame
        ``name``, and ``slide`` and ``participant`` where there are such columns.
    titles : iterable of str, default=()
        Of all columns: one of them may be that of the participants.
    """
    inferred = inferred_from(rows["name"].to_list()).set_axis(rows.index)
    given = rows.filter(["slide", "participant"])
    is_given = ~given.map(is_missing)
    known = inferred.assign(**given.where(is_given, inferred[given.columns]))
    _warn_of_substitutes(known, given[~is_given].get("participant"), titles)
    stems = [as_text(PurePath(name).with_suffix("")) for name in rows["name"]]
    slides = _first_known(known["slide"], known["participant"], stems)
    participants = _first_known(known["participant"], slides)
    return slides, participants, _kind_of(known)


def _kind_of(known: pd.DataFrame) -> str:
    without = known[known["participant"].isna()]
    if without.empty:
        return "participant"
    if len(without) < len(known) or without["slide"].isna().nunique() > 1:
        return "group"
    return "image" if without["slide"].isna().all() else "slide"


def _first_known(*columns: Iterable[str | None]) -> list[str]:
    rows = zip(*columns, strict=True)
    return [next(str(cell) for cell in row if cell is not None) for row in rows]


def _warn_of_substitutes(
    known: pd.DataFrame, missing: pd.Series | None, titles: Iterable[str]
) -> None:
    """Warn where something else stands for participants, and say what to do."""
    told = []
    if missing is not None and missing.notna().any():
        words = ", ".join(repr(word) for word in sorted(missing.dropna().unique()))
        told.append(
            f"{missing.notna().sum()} of {len(known)} rows have no participant: their "
            f"cells say {words}."
        )
    without = known[known["participant"].isna()]
    if len(without):
        has_slides = without["slide"].notna().any()
        told.append(
            f"The participants of {len(without)} of {len(known)} images are not known. "
            f"Each of {'their slides' if has_slides else 'these images'} is treated as "
            "its own participant. Patches of one person may then fall on both sides of "
            f"a split and raise the scores: {_advice(titles)}."
        )
    if told:
        warnings.warn(" ".join(told), ParticipantWarning, stacklevel=5)


def _advice(titles: Iterable[str]) -> str:
    """Name the column that looks like that of the participants, if there is one."""
    for title in titles:
        if _LIKELY.fullmatch(title.strip()):
            return (
                f"the column {title!r} may name them; then pass "
                f"columns={{'participant': {title!r}}}"
            )
    return "name them in a column 'participant'"


def warn_of_spellings(rows: pd.DataFrame) -> None:
    """Warn of participants, or centres, that differ only in how they are written.

    Parameters
    ----------
    rows : DataFrame
        The columns of names but for ``slide``, where there are such.
    """
    for column in _SPELLED:
        names = rows.get(column, ())
        alike = spelled_alike(name for name in names if not is_missing(name))
        if alike:
            warnings.warn(
                f"{column.capitalize()}s that differ only in how they are written: "
                f"{_pairs(alike)}. Each counts as its own {column}. If they are one, "
                "write them alike.",
                ParticipantWarning,
                stacklevel=4,
            )


def _pairs(alike: Sequence[Sequence[str]]) -> str:
    shown = [" and ".join(map(repr, names)) for names in alike[:_MOST_SHOWN]]
    more = len(alike) - len(shown)
    return "; ".join([*shown, f"{more} more"] if more else shown)
