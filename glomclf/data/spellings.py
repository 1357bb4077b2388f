"""One person under two spellings, and many under a word for nobody."""

from __future__ import annotations

import re
from collections.abc import Iterable
from unicodedata import normalize

_NOBODY = {
    *("-", "--", "---", ".", "?", "??", "na", "n.a.", "n/a", "<na>", "nan", "nat"),
    *("nil", "none", "null", "missing", "unknown"),
    *("#n/a", "#na", "#name?", "#null!", "#num!", "#ref!", "#value!"),  # Excel's
}
# Hyphens, dashes, the minus sign, and what stands for a hyphen in names of files.
_HYPHENS = re.compile(r"[\u00ad\u2010-\u2015\u2043\u2212\ufe58\ufe63\uff0d_]")
_UNSEEN = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]+")
_ZEROS_BEHIND = re.compile(r"(?<=\d)[.,]0+(?!\d)")
_ZEROS_BEFORE = re.compile(r"(?<![\d.,])0+(?=\d)")


def is_missing(text: str) -> bool:
    """Tell whether a cell names nobody: it is empty, or says so.

    Examples
    --------
    >>> from glomclf.data.spellings import is_missing
    >>> [is_missing(text) for text in ("NA", " ", "#N/A", "?", "Nathan")]
    [True, True, True, True, False]
    """
    bare = _UNSEEN.sub(" ", _HYPHENS.sub("-", text)).strip().casefold()
    return not bare or bare in _NOBODY


def spelled_alike(names: Iterable[str]) -> list[list[str]]:
    """Find names that differ only in how they are written.

    That is in upper and lower case, blanks, zeros in front, a decimal point with zeros,
    kinds of hyphen, or forms of Unicode.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    alike : list of list of str
        Sorted; each of two names or more.

    Examples
    --------
    >>> from glomclf.data.spellings import spelled_alike
    >>> spelled_alike(["P7", "p07", "P 7", "P8", "12", "12.0"])
    [['12', '12.0'], ['P 7', 'P7', 'p07']]
    """
    found: dict[str, set[str]] = {}
    for name in names:
        found.setdefault(_bare(name), set()).add(name)
    return sorted(sorted(alike) for alike in found.values() if len(alike) > 1)


def _bare(name: str) -> str:
    text = _HYPHENS.sub("-", normalize("NFKC", name)).casefold()
    text = _ZEROS_BEHIND.sub("", _UNSEEN.sub("", text))
    return normalize("NFC", _ZEROS_BEFORE.sub("", text))
