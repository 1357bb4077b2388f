"""What a report is made of: sections of blocks, each plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..evaluation.estimates import Estimates
from ..evaluation.evaluation import Evaluation
from ..evaluation.scores import SCORES

_NO_NUMBER = ("undefined", "open")  # stand where a number or an answer would


@dataclass(frozen=True)
class Paragraph:
    """Running text.

    Parameters
    ----------
    text : str
    """

    text: str
    kind = "paragraph"


class Caution(Paragraph):
    """What the reader must know before believing what follows."""

    kind = "caution"


class Code(Paragraph):
    """Text that keeps its lines, such as a command."""

    kind = "code"


@dataclass(frozen=True)
class Numbers:
    """A few large numbers.

    Parameters
    ----------
    items : sequence of (str, str, str)
        What it is, its value, and what to know beside it.
    """

    items: Sequence[tuple[str, str, str]]
    kind = "numbers"


@dataclass(frozen=True)
class Table:
    """A table.

    Parameters
    ----------
    columns : sequence of str
    rows : sequence of sequence of object
        The first cell of each names it. All become text: floats with 3 digits, what is
        missing as a dash.
    caption : str, default=""
    folded : bool, default=False
        Whether it is shown when its caption is clicked only.
    texts : bool, default=False
        Whether cells are text, to be set below each other on a narrow screen.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""
    folded: bool = False
    texts: bool = False
    kind = "table"

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", [[*map(_cell, row)] for row in self.rows])

    @property
    def text_columns(self) -> set[int]:
        """Places of the columns that hold words, and are set to the left."""
        return {
            place
            for row in self.rows
            for place, cell in enumerate(row)
            if place == 0 or (cell[:1].isalpha() and cell not in _NO_NUMBER)
        }

    @property
    def is_explained(self) -> bool:
        """Whether the last column says in words what the numbers before it are."""
        last = len(self.columns) - 1
        return not self.texts and {0, last} == self.text_columns and last > 1

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, caption: str = "", **options: bool
    ) -> Table:
        """Make a table of a DataFrame, its index as the first column or columns.

        An index that only numbers the rows is left out.

        Parameters
        ----------
        frame : DataFrame
        caption : str, default=""
        **options
            ``folded`` and ``texts``, as for the class.

        Returns
        -------
        table : Table

        Examples
        --------
        >>> import pandas as pd
        >>> from glomclf.report import Table
        >>> frame = pd.DataFrame({"recall": [0.5, None]}, index=["a", "b"])
        >>> Table.from_frame(frame.rename_axis("fold")).rows
        [['a', '0.500'], ['b', '–']]
        """
        numbered = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
        flat = frame if numbered else frame.reset_index()
        columns = [str(column).replace("_", " ") for column in flat.columns]
        return cls(columns, flat.to_numpy(object).tolist(), caption, **options)


@dataclass(frozen=True)
class GalleryItem:
    """One image of a gallery.

    Parameters
    ----------
    source : str
        Data address of the image.
    facts : mapping of str to str
        What is written below it.
    marked : bool, default=False
        Whether it stands out by its frame.
    overlay : str, default=""
        Data address of a second image below it: what the classifier looked at.
    """

    source: str
    facts: Mapping[str, str]
    marked: bool = False
    overlay: str = ""

    @property
    def alt(self) -> str:
        """What it shows, for those who do not see it."""
        return ", ".join(f"{name} {value}" for name, value in self.facts.items())


@dataclass(frozen=True)
class Gallery:
    """Images side by side.

    Parameters
    ----------
    title : str
    items : sequence of GalleryItem
    """

    title: str
    items: Sequence[GalleryItem]
    kind = "gallery"

    @classmethod
    def by_title(
        cls, titles: Iterable[str], items: Iterable[GalleryItem]
    ) -> list[Gallery]:
        """Make a gallery of the images of each title, in the order of the first."""
        found: dict[str, list[GalleryItem]] = {}
        for title, item in zip(titles, items, strict=True):
            found.setdefault(title, []).append(item)
        return [cls(title, some) for title, some in found.items()]


@dataclass(frozen=True)
class Section:
    """A part of a report, with a heading.

    Parameters
    ----------
    title : str
    blocks : sequence of blocks, str or None
        In order; a str becomes a `Paragraph`, and what is None or empty is left out.
        Pictures that follow each other are set side by side.
    """

    title: str
    blocks: Sequence[Any]

    def __post_init__(self) -> None:
        told = [Paragraph(one) if isinstance(one, str) else one for one in self.blocks]
        kept = [one for one in told if one and getattr(one, "text", True)]
        object.__setattr__(self, "blocks", kept)


def number(value: float, digits: int = 3) -> str:
    """Write a number; NaN is told as undefined.

    Examples
    --------
    >>> from glomclf.report.blocks import number
    >>> number(0.5), number(float("nan")), number(0.997, digits=2)
    ('0.500', 'undefined', '0.997')
    """
    if digits < 3 and value < 1 and round(value, digits) == 1:
        digits = 3  # what is below 1 must not be read as 1
    return "undefined" if value != value else f"{value:.{digits}f}"


def span(ends: tuple[float, float], digits: int = 3) -> str:
    r"""Write an interval, or a dash where there is none.

    Examples
    --------
    >>> from glomclf.report.blocks import span
    >>> span((0.25, 0.5)), span((float("nan"), 1.0))
    ('0.250\xa0to\xa00.500', '–')
    """
    low, high = ends
    if low != low or high != high:
        return "–"
    return f"{low:.{digits}f}\u00a0to\u00a0{high:.{digits}f}"  # on one line


def told_span(estimates: Estimates, name: str, digits: int = 3) -> str:
    """Tell the interval of a score with its level, or that there is none.

    Examples
    --------
    >>> from glomclf import evaluate
    >>> from glomclf.report.blocks import told_span
    >>> told_span(evaluate([1, 1], [0.2, 0.8], n_bootstrap=100), "roc_auc")
    'no interval'
    """
    ends = span(estimates.interval(name), digits)
    return "no interval" if ends == "–" else f"{estimates.level}: {ends}"


def card(
    estimates: Estimates, name: str, title: str, digits: int = 2
) -> tuple[str, str, str]:
    """Write an item of `Numbers`: a title, the score, its interval with its level."""
    value = number(estimates.scores[name], digits)
    return title, value, told_span(estimates, name, digits)


def with_span(estimates: Estimates, name: str, digits: int = 3) -> str:
    """Write a score with its interval in brackets, where there is one.

    Examples
    --------
    >>> from glomclf import evaluate
    >>> from glomclf.report.blocks import with_span
    >>> with_span(evaluate([1, 1], [0.2, 0.8], n_bootstrap=100), "roc_auc")
    'undefined'
    """
    _, value, ends = estimate_row(estimates, name, "", digits)
    return value if ends == "–" else f"{value} ({ends})"


def estimate_row(
    estimates: Estimates, name: str, title: str, digits: int = 3
) -> list[str]:
    """Write a row of a table: the title of a score, its value and its interval.

    Examples
    --------
    >>> from glomclf import evaluate
    >>> from glomclf.report.blocks import estimate_row
    >>> estimate_row(evaluate([1, 1], [0.2, 0.8], n_bootstrap=100), "roc_auc", "AUC")
    ['AUC', 'undefined', '–']
    """
    ends = span(estimates.interval(name), digits)
    return [title, number(estimates.scores[name], digits), ends]


def score_titles(evaluation: Evaluation) -> dict[str, str]:
    """Return how each of its scores is called, by name."""
    return {name: SCORES[name].title for name in evaluation.scores}


def some_of(words: Sequence[object], most: int = 10) -> str:
    """List the first of them, and say how many more there are.

    Examples
    --------
    >>> from glomclf.report.blocks import some_of
    >>> some_of([1, 2, 3], most=2)
    '1, 2 and 1 more'
    """
    shown = ", ".join(map(str, words[:most]))
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more"


def sentence(text: str) -> str:
    """Make a remark a sentence; no remark stays none.

    Examples
    --------
    >>> from glomclf.report.blocks import sentence
    >>> sentence("there are 4 biopsies")
    'There are 4 biopsies.'
    """
    return text and f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _cell(value: Any) -> str:
    if pd.isna(value):
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
