"""The files of a command: checked before its work, written whole, listed at its end."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .._runtime import printable, special_kind, written_whole
from .console import InputError, note, say

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ..evaluation.evaluation import Evaluation
    from ..report import Report


def check_inputs(paths: Iterable[Path]) -> None:
    """Refuse files that are not there, all at once.

    Raises
    ------
    InputError
        If one is missing.
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise InputError(f"No such file: {', '.join(missing)}.")


def check_outputs(
    paths: Iterable[Path], inputs: Iterable[Path] = (), *, overwrite: bool = True
) -> None:
    """Refuse results that cannot be written, before the work that leads to them.

    Parameters
    ----------
    paths : iterable of Path
        Files to be written.
    inputs : iterable of Path
        Files that are read, and must not be overwritten.
    overwrite : bool, default=True
        Whether the files may exist.

    Raises
    ------
    InputError
        If one is an input, a folder, a link or a device, exists against `overwrite`,
        or its folder cannot be written to.
    """
    # Unlike Path.resolve, it has an answer for links in a circle.
    read, paths = set(map(os.path.realpath, inputs)), list(paths)
    for path in paths:
        if os.path.realpath(path) in read:
            why = "is read by this command and would be overwritten. Give"
        elif path.is_dir():
            raise InputError(f"{path} is a folder; --output names a file here.")
        elif kind := special_kind(path):
            why = f"is {kind}, which a file must not replace. Give"
        elif path.exists() and not overwrite:
            why = "exists. Pass --overwrite to replace it, or"
        else:
            continue
        raise InputError(f"{path} {why} another --output.")
    for folder in {path.parent for path in paths}:
        _check_folder(folder)


def _check_folder(folder: Path) -> None:
    existing = next(filter(os.path.lexists, (folder / "file").absolute().parents))
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise InputError(
            f"Nothing can be written to {folder} ({error.strerror}). Give another "
            "--output."
        ) from error


# -- what was written -----------------------------------------------------------------


def written_files() -> list[Path]:
    """Return the files that this run of the command has written so far."""
    context = click.get_current_context(silent=True)
    if context is None:
        return []
    return context.find_root().meta.setdefault("glomclf.written", [])


def remember(path: Path) -> None:
    """Take a file for written."""
    if path not in written_files():
        written_files().append(path)


def drop_unwritten(paths: Iterable[Path]) -> None:
    """Remove files of an earlier run that this one has not replaced: they mislead."""
    for path in sorted(set(paths) - set(written_files())):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            note(f"{path} is of an earlier run and cannot be removed: {error}.")


def list_files() -> None:
    """Say on standard output where every file lies."""
    say("\nFiles:")
    for path in written_files():
        say(f"  {printable(str(path))}")


# -- writing --------------------------------------------------------------------------


@contextmanager
def output(path: Path) -> Iterator[Path]:
    """Give a temporary file that becomes the result when the block ends."""
    with written_whole(path) as temporary:
        yield temporary
    remember(path)


def write_csv(table: pd.DataFrame, path: Path, *, index: bool = False) -> None:
    """Write a table, whole or not at all, and harmless to spreadsheets.

    Bytes of a file name that are not UTF-8 are escaped as Python does it.
    `read_manifest` finds the file all the same, and undoes what `as_cell` does.
    """
    from ..data.table_files import as_cell

    table = table.apply(_as_cells).rename(columns=as_cell)
    table.index = _as_cells(table.index)
    with output(path) as temporary:
        table.to_csv(temporary, errors="backslashreplace", index=index)


def _as_cells(values: Any) -> Any:
    from pandas.api.types import is_numeric_dtype

    from ..data.table_files import as_cell

    return values if is_numeric_dtype(values) else values.map(as_cell)


def write_text(text: str, path: Path) -> None:
    """Write a text with whatever names are in it."""
    with output(path) as temporary:
        temporary.write_text(text, "utf-8", "backslashreplace")


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write a result that other programs can read."""
    write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", path)


def write_scores(evaluation: Evaluation, folder: Path, stem: str = "scores") -> None:
    """Write scores and intervals as a table, and everything as JSON."""
    write_csv(evaluation.to_frame(), folder / f"{stem}.csv", index=True)
    write_json(evaluation.to_dict(), folder / f"{stem}.json")


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
        if f"{picture.name}.png" in names:
            with output(folder / f"{picture.name}.png") as temporary:
                temporary.write_bytes(picture.png)
    write_text(report.render(), folder / "report.html")


@contextmanager
def new_figure(path: Path, **options: Any) -> Iterator[Figure]:
    """Give a figure that is saved at the end, whatever backend the user has."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", **options)
    yield figure
    with output(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150, bbox_inches="tight")


def save_model(model: Any, path: Path) -> None:
    """Write a trained model; where that fails, keep it in another place that is said.

    Raises
    ------
    InputError
        If it could not be written there; it names the file that it is kept in.
    """
    try:
        model.save(path)
    except OSError as error:
        kept = _kept_elsewhere(model, path)
        advice = "It could not be kept anywhere else either, and is lost."
        if kept:
            advice = (
                f"The trained model is kept in {kept}: move it to where it belongs."
            )
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}). {advice}"
        ) from error
    remember(path)


def _kept_elsewhere(model: Any, path: Path) -> Path | None:
    """Save a model in the first folder that takes it."""
    from ..data.store import default_cache_dir

    for folder in (Path.cwd(), Path(tempfile.gettempdir()), default_cache_dir()):
        kept = folder / f"{path.stem}-{os.getpid()}.glomclf"
        with suppress(OSError):
            model.save(kept)
            return kept
    return None
