"""Processes share a study through its storage alone, and may die at any time.

They run cheap fits: what is tested is who runs which trial.
"""

import contextlib
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
import optuna
import pytest
from joblib.externals.loky import get_reusable_executor
from optuna.storages import fail_stale_trials
from optuna.storages._rdb.models import TrialHeartbeatModel
from optuna.trial import FixedTrial, FrozenTrial, TrialState
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sqlalchemy import update

from glomclf import GlomeruliSearchCV
from glomclf.data.temporary_folders import temporary_folder
from glomclf.errors import ParameterError, StudyError, TuningError
from glomclf.tuning import open_storage, storage
from glomclf.tuning.objective import make_objective
from glomclf.tuning.storage import quiet_optuna
from glomclf.tuning.trials import finished_trials

ROOT = Path(__file__).parents[2]
NAME = "shared"
LONG_AGO = datetime(2000, 1, 1)
PATIENCE = 600  # seconds: a busy machine is no failure

# A file, which all processes import: a study knows its space by the source.
STUDY = """
import os, signal, time
from pathlib import Path
import numpy as np
from sklearn.linear_model import LogisticRegression
from glomclf.tuning import GlomeruliSearchCV

def space(trial):
    return {"C": trial.suggest_float("C", 1e-3, 1e3, log=True)}

class Mortal(LogisticRegression):
    '''In what is to be stopped, the fourth fit of all says so and does not end.'''

    def fit(self, X, y):
        if "SIGN" in os.environ:
            if "IGNORED" in os.environ:
                assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
            with open("fits", "ab", buffering=0) as noted:
                noted.write(b"+")
                n_fits = noted.tell()
            if n_fits > 3:
                Path(os.environ["SIGN"]).touch()
                time.sleep(600)
        time.sleep(float(os.environ.get("SECONDS", 0)))
        return super().fit(X, y)

rng = np.random.default_rng(0)
X, groups = rng.normal(size=(60, 3)), np.repeat(np.arange(20), 3)
y = (X[:, 0] + rng.normal(size=60) > 0).astype(int)

def search(storage, n_trials, **options):
    return GlomeruliSearchCV(
        Mortal(), space, cv=2, scoring="roc_auc", n_trials=n_trials, storage=storage,
        study_name="shared", refit=False, random_state=0, **options,
    )

def run(url, n_jobs=1, n_trials=6):
    search(url, n_trials, n_jobs=n_jobs).fit(X, y, groups=groups)

if __name__ == "__main__":
    if "IGNORED" in os.environ:  # as a shell does for what runs in the background
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    run(os.environ["STORAGE"] or None, int(os.environ.get("JOBS", 1)))
"""


@pytest.fixture(scope="module", autouse=True)
def no_process_left():
    """End loky's processes: if they load TensorFlow later, it thinks that they leak.

    It then ends one with a warning, which is an error here, and waits for ever.
    """
    yield
    end_processes()


def end_processes():
    get_reusable_executor().shutdown(wait=True, kill_workers=True)


def let_hours_pass(opened):
    """Make all signs of life in a database old: to wait would show no more."""
    with opened.engine.begin() as connection:
        connection.execute(update(TrialHeartbeatModel).values(heartbeat=LONG_AGO))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "shared_study.py").write_text(STUDY)
    return tmp_path


@pytest.fixture(params=["sqlite", "postgresql", "journal"])
def url(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql_url")
    files = {"sqlite": f"sqlite:///{tmp_path}/a.db", "journal": f"{tmp_path}/a.journal"}
    return files[request.param]


@pytest.fixture
def run_here(folder):
    """Return what a process of its own runs: to start one more would show no more."""
    return runpy.run_path(str(folder / "shared_study.py"))["run"]


@pytest.fixture
def start(folder):
    """Start searches in processes of their own, which end with the test."""
    started = []

    def run(url, cwd=None, **environment):
        process = subprocess.Popen(
            [sys.executable, "-W", "error", str(folder / "shared_study.py")],
            cwd=cwd or folder,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "STORAGE": url,
                **environment,
            },
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()


def wait_until(condition):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.2)


def trials_of(url):
    """Return all trials, and those that are finished; none where there is no study."""
    try:
        study = optuna.load_study(study_name=NAME, storage=open_storage(url))
    except KeyError:
        return [], []
    return study.trials, finished_trials(study)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9")
def test_processes_share_a_study_and_kill_9_loses_the_running_trial_at_most(
    folder, start, run_here, url
):
    """Databases run it again with its parameters; of a journal nobody can know."""
    victim = start(url, SIGN="sign")
    wait_until((folder / "sign").exists)
    run_here(url, n_trials=3)  # joins the study, while the other runs its second trial
    victim.kill()
    victim.wait()
    before, finished = trials_of(url)
    assert [trial.number for trial in finished] == [0, 2, 3]
    assert before[1].state == TrialState.RUNNING
    if not url.endswith("journal"):
        let_hours_pass(open_storage(url))

    run_here(url, n_trials=4)

    trials, finished = trials_of(url)
    assert trials[0].value == before[0].value
    again = [one.number for one in finished if one.params == before[1].params]
    if url.endswith("journal"):
        assert trials[1].state == TrialState.RUNNING
        assert again == []
    else:
        assert trials[1].state == TrialState.FAIL
        assert again == [4]
    assert len({trial.params["C"] for trial in finished}) == 4


@pytest.mark.slow
def test_ctrl_c_ends_the_processes_and_the_same_again_goes_on(folder, start, run_here):
    url = f"sqlite:///{folder}/a.db"
    process = start(url, JOBS="2", SIGN="sign")
    wait_until((folder / "sign").exists)
    wait_until(lambda: trials_of(url)[1])  # three fits are one trial of two, or more
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert "KeyboardInterrupt: Stopped." in errors
    assert "of 6, kept in" in errors
    assert 1 <= len(trials_of(url)[1]) < 6
    run_here(url)
    assert len(trials_of(url)[1]) >= 6


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9")
def test_workers_import_what_their_parent_does_end_with_it_and_leave_no_files(
    folder, start, monkeypatch
):
    data, temporary = folder / "data", folder / "temporary"
    for one in (data, temporary):
        one.mkdir()
    for name in ("statistics.py", "uuid.py"):  # joblib imports the second
        (data / name).write_text("open('imported', 'w').close()\nraise OSError")
    sign = folder / "sign"
    options = {"JOBS": "2", "IGNORED": "1", "TMPDIR": str(temporary)}
    process = start("", data, SIGN=str(sign), **options)
    wait_until(lambda: sign.exists() or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    process.kill()
    # Workers have it open, too: it ends when all have ended.
    process.communicate(timeout=PATIENCE / 2)
    assert not (data / "imported").exists()
    assert [one.name[:8] for one in temporary.iterdir()] == ["glomclf-"]
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with temporary_folder():
        pass
    assert list(temporary.iterdir()) == []


# -- processes that a search starts ----------------------------------------------------


def rows(n=60):
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(n, 3)), np.repeat(np.arange(n // 3), 3)
    return X, (X[:, 0] + rng.normal(size=n) > 0).astype(int), groups


def space(trial):
    return {"C": trial.suggest_float("C", 1e-3, 1e3, log=True)}


def make(estimator=None, **options):
    defaults = {"n_trials": 4, "cv": 2, "scoring": "roc_auc", "random_state": 0}
    return GlomeruliSearchCV(
        estimator or LogisticRegression(), space, **{**defaults, **options}
    )


@pytest.mark.slow
def test_the_same_parameters_score_the_same_in_any_process():
    X, y, groups = rows()
    search = make(n_jobs=2).fit(X, y, groups=groups)
    assert len(finished_trials(search.study_)) == 4
    here = make_objective(search, X, y, groups)
    for trial in finished_trials(search.study_):
        assert here(FixedTrial(trial.params)) == [trial.value]
    assert len({trial.params["C"] for trial in search.study_.trials}) == 4


class Killer(LogisticRegression):
    """Ends its own process once, and notes that in a file."""

    def __init__(self, C=1.0, note=None):
        super().__init__(C=C)
        self.note = note

    def fit(self, X, y):
        if not os.path.exists(self.note):
            open(self.note, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9")
def test_a_process_that_is_killed_is_told_and_the_same_again_goes_on(tmp_path):
    X, y, groups = rows()
    killed = Killer(note=str(tmp_path / "killed"))
    opened = open_storage(f"sqlite:///{tmp_path}/a.db")
    search = make(killed, n_jobs=2, n_trials=6, storage=opened)
    with pytest.raises(TuningError, match="killed: is the memory enough"):
        search.fit(X, y, groups=groups)
    end_processes()  # loky ends those that are left, but does not wait for them
    let_hours_pass(opened)
    search.fit(X, y, groups=groups)
    assert len(finished_trials(search.study_)) >= 6
    states = [trial.state for trial in search.study_.trials]
    assert TrialState.RUNNING not in states  # what was lost was run again


class Unsendable(BaseEstimator):
    def fit(self, X, y):
        return self

    def __reduce__(self):
        raise TypeError("cannot be pickled")


def test_what_cannot_be_sent_is_named():
    X, y, groups = rows()
    with pytest.raises(ParameterError, match="cannot be sent to other processes"):
        make(Unsendable(), n_jobs=2, scoring="accuracy").fit(X, y, groups=groups)


def test_memory_cannot_be_shared():
    X, y, groups = rows()
    with pytest.raises(StudyError, match="cannot be shared"):
        make(n_jobs=2, storage=optuna.storages.InMemoryStorage()).fit(X, y, groups)


# -- what others do meanwhile ----------------------------------------------------------


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
def test_a_trial_whose_process_dies_before_its_first_heartbeat_is_run_again(url):
    """`ask` begins a trial as `optimize` does, and starts no thread of heartbeats."""
    opened = open_storage(url)
    with quiet_optuna(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Heartbeat of storage is supposed")
        study = optuna.create_study(storage=opened, direction="maximize")
        lost = study.ask()
        lost.suggest_float("C", 0, 1)
        let_hours_pass(opened)
        fail_stale_trials(study)
        again = study.ask()  # it waited, and its process dies as early
        let_hours_pass(opened)
        seen = []
        study.optimize(lambda t: seen.append(t.suggest_float("C", 0, 1)) or 1.0, 1)
    assert seen == [lost.params["C"]]
    assert [lost.number, again.number] == [0, 1]
    states = [TrialState.FAIL, TrialState.FAIL, TrialState.COMPLETE]
    assert [trial.state for trial in study.trials] == states


def test_trials_that_others_have_run_meanwhile_are_not_run_again():
    X, y, groups = rows()
    memory = optuna.storages.InMemoryStorage()

    def also_elsewhere(trial):
        if trial.number == 1 and not isinstance(trial, FrozenTrial):
            trial.study.add_trials([trial.study.trials[0]] * 2)
        return space(trial)

    search = make(storage=memory, study_name=NAME)
    search.set_params(search_space=also_elsewhere)
    for _ in range(2):
        assert len(search.fit(X, y, groups=groups).study_.trials) == 4


# -- a server --------------------------------------------------------------------------


def unreachable(kind, server, url):
    """Return a URL that nobody can use."""
    return {
        "port": url.replace(f":{server.port}/", ":1/"),
        "password": url.replace("%40", "wrong"),
        "database": f"{url}_missing",
        "host": url.replace("127.0.0.1", "no-such-host.invalid"),
    }[kind]


@pytest.mark.parametrize("kind", ["port", "password", "database", "host"])
def test_a_server_that_cannot_be_used_is_named_without_its_password(
    postgresql_server, postgresql_url, kind
):
    X, y, groups = rows()
    url = unreachable(kind, postgresql_server, postgresql_url)
    with pytest.raises(StudyError, match=r"glomclf:\*\*\*@.* cannot be used") as caught:
        make(storage=url).fit(X, y, groups=groups)
    assert postgresql_server.password[:12] not in str(caught.value)
    assert "Check that the server runs" in str(caught.value)


def test_a_server_that_never_answers_is_given_up(monkeypatch):
    pytest.importorskip("psycopg", reason="needs the extra postgresql")
    import socket

    assert storage.CONNECT_SECONDS <= 15
    monkeypatch.setattr(storage, "CONNECT_SECONDS", 2)
    X, y, groups = rows()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://me:secret@127.0.0.1:{silent.getsockname()[1]}/studies"
        with pytest.raises(StudyError, match="timeout") as caught:
            make(storage=url).fit(X, y, groups=groups)
    assert "secret" not in str(caught.value)


@pytest.mark.slow
def test_processes_on_a_server_show_its_password_nowhere(
    postgresql_server, postgresql_url
):
    X, y, groups = rows()
    make(n_jobs=2, storage=postgresql_url, study_name=NAME).fit(X, y, groups=groups)
    secret = postgresql_server.password[:12]
    dump = postgresql_server.dump(postgresql_url)
    assert NAME in dump
    assert secret not in dump
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert not [line for line in lines if secret.encode() in line]


def test_a_server_that_stops_amid_a_study_loses_the_running_trial_at_most(
    postgresql_server, postgresql_url
):
    once = iter([True])

    def stopping(trial):
        settings = space(trial)
        if trial.number == 2 and next(once, False):
            postgresql_server.stop()
        return settings

    X, y, groups = rows()
    search = make(n_trials=5, storage=postgresql_url, study_name=NAME)
    search.set_params(search_space=stopping)
    try:
        with pytest.raises(StudyError, match=r"glomclf:\*\*\*@") as caught:
            search.fit(X, y, groups=groups)
    finally:
        postgresql_server.start()
    assert postgresql_server.password[:12] not in str(caught.value)

    search.fit(X, y, groups=groups)

    trials, finished = trials_of(postgresql_url)
    assert [trial.state for trial in trials[:2]] == [TrialState.COMPLETE] * 2
    assert len(finished) == 5
