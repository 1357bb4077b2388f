"""Whose patch a row is: as given, as file names tell, or what stands for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_consistent_length

from ..errors import LeakageError, SplitError

# Of a table: what its participants are. Rows that are taken from it keep it.
KIND = "glomclf.participants"
_PATCH_NAME = re.compile(
    r"((S-\d{4}|\d+)-(\d+)_[A-Za-z]+_(\d+)of(\d+))_.+"  # slide, batch, number, parts
)
_SET_REACH = 50


def participants_of(X: Any, groups: ArrayLike | None = None) -> NDArray[Any] | None:
    """Return the participant of each row: as given, or the column ``participant``.

    Parameters
    ----------
    X : DataFrame, array-like of paths, or ndarray
    groups : array-like of shape (n_samples,), default=None
        Participants, where they are given.

    Returns
    -------
    ndarray of shape (n_samples,) or None
        None where they are not known.

    Raises
    ------
    SplitError
        If the participants of some rows are missing, or are text in some rows and
        numbers in others.
    ValueError
        If `groups` has not one entry a row.
    """
    if groups is None:
        if not isinstance(X, pd.DataFrame) or "participant" not in X:
            return None
        groups = X["participant"]
    check_consistent_length(X, groups)
    entries = pd.Series(np.asarray(groups, dtype=object))
    if entries.isna().any():
        rows = ", ".join(map(str, np.flatnonzero(entries.isna())))
        raise SplitError(
            f"the participant is missing in rows {rows}; name it, or leave them out"
        )
    if len({isinstance(entry, str) for entry in entries}) > 1:
        raise SplitError(
            "some participants are text and some are numbers, so that one may have two "
            "names; write all of them as text"
        )
    return np.asarray(groups)


def refuse_shared_participants(groups: NDArray[Any] | None, X_val: Any) -> None:
    """Refuse validation rows of participants who are trained on.

    Raises
    ------
    LeakageError
        It names them.
    """
    judged = participants_of(X_val)
    if groups is None or judged is None:
        return
    shared = sorted(set(map(str, groups)) & set(map(str, judged)))  # 7 may be "7" there
    if shared:
        raise LeakageError(
            f"{len(shared)} participants are in both X and X_val: "
            f"{', '.join(shared)}. Keep each participant on one side."
        )


def infer_participants(names: Iterable[str]) -> NDArray[np.object_]:
    """Tell participants from names like ``S-2006-005094_PAS_1of2_6455.png``.

    A name `<accession>_<stain>_<part>of<parts>_<image>.<ending>` belongs to the slide
    before its last part. Its accession is `S-<year and month>-<number>` or
    `<number>-<number>`. Slides belong to one participant if

    1. they have the same accession; or
    2. they are the two sections of one biopsy: `1of2` with number N and `2of2` with
       number N - 1 of the same batch `S-<year and month>`; or
    3. they are different parts of a set of three or more (`1of3`, `2of3`, `3of3`)
       of the same batch, at most 50 numbers from one another.

    Links add up. Where a name leaves doubt the rule merges: two participants taken
    for one cost a little data, one taken for two leaks.

    Parameters
    ----------
    names : iterable of str, of length n_images
        File names, with or without folders.

    Returns
    -------
    participants : ndarray of shape (n_images,), dtype object
        The lowest accession of each participant, or None where a name is not of this
        form. The missing half of a pair counts, so that rule 2 names a
        participant alike in csv files that hold one section each. Rule 3 sees only
        the names given: pass those of all files together to compare across files.

    Examples
    --------
    >>> from glomclf.data.participants import infer_participants
    >>> infer_participants(
    ...     [
    ...         "S-2010-004231_PAS_1of2_a.png",
    ...         "S-2010-004230_PAS_2of2_b.png",
    ...         "18-162_PAS_3of6_c.png",
    ...         "patch.png",
    ...     ]
    ... )
    array(['S-2010-004230', 'S-2010-004230', '18-162', None], dtype=object)
    """
    return inferred_from(names)["participant"].to_numpy()


def inferred_from(names: Iterable[str]) -> pd.DataFrame:
    """Return slide and participant as file names tell them, None where they do not."""
    sections = [_section(name) for name in names]
    participant = _participant_of({section for section in sections if section})
    rows = [
        (section.slide, participant[section.accession]) if section else (None, None)
        for section in sections
    ]
    return pd.DataFrame(rows, columns=["slide", "participant"], dtype=object)


class _Accession(NamedTuple):
    """One number of a batch, or the pair of sections that begins with it."""

    batch: str
    number: int
    is_pair: bool
    text: str


class _Section(NamedTuple):
    """What a file name says about its slide."""

    accession: _Accession
    part: int
    parts: int
    slide: str

    def links(self, after: Iterable[_Section]) -> Iterator[_Accession]:
        """Yield accessions of the same participant, of what is sorted after it, too."""
        batch, number, _, text = self.accession
        yield self.accession
        if self.parts == 2 and batch.startswith("S-"):
            # A pair is known by the number of its 2of2, the lower one.
            lower, width = number - (self.part != 2), len(text) - len(batch) - 1
            yield _Accession(batch, lower, True, f"{batch}-{lower:0{width}d}")
        if self.parts < 3 or not batch.startswith("S-"):
            return
        for other in after:
            there = other.accession
            if there.batch != batch or there.number - number > _SET_REACH:
                return
            if other.parts == self.parts and other.part != self.part:
                yield there


def _section(name: str) -> _Section | None:
    if (match := _PATCH_NAME.fullmatch(PurePath(name).name)) is None:
        return None
    slide, batch, number, part, parts = match.groups()
    accession = _Accession(batch, int(number), False, f"{batch}-{number}")
    return _Section(accession, int(part), int(parts), slide)


def _participant_of(sections: Iterable[_Section]) -> dict[_Accession, str]:
    """Return the participant of each accession, named by its lowest accession."""
    linked: dict[_Accession, set[_Accession]] = {}
    ordered = sorted(sections)
    for rank, section in enumerate(ordered):
        own = linked.setdefault(section.accession, {section.accession})
        for other in section.links(ordered[rank + 1 :]):
            if other not in own:
                own |= linked.get(other, {other})
                linked.update(dict.fromkeys(own, own))
    return {accession: min(group).text for accession, group in linked.items()}


def participant_kind(*manifests: pd.DataFrame) -> str:
    """Tell what the column `participant` holds: participants, or what stands for them.

    Parameters
    ----------
    *manifests : DataFrame
        As from :func:`read_manifest`, or rows of one.

    Returns
    -------
    kind : {"participant", "slide", "image", "group"}
        ``"slide"``: no participant is known, and slides stand for them. ``"image"``:
        neither is known, and each image stands for itself. ``"group"``: a mixture.
        Of several manifests, what is so in all; ``"image"`` if it is so in one.
        Other tables, and those whose participants were put in later, hold
        participants. What pandas makes of several tables (``merge``, ``concat``) may
        forget it; `stack_manifests` does not.

    Examples
    --------
    >>> import pandas as pd
    >>> from glomclf.data.participants import participant_kind
    >>> participant_kind(pd.DataFrame({"path": ["a.png"], "participant": ["P1"]}))
    'participant'
    """
    kinds = {_kind_in(manifest) for manifest in manifests}
    if len(kinds) == 1:
        return kinds.pop()
    return "image" if "image" in kinds else "group"


def _kind_in(manifest: pd.DataFrame) -> str:
    kind = manifest.attrs.get(KIND, "participant")
    if kind == "participant" or not {"slide", "participant"} <= set(manifest.columns):
        return "participant"
    # Stand-ins are called like their slide; others were put in their place since.
    stands_in = manifest["participant"] == manifest["slide"]
    if not stands_in.any():
        return "participant"
    return kind if kind == "image" or stands_in.all() else "group"


def kind_of_groups(X: Any, groups: Any) -> str:
    """Tell what groups are: participants, or what stands for them in a manifest.

    Parameters
    ----------
    X : object
        The images; a manifest knows.
    groups : array-like of shape (n_samples,) or None
        Those of the manifest, or better known ones. None: those of the manifest.

    Returns
    -------
    kind : {"participant", "slide", "image", "group"}
        As `participant_kind` tells it.

    Examples
    --------
    >>> from glomclf.data.participants import kind_of_groups
    >>> kind_of_groups(["a.png"], ["P1"])
    'participant'
    """
    if not isinstance(X, pd.DataFrame) or "participant" not in X:
        return "participant"
    own = X["participant"].astype(str).tolist()
    if groups is not None and own != [str(group) for group in groups]:
        return "participant"
    return participant_kind(X)
