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
    open_streams()
    catch_signals()
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


def catch_signals() -> None:
    """End with a word at the signals that ask for it, but for those that are ignored.

    A shell ignores SIGINT for what it runs in the background, and nohup SIGHUP.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    """Have the command end, or leave at once where it would not say so.

    It would not before it begins, after its end, and while modules are imported: some
    pass over a KeyboardInterrupt.
    """
    messages: Any = sys.modules.get(f"{__package__}.cli.messages")
    state = getattr(messages, "state", "to come")
    if state == "at work" and (messages.written_files() or not _is_importing(frame)):
        raise messages.Stopped(number)
    if state != "over":
        word = "Interrupted" if number == signal.SIGINT else "Terminated"
        print(f"\n{word}. No file was written.", file=sys.stderr, flush=True)
    os._exit(128 + number)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


if __name__ == "__main__":
    main()
