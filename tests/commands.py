"""Commands as users type them, run in this process."""

from click.testing import CliRunner

from glomclf.cli import main


def run(*words, code=0):
    """Run ``glomclf`` with these words; its exit code must be `code`."""
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result
