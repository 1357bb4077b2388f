"""Pictures and the report, in the folder of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import output

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..report import Report

__all__ = ["new_figure", "write_report"]


def write_report(report: Report, folder: Path, names: Collection[str] = ()) -> None:
    """Write a report as ``report.html``, and pictures in it as files of their own.

    Parameters
    ----------
    report : Report
    folder : Path
    names : collection of str, default=()
        Names of files; of pictures that the report has, these are written.
    """
    for picture in report.pictures:
        name = f"{picture.name}.png"
        if name in names:
            with output(folder / name) as temporary:
                temporary.write_bytes(picture.png)
    with output(folder / "report.html") as temporary:
        temporary.write_text(report.render(), "utf-8", "backslashreplace")


@contextmanager
def new_figure(path: Path, **options: Any) -> Iterator[Figure]:
    """Give a figure that is saved at the end, whatever backend the user has."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", **options)
    yield figure
    with output(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150, bbox_inches="tight")
