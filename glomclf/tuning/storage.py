"""Where a study is kept: in memory, a file, or a database that many machines share."""

from __future__ import annotations

import importlib.util
import os
import random
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._runtime import threads_for, user_path
from ..data.temporary_folders import temporary_folder
from ..errors import StudyError
from .files import LOCK_SECONDS, JournalLock, refuse_damaged, wait_for_lock
from .passwords import hidden, passwords_in, readable_url, without_passwords

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

__all__ = [
    "close_storage",
    "in_memory",
    "is_journal",
    "open_storage",
    "readable_errors",
    "shareable",
    "shown",
    "with_home",
]

HEARTBEAT_SECONDS = 20
CONNECT_SECONDS = 10  # for a database to answer, where its URL says nothing of it

_MOST_RETRIES = 3  # of a trial that ends its process each time
# What databases say to the second of two who make the same tables.
_COLLISION = re.compile(r"(?i)already exists|duplicate key|unique constraint|locked")
_MAKING_ATTEMPTS = 10
_MAKING_SECONDS = 0.3


def open_storage(storage: Any = None, *, heartbeat: int = HEARTBEAT_SECONDS) -> Any:
    """Open what a study is kept in, at once and with a word on what is wrong.

    Parameters
    ----------
    storage : None, str, path or optuna.storages.BaseStorage, default=None
        - None, or ``sqlite:///:memory:``: memory; gone with the process.
        - A journal file, whose name ends in ``.journal``, for processes of one machine
          or of several on a shared disk.
        - ``sqlite:///study.db``: a file, for processes of one machine.
        - A database URL, such as ``postgresql://user@host/database``: for any number
          of machines. The extra ``postgresql`` installs the driver.
        - Any Optuna storage, taken as it is.
    heartbeat : int, default=20
        Seconds between the signs of life that a database is given of each running
        trial. One without three times is taken for dead, and the next process that
        begins a trial runs it again with the same parameters, up to three times. Files
        of journals have no heartbeat: another trial is run in its place.

    Returns
    -------
    optuna.storages.BaseStorage

    Raises
    ------
    StudyError
        If it cannot be opened. Passwords are not shown.

    Examples
    --------
    >>> from glomclf.tuning import open_storage
    >>> open_storage("sqlite:///no/such/folder/study.db")
    Traceback (most recent call last):
        ...
    glomclf.errors.StudyError: The storage sqlite:///no/such/folder/study.db ...
    """
    from optuna.storages import InMemoryStorage

    if storage is None or in_memory(storage):
        return InMemoryStorage()
    if not isinstance(storage, str | os.PathLike):
        return storage
    url = os.fspath(storage)
    with readable_errors(url):
        url = with_home(url)
        if is_journal(url):
            return _open_journal(url)
        return _open_database(_with_driver(url), heartbeat)


@contextmanager
def shareable(storage: Any, n_jobs: int | None) -> Iterator[Any]:
    """Give a storage that processes can share: for memory a file, for as long.

    Parameters
    ----------
    storage : as in open_storage
    n_jobs : int or None

    Yields
    ------
    storage

    Raises
    ------
    StudyError
        If it is an Optuna storage in memory, and there are to be several processes.
    """
    from optuna.storages import InMemoryStorage

    if threads_for(n_jobs) == 1:
        yield storage
        return
    if isinstance(storage, InMemoryStorage):
        raise StudyError(
            "A study in memory cannot be shared by processes. Give n_jobs=1, or a file "
            "or database as storage."
        )
    if storage is not None and not in_memory(storage):
        yield storage
        return
    with temporary_folder() as folder:
        yield str(folder / "study.journal")


def in_memory(storage: Any) -> bool:
    """Tell whether an address names a database of SQLite's in memory.

    Each connection would get one of its own, without the tables of the others.

    Examples
    --------
    >>> from glomclf.tuning.storage import in_memory
    >>> in_memory("sqlite:///:memory:"), in_memory("sqlite:///study.db")
    (True, False)
    """
    text = storage if isinstance(storage, str) else ""
    scheme, _, name = text.partition("://")
    name, _, options = name.removeprefix("/").partition("?")
    is_unnamed = name in ("", ":memory:", "file:", "file::memory:")
    is_sqlite = bool(re.fullmatch(r"sqlite(\+\w+)?", scheme)) and "://" in text
    return is_sqlite and (is_unnamed or "mode=memory" in options.split("&"))


def is_journal(storage: Any) -> bool:
    """Tell whether a storage is a journal file."""
    return "://" not in str(storage) and str(storage).endswith(".journal")


def shown(storage: Any) -> str:
    """Name a storage without its password.

    Examples
    --------
    >>> from glomclf.tuning.storage import shown
    >>> shown("postgresql://me:secret@host/studies")
    'postgresql://me:***@host/studies'
    """
    if storage is None or in_memory(storage):
        return "memory"
    if not isinstance(storage, str | os.PathLike):
        return type(storage).__name__
    address = os.fspath(storage)
    return address if is_journal(address) else hidden(address)


@contextmanager
def readable_errors(storage: Any) -> Iterator[None]:
    """Turn what databases and files raise into one error that says what to do."""
    from optuna.exceptions import StorageInternalError

    try:
        yield
    except StudyError:
        raise
    except (ImportError, OSError, StorageInternalError) as error:
        raise StudyError(_explained(storage, error)) from None
    except Exception as error:
        if not type(error).__module__.startswith(("sqlalchemy", "alembic", "psycopg")):
            raise
        raise StudyError(_explained(storage, error)) from None


def _explained(storage: Any, error: BaseException) -> str:
    cause = error.__cause__ or error
    reason = str(cause).split("\n(Background on")[0].strip()
    advice = _advice(storage, reason)
    if isinstance(storage, str):
        if not is_journal(storage) and readable_url(storage) is None:
            reason = "it cannot be read as the address of a database"
            advice += " In a password write @ as %40, : as %3A, / as %2F and ? as %3F."
        for password in passwords_in(storage):
            reason = reason.replace(password, "***")
    return (
        f"The storage {shown(storage)} cannot be used: {without_passwords(reason)}. "
        f"{advice}"
    )


def _advice(storage: Any, reason: str) -> str:
    text = os.fspath(storage) if isinstance(storage, str | os.PathLike) else ""
    if "sqlalchemy.dialects" in reason or "parse" in reason or "://" not in text:
        return (
            "Expected sqlite:///FILE, a journal file (FILE.journal), or "
            "postgresql://USER@HOST/DATABASE."
        )
    if text.startswith("sqlite"):
        return "Check that its folder exists and can be written to."
    return (
        "Check that the server runs and can be reached from here, that the database "
        "exists, and the user's rights and password (~/.pgpass or PGPASSWORD keep it "
        "out of the URL)."
    )


def with_home(url: str) -> str:
    """Put the home folder in place of ``~`` in the name of a file."""
    if is_journal(url):
        return str(user_path(url))
    scheme, separator, name = url.partition(":///")
    is_file = scheme.startswith("sqlite") and name.startswith("~")
    return f"{scheme}{separator}{user_path(name)}" if is_file else url


def _open_journal(url: str) -> BaseStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    Path(url).parent.mkdir(parents=True, exist_ok=True)
    refuse_damaged(url)
    try:
        # In full: Optuna's lock would look for a relative name in its own folder.
        path = os.path.abspath(url)
        return JournalStorage(JournalFileBackend(path, JournalLock(path)))
    except (ValueError, KeyError) as error:
        raise StudyError(
            f"The storage {url} cannot be used: it is not a journal of Optuna's, or is "
            f"damaged ({error}). Name another file."
        ) from error


def _with_driver(url: str) -> str:
    """Name the driver that the extra installs, where a URL names none."""
    scheme, separator, rest = url.partition("://")
    if scheme not in ("postgresql", "postgres"):
        return url
    if importlib.util.find_spec("psycopg") is None:
        raise StudyError(
            f"The storage {shown(url)} needs a driver for PostgreSQL. Install one: "
            "python -m pip install 'psycopg[binary]'."
        )
    return f"postgresql+psycopg{separator}{rest}"


def close_storage(opened: Any, given: Any) -> None:
    """Give the connections of a database back, if they were opened here.

    Parameters
    ----------
    opened : optuna.storages.BaseStorage
        What `open_storage` returned, or what a study has of it.
    given : as in open_storage
        What it was given.
    """
    database = getattr(opened, "_backend", opened)  # a study wraps it
    if given not in (opened, database) and hasattr(database, "engine"):
        database.remove_session()
        database.engine.dispose()


def _open_database(url: str, heartbeat: int) -> BaseStorage:
    """Open a database, in turn with others that find it empty and make its tables."""
    wait_for_lock(url)
    began = time.monotonic()
    for attempt in range(_MAKING_ATTEMPTS):
        try:
            return _make_database(url, heartbeat)
        except Exception as error:
            is_late = time.monotonic() - began > LOCK_SECONDS
            is_last = is_late or attempt + 1 == _MAKING_ATTEMPTS
            if is_last or not _COLLISION.search(str(error)):
                raise
            time.sleep(_MAKING_SECONDS * random.uniform(0.5, 1.5))
    raise AssertionError("unreachable")


def _make_database(url: str, heartbeat: int) -> BaseStorage:
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import RetryHeartbeatStaleTrialCallback

    from .heartbeats import DatabaseStorage

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return DatabaseStorage(
            url,
            heartbeat_interval=heartbeat,
            grace_period=3 * heartbeat,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(
                _MOST_RETRIES
            ),
            engine_kwargs=_engine_options(url),
        )


def _engine_options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        return {"connect_args": {"timeout": 60}}  # several processes write in turn
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.startswith("postgresql+psycopg") and "connect_timeout=" not in url:
        options["connect_args"] = {"connect_timeout": CONNECT_SECONDS}
    return options
