"""A PostgreSQL server of one's own, for as long as a test or a measurement takes.

It runs from a temporary folder on a free port of the loopback, as another user than
root, and leaves any server that this machine has alone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

__all__ = ["PostgreSQLServer", "find_programs", "private_server"]

_USER = "glomclf"
_START_S = 300  # it may be busy
_STOP_S = 60
_ATTEMPTS = 3


def find_programs() -> Path:
    """Return the folder that holds ``initdb`` and ``postgres``.

    Returns
    -------
    pathlib.Path
        That of the newest version in ``/usr/lib/postgresql``, where Debian keeps them
        out of the ``PATH``, else the one in the ``PATH``.

    Raises
    ------
    FileNotFoundError
        If PostgreSQL is not installed.
    """
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: float(path.parts[-3]),
    )
    if on_path := shutil.which("initdb"):
        found.insert(0, Path(on_path).resolve())
    found = [path for path in found if path.with_name("postgres").exists()]
    if not found:
        raise FileNotFoundError(
            "PostgreSQL is not installed: there is no initdb in /usr/lib/postgresql or "
            "in the PATH. On Debian: apt-get install postgresql."
        )
    return found[-1].parent


@contextlib.contextmanager
def private_server() -> Iterator[PostgreSQLServer]:
    """Start a server with an empty database; stop it and remove its folder at the end.

    Yields
    ------
    PostgreSQLServer
        Running, with a password that needs quoting in a URL.

    Raises
    ------
    FileNotFoundError
        If PostgreSQL is not installed.
    RuntimeError
        If the server does not start; with the end of its log.
    """
    programs = find_programs()
    folder = Path(tempfile.mkdtemp(prefix="glomclf-postgresql-"))
    server = PostgreSQLServer(programs, folder)
    try:
        server.initialize()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


class PostgreSQLServer:
    """One server, its folder and its processes.

    Parameters
    ----------
    programs : Path
        Folder of ``initdb`` and ``postgres``.
    folder : Path
        Empty; becomes the property of the user that the server runs as.

    Attributes
    ----------
    url : str
        Of the database ``postgres``, with user and password, as SQLAlchemy takes it.
    password : str
        As it is, not as in a URL.
    """

    def __init__(self, programs: Path, folder: Path):
        self.programs, self.folder = programs, folder
        self.password = f"{secrets.token_urlsafe(12)}@/:%"
        self.port = _free_port()
        self._data, self._log = folder / "data", folder / "server.log"
        self._as_user = _unprivileged_user()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """URL of the database ``postgres``."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Return the URL of a database."""
        owner = f"{_USER}:{quote(self.password, safe='')}"
        return f"postgresql+psycopg://{owner}@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"study_{secrets.token_hex(4)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url_of(name)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement in the database ``postgres``, and return its rows."""
        import psycopg

        url = self.url.replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def dump(self, url: str) -> str:
        """Return all that a database holds, as SQL."""
        command = [str(self.programs / "pg_dump"), url.replace("+psycopg", "")]
        return subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout

    def initialize(self) -> None:
        """Make the files of an empty server that asks for the password."""
        secret = self.folder / "password"
        secret.write_text(self.password)
        for path in (self.folder, secret):
            if self._as_user:
                os.chown(path, self._as_user["user"], self._as_user["group"])
        done = subprocess.run(
            [
                self.programs / "initdb",
                f"--pgdata={self._data}",
                f"--username={_USER}",
                f"--pwfile={secret}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            **self._as_user,
        )
        secret.unlink()
        if done.returncode:
            raise RuntimeError(f"PostgreSQL's initdb failed:\n{done.stderr[-2000:]}")

    def start(self) -> None:
        """Start it and wait until it answers; a port that is taken is exchanged."""
        for _ in range(_ATTEMPTS):
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [
                        self.programs / "postgres",
                        *("-D", self._data, "-k", self.folder),
                        *("-h", "127.0.0.1", "-p", str(self.port)),
                    ],
                    cwd=self.folder,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    **self._as_user,
                )
            if self._answers():
                return
            self.stop()
            self.port = _free_port()
        log_end = self._log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"PostgreSQL does not start:\n{log_end}")

    def stop(self) -> None:
        """End its connections and itself."""
        process, self._process = self._process, None
        if process is None:
            return
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            process.send_signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_S)
                return

    def _answers(self) -> bool:
        assert self._process is not None
        ready = [str(self.programs / "pg_isready"), "-q", "-h", "127.0.0.1"]
        end = time.monotonic() + _START_S
        while self._process.poll() is None and time.monotonic() < end:
            asked = subprocess.run([*ready, "-p", str(self.port)], check=False)
            if asked.returncode == 0:
                return True
            time.sleep(0.05)
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _unprivileged_user() -> dict[str, Any]:
    """Return how a child of root becomes another user: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    import pwd  # not on Windows, where nobody is root

    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            ids = {"user": entry.pw_uid, "group": entry.pw_gid}
            return {**ids, "extra_groups": []}
    raise RuntimeError(
        "PostgreSQL refuses root, and no user postgres or nobody is here"
    )
