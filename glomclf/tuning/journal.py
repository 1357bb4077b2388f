"""A journal that survives a full disk and a power cut.

Optuna's journal is a file of lines. Where a line was cut short, by either, the next one
would be written to its end, and from then on nobody could read the file.
"""

from __future__ import annotations

import os
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

__all__ = ["WholeLinesBackend"]

_BLOCK_BYTES = 2**16
_LINE_BEGINS = b'{"op_code":'


class WholeLinesBackend(JournalFileBackend):
    """A journal file whose last line, if it was cut short, is taken away.

    Nobody was told that it was written.

    Parameters
    ----------
    file : str
    """

    def __init__(self, file: str):
        self._path, self._own_lock = file, JournalFileSymlinkLock(file)
        super().__init__(file, lock_obj=self._own_lock)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write lines below the last whole one."""
        if not _ends_whole(self._path):
            self._cut()
        super().append_logs(logs)

    def _cut(self) -> None:
        self._own_lock.acquire()  # a line that another process is at is whole then
        try:
            whole = _whole_bytes(self._path)
            with open(self._path, "rb") as file:
                file.seek(whole)
                rest = file.read(len(_LINE_BEGINS))
            if not _LINE_BEGINS.startswith(rest):
                raise OSError(
                    f"{self._path} does not end as a journal of Optuna's does"
                )
            if rest:
                os.truncate(self._path, whole)
        finally:
            self._own_lock.release()


def _ends_whole(path: str) -> bool:
    """Tell whether a file ends with a line, or has none."""
    with open(path, "rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _whole_bytes(path: str) -> int:
    """Return where the last whole line of a file ends."""
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - _BLOCK_BYTES)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
    return 0
