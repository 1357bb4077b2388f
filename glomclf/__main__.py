"""``glomclf``, and ``python -m glomclf``."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line, which ends with one line when it is interrupted."""
    signal.signal(signal.SIGINT, _interrupted)
    from .cli import main as commands

    commands(prog_name="glomclf")


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
