"""What all kinds of input share: cases by number, a limit of time, and the counts."""

from __future__ import annotations

import signal
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glomclf.errors import GlomclfError, GlomclfWarning

SECONDS = 20  # for one case; more is a hang


class Kind(NamedTuple):
    """A kind of input.

    Parameters
    ----------
    prepare : callable
        ``prepare(folder)`` writes what all cases start from, once, and returns what
        `case` needs to know of it.
    case : callable
        ``case(known, folder, rng)`` makes one bad or unusual input in an empty folder
        and has glomclf read it. It returns a word for what came of it, raises `Wrong`
        if the result is not what the input says, and lets through what glomclf raises.
    n_cases : int
        Of a full run.
    """

    prepare: Callable[[Path], Any]
    case: Callable[[Any, Path, np.random.Generator], str]
    n_cases: int


class Wrong(Exception):
    """What was read is not what the input says."""


class Hang(BaseException):
    """A case took too long."""


class Fault(NamedTuple):
    """A case that must not be: its number, what it was, and what was seen."""

    number: int
    word: str
    seen: str


def run_cases(
    kind: Kind,
    numbers: range,
    keep: Path | None = None,
    advance: Callable[..., None] = lambda: None,
) -> tuple[Counter[str], list[Fault]]:
    """Run cases by number: a number makes the same case each time.

    Parameters
    ----------
    kind : Kind
    numbers : range
    keep : Path or None
        Folder for the inputs of faults.
    advance : callable
        Called after each case.

    Returns
    -------
    counts : Counter
        By outcome: ``refused: NAME`` of a named error, ``wrong``, ``hang``, ``fault``
        of any other exception, or what the kind calls it.
    faults : list of Fault
    """
    counts: Counter[str] = Counter()
    faults = []
    with tempfile.TemporaryDirectory(prefix="glomclf-fuzz-") as folder:
        known = kind.prepare(Path(folder))
        for number in numbers:
            with _case_folder(number, keep) as place:
                word, seen = _outcome(kind, known, place, number)
                counts[word] += 1
                if word in ("wrong", "hang", "fault"):
                    faults.append(Fault(number, word, seen))
                    if keep is not None:
                        (place / "seen.txt").write_text(seen, errors="backslashreplace")
                else:
                    for file in sorted(place.rglob("*"), reverse=True):
                        file.rmdir() if file.is_dir() else file.unlink()
            advance()
    return counts, faults


@contextmanager
def _case_folder(number: int, keep: Path | None) -> Iterator[Path]:
    """Give a folder, that stays where it is to be kept and something is in it."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="glomclf-case-") as folder:
            yield Path(folder)
        return
    place = keep / str(number)
    place.mkdir(parents=True)
    yield place
    if not any(place.iterdir()):
        place.rmdir()


def _outcome(kind: Kind, known: Any, folder: Path, number: int) -> tuple[str, str]:
    rng = np.random.default_rng(number)
    try:
        with warnings.catch_warnings(), _limited(SECONDS):
            warnings.simplefilter("error")  # the user would see it
            warnings.simplefilter("ignore", GlomclfWarning)
            return kind.case(known, folder, rng), ""
    except GlomclfError as error:
        return f"refused: {type(error).__name__}", str(error)
    except Wrong as error:
        return "wrong", str(error)
    except Hang:
        return "hang", traceback.format_exc()
    except Exception:
        return "fault", traceback.format_exc()


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise `Hang` in the block after so many seconds."""

    def stop(*_: Any) -> None:
        raise Hang

    earlier = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


def mutated(
    content: bytes, rng: np.random.Generator, words: tuple[bytes, ...] = ()
) -> bytes:
    """Change bytes in a few places: flipped, cut, doubled, or replaced by a word.

    Parameters
    ----------
    content : bytes
    rng : Generator
    words : tuple of bytes, default=()
        That mean something in this kind of file.

    Returns
    -------
    bytes
    """
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        start = int(rng.integers(len(data) + 1))
        end = min(len(data), start + int(rng.integers(1, 9)))
        match rng.integers(6 if words else 5):
            case 0 if start < len(data):
                data[start] ^= 1 << int(rng.integers(8))
            case 1:
                del data[start:end]
            case 2:
                data[start:start] = rng.bytes(int(rng.integers(1, 5)))
            case 3:
                data[start:start] = data[start:end]
            case 4 if rng.random() < 0.3:
                del data[start:]
            case 5:
                data[start:end] = words[rng.integers(len(words))]
    return bytes(data)
