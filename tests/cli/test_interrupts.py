"""Signals while modules are imported end a command with one line and its exit code."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import glomclf
from glomclf import __main__ as program
from glomclf.cli import main, messages, outputs, split

ROOT = Path(glomclf.__file__).parents[1]
SIGNALLED = """
import os, signal
{start}
    os.kill(os.getpid(), signal.{name})
{end}
"""
PASSED_OVER = {"start": "try:", "end": "except BaseException: pass"}
NOT_HELD = {"start": "if True:", "end": ""}


@pytest.mark.parametrize(
    ("module", "text", "name", "word"),
    [
        ("click", PASSED_OVER, "SIGINT", "Interrupted"),
        ("pandas", PASSED_OVER, "SIGTERM", "Terminated"),
        pytest.param(
            *("pandas", NOT_HELD, "SIGHUP", "Terminated"),
            marks=pytest.mark.skipif(os.name == "nt", reason="no SIGHUP"),
        ),
    ],
)
def test_a_signal_during_an_import_is_one_line(tmp_path, module, text, name, word):
    (tmp_path / f"{module}.py").write_text(SIGNALLED.format(name=name, **text))
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "glomclf", "split", "patches.csv"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 128 + getattr(signal, name)
    assert done.stderr.strip() == f"{word}. No file was written."


class Left(BaseException):
    """In place of the end of the process."""


@pytest.fixture
def caught(monkeypatch):
    """Catch signals as the program does, with handlers that end no test run."""

    def leave(code):
        raise Left(code)

    monkeypatch.setattr(program.os, "_exit", leave)
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.getsignal(getattr(signal, name)) for name in names}
    yield program.catch_signals
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_during_work_names_what_was_kept(
    tmp_path, monkeypatch, caught, name, code
):
    def work(*_, **__):
        with outputs.output(tmp_path / "a.csv") as file:
            file.write_text("a")
        os.kill(os.getpid(), getattr(signal, name))

    caught()
    monkeypatch.setattr(split.command, "callback", work)
    result = CliRunner().invoke(main, ["split", "patches.csv"])
    assert result.exit_code == code
    assert f"Kept, each whole:\n  {tmp_path / 'a.csv'}" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("state", "line"), [("to come", "\nTerminated. "), ("over", "")]
)
def test_a_signal_before_and_after_the_command_ends_at_once(
    monkeypatch, caught, capsys, state, line
):
    monkeypatch.setattr(messages, "state", state)
    caught()
    with pytest.raises(Left, match="143"):
        os.kill(os.getpid(), signal.SIGTERM)
    assert capsys.readouterr().err[: len(line) or None] == line


def test_ignored_signals_stay_ignored(caught):
    """A shell ignores Ctrl-C for what it runs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    caught()
    os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
