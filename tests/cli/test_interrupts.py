"""Ctrl-C while modules are imported ends with one line and exit code 130."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import glomclf

ROOT = Path(glomclf.__file__).parents[1]
INTERRUPTED = """
import os, signal
{start}
    os.kill(os.getpid(), signal.SIGINT)
{end}
"""


@pytest.mark.parametrize("module", ["click", "pandas"])
@pytest.mark.parametrize(
    ("start", "end"), [("if True:", ""), ("try:", "except BaseException: pass")]
)
def test_ctrl_c_during_an_import_is_one_line(tmp_path, module, start, end):
    text = INTERRUPTED.format(start=start, end=end)
    (tmp_path / f"{module}.py").write_text(text)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "glomclf", "split", "patches.csv"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 130
    assert done.stderr.strip() == "Interrupted. No file was written."
