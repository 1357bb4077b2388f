"""``python -m glomclf`` is ``glomclf``."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="glomclf")
