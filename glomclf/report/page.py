"""From sections to one HTML file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .._runtime import written_whole
from .pictures import Picture

if TYPE_CHECKING:
    from jinja2 import Environment


def templates() -> Environment:
    """Return what fills the templates in; text is escaped in those of HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("glomclf.report"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@dataclass(frozen=True)
class Report:
    """A report, ready to be written as one HTML file.

    Parameters
    ----------
    title : str
    lead : str
        What was done, in a sentence or two.
    sections : sequence of Section or None
        None is left out.
    made : datetime, default=now
        When.
    card : str, default=""
        The model card, Markdown; empty where there is none.

    Examples
    --------
    >>> from glomclf.report import Paragraph, Report, Section
    >>> section = Section("Findings", [Paragraph("recall > precision")])
    >>> page = Report("A run", "Two models.", [section]).render()
    >>> "recall &gt; precision" in page, "<script" in page
    (True, False)
    """

    title: str
    lead: str
    sections: Sequence[Any]
    made: datetime = field(default_factory=lambda: datetime.now(UTC))
    card: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sections", [one for one in self.sections if one])

    @property
    def pictures(self) -> list[Picture]:
        """The pictures that can be files of their own, for they have a name."""
        blocks = [block for section in self.sections for block in section.blocks]
        return [one for one in blocks if isinstance(one, Picture) and one.name]

    def render(self) -> str:
        """Return the HTML.

        Returns
        -------
        page : str
            It refers to nothing outside itself.
        """
        return templates().get_template("page.html").render(report=self)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the HTML file, whole or not at all.

        Parameters
        ----------
        path : str or path-like
        """
        page = self.render()
        with written_whole(path) as temporary:
            temporary.write_text(page, "utf-8", "backslashreplace")
