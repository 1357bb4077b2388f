"""Commands as users type them, run in this process."""

from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

from glomclf.cli import main
from glomclf.report import Picture


@contextmanager
def without_pictures():
    """Leave the files of pictures empty: they take long, and few tests look at them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Picture, "svg", "<svg/>")
        patch.setattr(Picture, "png", b"")
        patch.setattr(Figure, "savefig", lambda self, file, **_: Path(file).touch())
        yield patch


def run(*words, code=0):
    """Run ``glomclf`` with these words; its exit code must be `code`."""
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result
