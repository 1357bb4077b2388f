"""``glomclf``, and ``python -m glomclf``."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from types import FrameType
from typing import Any


def main() -> None:
    """Run the command line, which ends with one line when it is interrupted."""
    signal.signal(signal.SIGINT, _interrupted)
    open_streams()
    from .cli import main as commands

    commands(prog_name="glomclf")


class Unread(io.TextIOWrapper):
    """Messages that go nowhere, as to a full disk, stop no work."""

    def write(self, text: str) -> int:
        """Write if that can be done."""
        with contextlib.suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Flush if that can be done."""
        with contextlib.suppress(OSError):
            super().flush()


def open_streams() -> None:
    """See to it that standard streams are open, and take any name.

    Without them, the next file that is opened would take the place of one that the
    shell closed, and get what libraries write there.
    """
    if sys.stdin is None:
        sys.stdin = _nowhere("r")
    if sys.stdout is None:
        sys.stdout = _nowhere("w")
    if sys.stderr is None:
        sys.stderr = Unread(_nowhere("wb"), "utf-8")
    elif isinstance(sys.stderr, io.TextIOWrapper):
        buffer, encoding = sys.stderr.buffer, sys.stderr.encoding
        sys.stderr = Unread(buffer, encoding, "backslashreplace", line_buffering=True)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _nowhere(mode: str) -> Any:
    return open(os.devnull, mode)


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Leave at once while modules are imported: some pass over a KeyboardInterrupt."""
    console = sys.modules.get(f"{__package__}.cli.console")
    written_files = getattr(console, "written_files", list)
    if _is_importing(frame) and not written_files():
        sys.stderr.write("\nInterrupted. No file was written.\n")
        sys.stderr.flush()
        os._exit(130)
    signal.default_int_handler(number, frame)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


if __name__ == "__main__":
    main()
