"""Workers share a study through a real PostgreSQL or a journal file.

They are processes of their own, that know of each other through the storage alone.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from optuna.trial import TrialState
from sklearn.linear_model import LogisticRegression

from glomclf.errors import StudyError
from glomclf.tuning import GlomeruliSearchCV, counted_trials, storages, studies

ROOT = Path(__file__).parents[2]
N_TRIALS = 12
NAME = "shared"

# A file, which all workers import: a study knows its space by the source.
STUDY = """
import os, time
from pathlib import Path
import numpy as np
from optuna.samplers import RandomSampler
from sklearn.linear_model import LogisticRegression
from glomclf.tuning import GlomeruliSearchCV

def space(trial):
    time.sleep(0.05)
    return {"C": trial.suggest_float("C", 1e-3, 1e3, log=True)}

class Mortal(LogisticRegression):
    '''In the worker that is to die, the third fit says so and does not end.'''

    n_fits = 0

    def fit(self, X, y):
        Mortal.n_fits += 1
        if Mortal.n_fits == 3 and "VICTIM" in os.environ:
            Path(os.environ["VICTIM"]).touch()
            time.sleep(600)
        return super().fit(X, y)

rng = np.random.default_rng(0)
X, groups = rng.normal(size=(60, 3)), np.repeat(np.arange(20), 3)
y = (X[:, 0] + rng.normal(size=60) > 0).astype(int)

def search(storage, n_trials, **options):
    return GlomeruliSearchCV(
        Mortal(), space, cv=2, scoring="roc_auc", n_trials=n_trials, storage=storage,
        study_name="shared", sampler=RandomSampler(), refit=False, random_state=0,
        **options,
    )
"""
WORKER = """
import os, sys
from glomclf.tuning import open_storage, trials
from shared_study import X, groups, search, y

if "ELSEWHERE" in os.environ:
    trials._machine = lambda: "another machine"
storage = open_storage(os.environ["STORAGE"], heartbeat=1)
search(storage, int(sys.argv[1])).fit(X, y, groups=groups)
"""
TEAM = """
import os, sys
from shared_study import X, groups, search, y

if __name__ == "__main__":
    storage = os.environ["STORAGE"]
    search(storage, int(sys.argv[1]), n_jobs=2).fit(X, y, groups=groups)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "shared_study.py").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=["postgresql", "journal"])
def url(request):
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql_url")
    return "study.journal"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Run the same study alone, and return its parameters."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "shared_study.py").write_text(STUDY)
    file = str(folder / "study.journal")
    finish(start(file, folder))
    study = load(file)
    parameters = sorted(trial.params["C"] for trial in study.trials)
    assert len(set(parameters)) == N_TRIALS
    return parameters


def start(url, folder, code=WORKER, n_trials=N_TRIALS, **environment):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, str(n_trials)],
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


def finish(*workers):
    for worker in workers:
        _, errors = worker.communicate(timeout=120)
        assert worker.returncode == 0, errors


def kill_in_trial(worker, sign):
    """End a worker by ``kill -9`` once it says that it is amid a trial."""
    until = time.monotonic() + 60
    while not sign.exists():
        assert worker.poll() is None, worker.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.02)
    worker.send_signal(signal.SIGKILL)
    worker.communicate()


def load(url):
    return studies.find_study(url, NAME)


def assert_complete(study, parameters):
    counted = counted_trials(study)
    assert {trial.state for trial in counted} == {TrialState.COMPLETE}
    # The planned ones, each of them once: parameters follow from seed and index.
    found = sorted(trial.params["C"] for trial in counted)
    assert found == pytest.approx(parameters)
    unfinished = [trial for trial in study.trials if not trial.state.is_finished()]
    assert not unfinished


def assert_one_was_retried(study):
    """The killed trial counts as failed; another had its place and parameters."""
    (retry,) = [t for t in study.trials if "retry_of" in t.user_attrs]
    lost = study.trials[retry.user_attrs["retry_of"]]
    assert (lost.state, retry.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert retry.params == lost.params
    assert retry.user_attrs["worker"] != lost.user_attrs["worker"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9")
def test_a_worker_killed_amid_a_trial_costs_the_study_nothing(folder, url, undisturbed):
    victim = start(url, folder, VICTIM="sign")
    survivor = start(url, folder)
    kill_in_trial(victim, folder / "sign")
    finish(survivor)

    study = load(url)
    assert_complete(study, undisturbed)
    assert_one_was_retried(study)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9")
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_the_heartbeat_tells_of_a_death_on_another_machine(folder, url, undisturbed):
    victim = start(url, folder, VICTIM="sign", ELSEWHERE="1")
    kill_in_trial(victim, folder / "sign")
    running = [t for t in load(url).trials if t.state == TrialState.RUNNING]
    assert [t.user_attrs["worker"].split("/")[0] for t in running] == [
        "another machine"
    ]

    finish(start(url, folder))

    study = load(url)
    assert_complete(study, undisturbed)
    assert_one_was_retried(study)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads command lines in /proc")
def test_a_search_starts_workers_that_show_no_password(
    folder, postgresql_server, postgresql_url, undisturbed
):
    team = start(postgresql_url, folder, TEAM)
    seen = set()
    while team.poll() is None:
        for line in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                seen.add(line.read_bytes().replace(b"\0", b" ").decode())
        time.sleep(0.1)
    finish(team)

    study = load(postgresql_url)
    assert_complete(study, undisturbed)
    assert len({trial.user_attrs["worker"] for trial in counted_trials(study)}) == 2
    assert any("glomclf.tuning.worker" in line for line in seen)
    secret = postgresql_server.password[:12]
    assert not [line for line in seen if secret in line]
    dump = postgresql_server.dump(postgresql_url)
    assert NAME in dump
    assert secret not in dump


def search_here(storage, n_trials=4, space=None):
    def own_space(trial):
        return {"C": trial.suggest_float("C", 0.1, 1.0)}

    return GlomeruliSearchCV(
        LogisticRegression(),
        space or own_space,
        cv=2,
        scoring="roc_auc",
        n_trials=n_trials,
        storage=storage,
        study_name=NAME,
        random_state=0,
    )


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    return X, (X[:, 0] > 0).astype(int)


def unreachable(kind, server, url):
    """Return a URL that nobody can use."""
    return {
        "port": url.replace(f":{server.port}/", ":1/"),
        "password": url.replace("%40", "wrong"),
        "database": f"{url}_missing",
        "host": url.replace("127.0.0.1", "no-such-host.invalid"),
    }[kind]


@pytest.mark.parametrize("kind", ["port", "password", "database", "host"])
def test_a_server_that_cannot_be_used_is_named_at_once_and_without_its_password(
    postgresql_server, postgresql_url, rows, kind
):
    url = unreachable(kind, postgresql_server, postgresql_url)
    begin = time.monotonic()
    with pytest.raises(StudyError, match=r"glomclf:\*\*\*@.* cannot be used") as caught:
        search_here(url).fit(*rows)
    assert time.monotonic() - begin < 10
    assert postgresql_server.password[:12] not in str(caught.value)
    assert "Check that the server runs" in str(caught.value)


def test_a_server_that_never_answers_is_given_up(monkeypatch, rows):
    pytest.importorskip("psycopg", reason="needs the extra postgresql")
    assert storages.CONNECT_SECONDS <= 15
    monkeypatch.setattr(storages, "CONNECT_SECONDS", 2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://me:secret@127.0.0.1:{silent.getsockname()[1]}/studies"
        begin = time.monotonic()
        with pytest.raises(StudyError, match="timeout") as caught:
            search_here(url).fit(*rows)
    assert time.monotonic() - begin < 10
    assert "secret" not in str(caught.value)


def test_another_space_may_not_join(postgresql_server, postgresql_url, rows):
    search_here(postgresql_url).fit(*rows)
    with pytest.raises(StudyError, match="differs in\n  the search space") as caught:
        search_here(
            postgresql_url,
            space=lambda trial: {"C": trial.suggest_float("C", 0.1, 9.0)},
        ).fit(*rows)
    assert postgresql_server.password[:12] not in str(caught.value)


def test_a_server_that_stops_amid_a_study_loses_the_running_trial_at_most(
    postgresql_server, postgresql_url, rows
):
    once = iter([True])  # a list would be part of what tells a space from others

    def space(trial):
        settings = {"C": trial.suggest_float("C", 0.1, 1.0)}
        if trial.number == 2 and next(once, False):
            postgresql_server.stop()
        return settings

    search = search_here(postgresql_url, n_trials=5, space=space)
    try:
        with pytest.raises(StudyError, match=r"glomclf:\*\*\*@") as caught:
            search.fit(*rows)
    finally:
        postgresql_server.start()
    assert postgresql_server.password[:12] not in str(caught.value)

    search.fit(*rows)

    study = load(postgresql_url)
    assert [trial.state for trial in study.trials[:2]] == [TrialState.COMPLETE] * 2
    assert len(counted_trials(study)) == 5
    assert all(trial.state.is_finished() for trial in study.trials)
    alone = search_here(None, n_trials=5, space=space).fit(*rows)
    assert search.best_params_ == alone.best_params_
