"""The model that a command is to write: claimed before, and not lost at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from .console import InputError, check_output, note, output

__all__ = ["claim_output", "save_model"]


def claim_output(path: Path, *, overwrite: bool) -> None:
    """Keep an output for this run of the command, until it ends in whatever way.

    Parameters
    ----------
    path : Path
        File to be written.
    overwrite : bool
        Whether the file may exist.

    Raises
    ------
    InputError
        If another run has claimed it, or has written it just now.
    """
    click.get_current_context().with_resource(_claimed(path))
    check_output(path, overwrite=overwrite)


@contextmanager
def _claimed(path: Path) -> Iterator[None]:
    """Hold the lock of a file beside the output; a killed run holds none."""
    place = path.with_name(f".{path.name}.claimed")
    place.parent.mkdir(parents=True, exist_ok=True)
    handle = _open_locked(place, path)
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes nothing that is open
            place.unlink()
        os.close(handle)


def _open_locked(place: Path, path: Path) -> int:
    no_link = getattr(os, "O_NOFOLLOW", 0)
    while True:
        handle = os.open(place, os.O_RDWR | os.O_CREAT | no_link, 0o600)
        try:
            _lock(handle)
            if os.path.samestat(os.fstat(handle), os.stat(place)):
                return handle
        except BlockingIOError:
            os.close(handle)
            raise InputError(
                f"Another run is about to write {path}. Wait for its end, or give "
                "another --output."
            ) from None
        except FileNotFoundError:
            pass  # that run has just ended
        except OSError as error:
            note(f"{path} cannot be claimed ({error.strerror}): start one run alone.")
            return handle
        os.close(handle)


def _lock(handle: int) -> None:
    """Lock a file at once, or raise BlockingIOError."""
    if os.name == "nt":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except PermissionError as error:
            raise BlockingIOError(error.errno, error.strerror) from error
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def save_model(model: Any, path: Path) -> None:
    """Write a trained model; where that fails, keep it in another place that is said.

    Parameters
    ----------
    model : GlomeruliClassifier or FoldEnsembleClassifier
        Fitted.
    path : Path
        Where it belongs.

    Raises
    ------
    InputError
        If it could not be written there; it names the file that it is kept in.
    """
    try:
        with output(path) as temporary:
            model.save(temporary)
    except OSError as error:
        kept = _kept_elsewhere(model, path)
        advice = (
            f"The trained model is kept in {kept}: move it to where it belongs."
            if kept
            else "It could not be kept anywhere else either, and is lost."
        )
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}). {advice}"
        ) from error


def _kept_elsewhere(model: Any, path: Path) -> Path | None:
    """Save a model in the first folder that takes it."""
    from ..data.store import default_cache_dir

    for folder in (Path.cwd(), Path(tempfile.gettempdir()), default_cache_dir()):
        name = f"{path.stem}-{os.getpid()}.glomclf"
        with suppress(OSError):
            model.save(folder / name)
            return folder / name
    return None
