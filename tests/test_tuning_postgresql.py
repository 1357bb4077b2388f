"""Workers share a study through a real PostgreSQL, SQLite or a journal file.

They are processes of their own, that know of each other through the storage alone.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.trial import TrialState
from sklearn.linear_model import LogisticRegression

from glomclf.errors import StudyError
from glomclf.tuning import GlomeruliSearchCV, counted_trials, open_storage, storages

ROOT = Path(__file__).parents[1]
N_TRIALS = 12
NAME = "shared"

# One study for all: the workers import it, and a space is known by its source.
STUDY = """
import os, time
from pathlib import Path
import numpy as np
from optuna.samplers import RandomSampler
from sklearn.linear_model import LogisticRegression
from glomclf.tuning import GlomeruliSearchCV, open_storage

def space(trial):
    settings = {"C": trial.suggest_float("C", 1e-3, 1e3, log=True)}
    time.sleep(0.05)
    return settings

class Sleeper(LogisticRegression):
    '''Says that it is fitted, and never ends, in the worker that is to die.'''

    def fit(self, X, y):
        if "VICTIM" in os.environ and len(list(Path(".").glob("fit-*"))) >= 7:
            Path(os.environ["VICTIM"]).touch()
            time.sleep(600)
        Path(f"fit-{time.time_ns()}-{os.getpid()}").touch()
        return super().fit(X, y)

rng = np.random.default_rng(0)
X, groups = rng.normal(size=(60, 3)), np.repeat(np.arange(20), 3)
y = (X[:, 0] + rng.normal(size=60) > 0).astype(int)

def search(storage, n_trials):
    return GlomeruliSearchCV(
        Sleeper(), space, cv=2, scoring="roc_auc", n_trials=n_trials, storage=storage,
        study_name="shared", sampler=RandomSampler(), refit=False, random_state=0,
    )
"""
WORKER = """
import os, sys
import glomclf.tuning.trials as trials
from shared_study import *

if "ELSEWHERE" in os.environ:
    trials._machine = lambda: "another machine"
storage = open_storage(os.environ["STORAGE"], heartbeat=1)
search(storage, int(sys.argv[1])).fit(X, y, groups=groups)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "shared_study.py").write_text(STUDY)
    return tmp_path


def storage_url(kind, request):
    if kind == "postgresql":
        return request.getfixturevalue("postgresql_url")
    return {"sqlite": "sqlite:///study.db", "journal": "study.journal"}[kind]


def start_worker(url, folder, n_trials=N_TRIALS, **environment):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", WORKER, str(n_trials)],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)]),
            "STORAGE": url,
            **environment,
        },
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process, timeout=60):
    _, errors = process.communicate(timeout=timeout)
    assert process.returncode == 0, errors


def kill_in_trial(process, sign):
    """Kill a worker once it says that it is in the middle of a trial."""
    until = time.monotonic() + 60
    while not sign.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def trials_of(url, folder, monkeypatch):
    monkeypatch.chdir(folder)
    storage = open_storage(url)
    return optuna.load_study(study_name=NAME, storage=storage)


def undisturbed_parameters(folder, monkeypatch):
    """Return those of the same study, alone and in memory."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    namespace = {}
    exec(compile(STUDY, "shared_study.py", "exec"), namespace)
    searched = namespace["search"](None, N_TRIALS)
    # Its source is not to be had here, and nobody else joins.
    space = {"C": optuna.distributions.FloatDistribution(1e-3, 1e3, log=True)}
    searched.set_params(search_space=lambda trial: {
        name: trial._suggest(name, of) for name, of in space.items()
    })
    searched.fit(namespace["X"], namespace["y"], groups=namespace["groups"])
    return sorted(t.params["C"] for t in searched.study_.trials)


def assert_complete(study, expected):
    trials = study.get_trials()
    assert not [t.number for t in trials if t.state == TrialState.RUNNING]
    assert not [t.number for t in trials if t.state == TrialState.WAITING]
    counted = counted_trials(study)
    assert len(counted) == N_TRIALS
    assert {t.state for t in counted} == {TrialState.COMPLETE}
    # The planned ones, each once: parameters follow from seed and index.
    assert sorted(t.params["C"] for t in counted) == pytest.approx(expected)


def assert_retried(study):
    """The killed trial ended as failed, and another did the same in its place."""
    trials = study.get_trials()
    (retry,) = [t for t in trials if "retry_of" in t.user_attrs]
    lost = trials[retry.user_attrs["retry_of"]]
    assert lost.state == TrialState.FAIL
    assert "fold_scores" not in lost.user_attrs
    assert retry.state == TrialState.COMPLETE
    assert retry.params == lost.params
    assert retry.user_attrs["worker"] != lost.user_attrs["worker"]
