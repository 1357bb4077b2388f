"""``glomclf``, and ``python -m glomclf``."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is imported ends with one line."""
    try:
        from .cli import main as commands
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. No file was written.\n")
        sys.exit(130)
    commands(prog_name="glomclf")


if __name__ == "__main__":
    main()
