"""Names of files: with the home folder, as text, on a terminal, in short."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path


def user_path(path: str | os.PathLike[str]) -> Path:
    """Take a path as users write it, with ``~`` for the home folder.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        If the home folder is not known.

    Examples
    --------
    >>> from glomclf._runtime import user_path
    >>> user_path("~/patches") == Path.home() / "patches"
    True
    """
    text = os.fspath(path)
    expanded = os.path.expanduser(text)
    if expanded == text and text[:1] == "~" and text[1:2] in ("", "/", os.sep):
        reason = "the home folder that ~ stands for is not known; write it in full"
        raise FileNotFoundError(errno.ENOENT, reason, text)
    return Path(expanded)  # as in a shell, "~name" is a file where nobody has that name


def as_text(path: str | os.PathLike[str]) -> str:
    r"""Write a path as text that any file can hold.

    Bytes of a name that are not UTF-8 become ``\udc`` and their two digits.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    str

    Examples
    --------
    >>> import os
    >>> from glomclf._runtime import as_text
    >>> print(as_text(os.fsdecode(b"M\xfcller.png")))
    M\udcfcller.png
    """
    return os.fspath(path).encode("utf-8", "backslashreplace").decode()


def counted(n: int, noun: str) -> str:
    """Write a number and its noun.

    Examples
    --------
    >>> from glomclf._runtime import counted
    >>> counted(1, "biopsy"), counted(2, "biopsy"), counted(0, "patch")
    ('1 biopsy', '2 biopsies', '0 patches')
    """
    if n == 1:
        return f"{n} {noun}"
    if noun.endswith("y"):
        return f"{n} {noun[:-1]}ies"
    return f"{n} {noun}{'es' if noun.endswith('ch') else 's'}"


def printable(text: str) -> str:
    r"""Write a name so that it moves no cursor, begins no line and changes no colour.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> from glomclf._runtime import printable
    >>> print(printable("a\n\x1b[2J.png"))
    a\n\x1b[2J.png
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def short_names(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Name files without their folders, or with as few as tell them all apart.

    Parameters
    ----------
    paths : iterable of str or path-like, of length n_files

    Returns
    -------
    names : list of str, of length n_files
        With the same number of folders each, separated by slashes.

    Examples
    --------
    >>> from glomclf._runtime import short_names
    >>> short_names(["/data/slide1/a.png", "/data/slide1/b.png"])
    ['a.png', 'b.png']
    >>> short_names(["/data/slide1/a.png", "/data/slide2/a.png"])
    ['slide1/a.png', 'slide2/a.png']
    """
    files = [Path(as_text(path)) for path in paths]
    names = [file.name for file in files]
    for n_parts in range(2, max((len(file.parts) for file in files), default=0) + 1):
        if len(set(names)) == len(set(files)):
            break
        names = [Path(*file.parts[-n_parts:]).as_posix() for file in files]
    return names
