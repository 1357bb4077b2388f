"""Where a study is kept: in memory, a file, or a database that many machines share."""

from __future__ import annotations

import importlib.util
import os
import random
import re
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._runtime import threads_for, user_path
from ..data.temporary_folders import temporary_folder
from ..errors import GlomclfError, StudyError
from .journal import refuse_damaged
from .passwords import hidden, is_plain, secrets_in

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

__all__ = [
    *("in_memory", "open_storage", "quiet_optuna", "readable_errors", "shareable"),
    "shown",
]

HEARTBEAT_SECONDS = 20
CONNECT_SECONDS = 10  # for a database to answer, where its URL says nothing of it
LOCK_SECONDS = 30

_SAID_AFTER = 3  # seconds of waiting
_MOST_RETRIES = 3  # of a trial that ends its process each time
# What databases say to the second of two who make the same tables.
_COLLISION = re.compile(r"(?i)already exists|duplicate key|unique constraint|locked")


def open_storage(storage: Any = None) -> Any:
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

    Returns
    -------
    optuna.storages.BaseStorage

    Raises
    ------
    StudyError
        If it cannot be opened. Passwords are not shown.

    Notes
    -----
    A database is given a sign of life of each running trial every 20 seconds. A trial
    without one for a minute is taken for dead, and the next process that begins a trial
    runs it again with the same parameters, up to three times. Files of journals have no
    such signs: another trial is run in its place.

    Examples
    --------
    >>> from glomclf.tuning import open_storage
    >>> open_storage("sqlite:///no/such/folder/study.db")
    Traceback (most recent call last):
        ...
    glomclf.errors.StudyError: The storage sqlite:///no/such/folder/study.db ...
    """
    from optuna.storages import InMemoryStorage

    if in_memory(storage):
        return InMemoryStorage()
    if not isinstance(storage, str | os.PathLike):
        return storage
    with readable_errors(storage), quiet_optuna():
        url = _with_home(os.fspath(storage))
        return _open_journal(url) if _is_journal(url) else _open_database(url)


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

    if isinstance(storage, InMemoryStorage) and threads_for(n_jobs) > 1:
        raise StudyError(
            "A study in memory cannot be shared by processes. Give n_jobs=1, or a file "
            "or database as storage."
        )
    if threads_for(n_jobs) > 1 and in_memory(storage):
        with temporary_folder() as folder:
            yield str(folder / "study.journal")
    else:
        yield storage


def in_memory(storage: Any) -> bool:
    """Tell whether an address is None, or names a database of SQLite's in memory.

    Each connection would get one of its own, without the tables of the others.

    Examples
    --------
    >>> from glomclf.tuning.storage import in_memory
    >>> in_memory("sqlite:///:memory:"), in_memory("sqlite:///study.db")
    (True, False)
    """
    memory = r"sqlite(\+\w+)?://(/?(file:)?(:memory:)?(\?.*)?|.*[?&]mode=memory(&.*)?)"
    is_named = isinstance(storage, str) and re.fullmatch(memory, storage)
    return storage is None or bool(is_named)


def _is_journal(storage: Any) -> bool:
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
    if in_memory(storage):
        return "memory"
    if not isinstance(storage, str | os.PathLike):
        return type(storage).__name__
    address = os.fspath(storage)
    return address if _is_journal(address) else hidden(address)


@contextmanager
def readable_errors(storage: Any) -> Iterator[None]:
    """Turn what databases and files raise into one error that says what to do."""
    from optuna.exceptions import StorageInternalError

    try:
        yield
    except GlomclfError:
        raise
    except (ImportError, OSError, StorageInternalError) as error:
        raise StudyError(_explained(storage, error)) from None
    except Exception as error:
        if not type(error).__module__.startswith(("sqlalchemy", "alembic", "psycopg")):
            raise
        raise StudyError(_explained(storage, error)) from None


def _explained(storage: Any, error: BaseException) -> str:
    reason = str(error.__cause__ or error).split("\n(Background on")[0].strip()
    text = os.fspath(storage) if isinstance(storage, str | os.PathLike) else ""
    if "sqlalchemy.dialects" in reason or "parse" in reason or "://" not in text:
        advice = (
            "Expected sqlite:///FILE, a journal file (FILE.journal), or "
            "postgresql://USER@HOST/DATABASE."
        )
    elif "locked" in reason:
        advice = (
            f"Another process has kept it locked for {LOCK_SECONDS} seconds: "
            "end that process, wait for it, or name another file."
        )
    elif text.startswith("sqlite"):
        advice = "Check that its folder exists and can be written to."
    else:
        advice = (
            "Check that the server runs and can be reached from here, that the "
            "database exists, and the user's rights and password (~/.pgpass or "
            "PGPASSWORD keep it out of the URL)."
        )
    if not (_is_journal(text) or is_plain(text)):
        reason = "it cannot be read as the address of a database"
        advice += " In a password write @ as %40, : as %3A, / as %2F and ? as %3F."
    for secret in secrets_in(text):
        reason = reason.replace(secret, "***")
    return f"The storage {shown(storage)} cannot be used: {reason}. {advice}"


def _with_home(url: str) -> str:
    """Put the home folder in place of ``~`` in the name of a file."""
    scheme, separator, name = url.rpartition(":///")
    is_file = name.startswith("~") and (scheme.startswith("sqlite") or not separator)
    return f"{scheme}{separator}{user_path(name)}" if is_file else url


def _open_journal(url: str) -> BaseStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    path = Path(url).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    refuse_damaged(path)
    return JournalStorage(JournalFileBackend(str(path), JournalFileOpenLock(str(path))))


def _open_database(url: str) -> BaseStorage:
    """Open a database, in turn with others that find it empty and make its tables."""
    url, options = _with_driver(url)
    until = time.monotonic() + LOCK_SECONDS
    with _told(f"waiting for {shown(url)}, up to {LOCK_SECONDS} seconds"):
        while True:
            try:
                return _database(url, options)
            except Exception as error:
                if time.monotonic() > until or not _COLLISION.search(str(error)):
                    raise
                time.sleep(random.uniform(0.1, 0.5))


@contextmanager
def _told(text: str) -> Iterator[None]:
    """Say what is waited for, if that takes more than a few seconds."""
    timer = threading.Timer(_SAID_AFTER, print, [text], {"file": sys.stderr})
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _with_driver(url: str) -> tuple[str, dict[str, Any]]:
    """Name the driver that the extra installs, and how long it is to wait."""
    if url.startswith("sqlite"):
        return url, {"timeout": LOCK_SECONDS}  # several processes write in turn
    url = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)
    is_ours = url.startswith("postgresql+psycopg://")
    if is_ours and importlib.util.find_spec("psycopg") is None:
        raise StudyError(
            f"The storage {shown(url)} needs a driver for PostgreSQL. Install one: "
            "python -m pip install 'psycopg[binary]'."
        )
    waits = is_ours and "connect_timeout=" not in url
    return url, {"connect_timeout": CONNECT_SECONDS} if waits else {}


def _database(url: str, options: dict[str, Any]) -> BaseStorage:
    from optuna.storages import RetryHeartbeatStaleTrialCallback
    from sqlalchemy.pool import NullPool

    from .heartbeats import DatabaseStorage

    return DatabaseStorage(
        url,
        heartbeat_interval=HEARTBEAT_SECONDS,
        grace_period=3 * HEARTBEAT_SECONDS,
        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(_MOST_RETRIES),
        # No connection stays open between two writings.
        engine_kwargs={"poolclass": NullPool, "connect_args": options},
    )


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Hold back Optuna's log and its remarks on what is experimental.

    What it says of a lock that it waits for is shown.
    """
    from optuna import logging
    from optuna.exceptions import ExperimentalWarning

    logging.get_logger("optuna.storages.journal").setLevel(logging.WARNING)
    level = logging.get_verbosity()
    logging.set_verbosity(max(level, logging.ERROR))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        logging.set_verbosity(level)
