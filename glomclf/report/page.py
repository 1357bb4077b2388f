"""From sections to one HTML file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .._runtime import written_whole
from .blocks import Section
from .pictures import Picture

__all__ = ["Report"]


@dataclass(frozen=True)
class Report:
    """A report, ready to be written as one HTML file.

    Parameters
    ----------
    title : str
    lead : str
        What was done, in a sentence or two.
    sections : sequence of Section
    made : datetime, default=now
        When.

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
    sections: Sequence[Section]
    made: datetime = field(default_factory=lambda: datetime.now(UTC))

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
        from jinja2 import Environment, PackageLoader, StrictUndefined

        environment = Environment(
            loader=PackageLoader("glomclf.report"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        return environment.get_template("page.html").render(report=self)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the HTML file, whole or not at all.

        Parameters
        ----------
        path : str or path-like
        """
        page = self.render()
        with written_whole(path) as temporary:
            temporary.write_text(page, "utf-8", "backslashreplace")
