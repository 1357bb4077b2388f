"""Trials in processes: as many as planned, whoever is killed or stopped."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from sklearn.base import BaseEstimator, ClassifierMixin

from glomclf import GlomeruliSearchCV
from glomclf.errors import ParameterError, StudyError, TuningError
from glomclf.tuning import counted_trials, open_storage
from glomclf.tuning.running import Deadline, TrialLoop
from glomclf.tuning.studies import find_study, quiet_optuna
from glomclf.tuning.trials import Tally, claim

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "SIGKILL"), reason="processes cannot be killed at once here"
)

# What the scripts below and this file run: two cheap fits a trial, on 40 rows.
SEARCH = textwrap.dedent(
    """
    import os, sys, time
    import numpy as np
    from sklearn.base import BaseEstimator, ClassifierMixin
    from glomclf import GlomeruliSearchCV

    class Slow(ClassifierMixin, BaseEstimator):
        def __init__(self, shift=0.0, seconds=0.0, kills=""):
            self.shift, self.seconds, self.kills = shift, seconds, kills

        def fit(self, X, y):
            # Ends its own process, once.
            if self.kills and not os.path.exists(self.kills):
                open(self.kills, "w").close()
                os.kill(os.getpid(), 9)
            time.sleep(self.seconds)
            self.classes_ = np.unique(y)
            return self

        def predict_proba(self, X):
            positive = 1 / (1 + np.exp(-(X[:, 0] - self.shift)))
            return np.column_stack([1 - positive, positive])

        def predict(self, X):
            return (self.predict_proba(X)[:, 1] > 0.5).astype(int)

    def space(trial):
        return {"shift": trial.suggest_float("shift", -1, 1)}

    def search(**options):
        rng = np.random.default_rng(0)
        X, groups = rng.normal(size=(40, 2)), np.repeat(np.arange(20), 2)
        y = (X[:, 0] + rng.normal(size=40) > 0).astype(int)
        estimator = Slow(seconds=options.pop("seconds", 0.0),
                         kills=options.pop("kills", ""))
        defaults = dict(cv=2, scoring="accuracy", random_state=0, study_name="one")
        return GlomeruliSearchCV(estimator, space, **{**defaults, **options}).fit(
            X, y, groups=groups
        )
    """
)


def script(body):
    return [sys.executable, "-c", SEARCH + textwrap.dedent(body)]


@pytest.fixture
def start():
    """Start a search in a group of processes of its own, which ends with the test."""
    started = []

    def run(body):
        process = subprocess.Popen(
            script(body),
            cwd=ROOT,
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


def load(storage):
    return find_study(storage, "one")


def wait_until(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def is_running(storage):
    def check():
        study = load(storage)
        return study is not None and Tally.of(study).running > 0

    return check


def check_complete(study, n_trials):
    assert len(counted_trials(study)) == n_trials
    assert Tally.of(study) == Tally(finished=n_trials, running=0, waiting=0)


NAMESPACE: dict = {"__name__": "__main__"}
exec(SEARCH, NAMESPACE)


def run_search(**options):
    return NAMESPACE["search"](**options)


@pytest.mark.slow
def test_two_processes_run_the_planned_trials_and_give_what_one_gives():
    # A sampler that learns would learn from other trials.
    options = {"n_trials": 9, "sampler": optuna.samplers.RandomSampler()}
    alone = run_search(**options)
    together = run_search(n_jobs=2, **options)
    for search in (alone, together):
        check_complete(search.study_, 9)
    workers = {t.user_attrs["worker"] for t in counted_trials(together.study_)}
    assert all(int(name.split("/")[-2]) != os.getpid() for name in workers)
    shifts = [sorted(s.cv_results_["param_shift"]) for s in (alone, together)]
    assert shifts[0] == shifts[1]
    assert alone.best_score_ == together.best_score_


@pytest.mark.slow
def test_a_worker_killed_in_its_trial_is_replaced_and_the_trial_run_again(tmp_path):
    """With a journal: ``test_tuning_postgresql.py``."""
    storage = f"sqlite:///{tmp_path}/a.db"
    mark = tmp_path / "killed"
    search = run_search(n_jobs=2, n_trials=6, storage=storage, kills=str(mark))
    assert mark.exists()
    check_complete(search.study_, 6)
    (retry,) = [t for t in search.study_.trials if "retry_of" in t.user_attrs]
    lost = search.study_.trials[retry.user_attrs["retry_of"]]
    assert (lost.state, retry.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert retry.params == lost.params


@pytest.mark.slow
def test_kill_9_of_everything_loses_the_running_trial_only(tmp_path, start):
    storage = f"sqlite:///{tmp_path}/a.db"
    process = start(f"search(storage={storage!r}, n_trials=4, seconds=0.4)")
    wait_until(lambda: is_running(storage)() and Tally.of(load(storage)).finished)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = {t.number: t.value for t in counted_trials(load(storage))}
    assert kept
    resumed = run_search(storage=storage, n_trials=4, seconds=0.4)
    check_complete(resumed.study_, 4)
    expected = run_search(n_trials=4, seconds=0.0)
    assert sorted(resumed.cv_results_["mean_test_score"]) == sorted(
        expected.cv_results_["mean_test_score"]
    )
    assert all(resumed.study_.trials[n].value == value for n, value in kept.items())


@pytest.mark.slow
def test_ctrl_c_stops_the_workers_and_keeps_their_trials(tmp_path, start):
    storage = str(tmp_path / "a.journal")
    process = start(f"search(storage={storage!r}, n_trials=50, n_jobs=2, seconds=0.3)")
    wait_until(lambda: is_running(storage)() and Tally.of(load(storage)).finished > 1)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt: Stopped." in errors
    assert "of 50 trials are finished and kept in" in errors
    tally = Tally.of(load(storage))
    trials = load(storage).trials
    # One that was asked for, and that nobody had signed yet, the next run gives up.
    running = [t for t in trials if t.state == TrialState.RUNNING]
    assert not any("worker" in trial.user_attrs for trial in running)
    waiting = [t for t in trials if t.state == TrialState.WAITING]
    # Two processes may queue the same trial; the second of them will not be run.
    assert 1 <= len({t.user_attrs["retry_of"] for t in waiting}) <= 2
    time.sleep(0.5)
    assert Tally.of(load(storage)) == tally
    done = run_search(storage=storage, n_trials=tally.finished + 2, seconds=0.3)
    check_complete(done.study_, tally.finished + 2)


@pytest.mark.slow
def test_workers_end_with_the_process_that_started_them(tmp_path, start):
    storage = str(tmp_path / "a.journal")
    process = start(f"search(storage={storage!r}, n_trials=500, n_jobs=2, seconds=0.2)")
    wait_until(is_running(storage))
    os.kill(process.pid, signal.SIGKILL)  # the parent alone
    process.communicate(timeout=60)

    def have_ended():
        before = load(storage).get_trials()
        time.sleep(1)  # five trials of a worker that goes on
        trials = load(storage).get_trials()
        running = [t for t in trials if t.state == TrialState.RUNNING]
        # One that was asked for, and that nobody has signed yet, the next run gives up.
        return len(trials) == len(before) and not any(
            "worker" in trial.user_attrs for trial in running
        )

    wait_until(have_ended)


class Broken(ClassifierMixin, BaseEstimator):
    """Cannot be read in another process."""

    def fit(self, X, y):
        return self

    def __reduce__(self):
        return (_explode, ())


def _explode():
    raise RuntimeError("not here")


def test_workers_that_cannot_start_say_why(tmp_path):
    X, y = np.zeros((8, 1)), [0, 1] * 4
    search = GlomeruliSearchCV(
        Broken(), lambda trial: {}, scoring="accuracy", cv=2, n_jobs=2, n_trials=2
    )
    with pytest.raises(
        TuningError, match=r"(?s)without a trial.*test_tuning_workers|not here"
    ):
        search.fit(X, y)


class Unsendable(Broken):
    def __reduce__(self):
        raise TypeError("cannot be pickled")


def test_what_cannot_be_sent_is_named():
    X, y = np.zeros((8, 1)), [0, 1] * 4
    search = GlomeruliSearchCV(
        Unsendable(), lambda trial: {}, scoring="accuracy", cv=2, n_jobs=2, n_trials=2
    )
    with pytest.raises(ParameterError, match="cannot be sent to other processes"):
        search.fit(X, y)


def test_memory_cannot_be_shared():
    with pytest.raises(StudyError, match="cannot be shared"):
        run_search(n_jobs=2, storage=optuna.storages.InMemoryStorage())


def test_one_trial_too_many_is_given_up():
    study = optuna.create_study()
    asked = [study.ask() for _ in range(3)]
    assert [claim(trial, 2) for trial in asked] == [True, True, False]
    for trial in asked:
        study.tell(trial, state=TrialState.FAIL)
    assert len(counted_trials(study)) == 0  # none failed by an error of its own


def test_a_trial_that_two_processes_have_queued_counts_once():
    study = optuna.create_study()
    study.ask()
    study.tell(0, state=TrialState.FAIL)
    for _ in range(2):
        attributes = {"index": 0, "retry_of": 0}
        study.add_trial(
            optuna.trial.create_trial(state=TrialState.WAITING, user_attrs=attributes)
        )
    assert Tally.of(study) == Tally(finished=0, running=0, waiting=1)
    TrialLoop(study, lambda trial: 1.0, 1, Deadline(None)).run()
    check_complete(study, 1)
    TrialLoop(study, lambda trial: 1.0, 2, Deadline(None)).run()
    check_complete(study, 2)
    assert [t.state for t in study.trials].count(TrialState.WAITING) == 0


def test_two_loops_on_one_study_share_the_plan():
    study = optuna.create_study()

    def objective(trial):
        if trial.number == 1:  # another worker finishes the rest meanwhile
            TrialLoop(
                optuna.load_study(study_name=study.study_name, storage=study._storage),
                lambda inner: 0.0,
                4,
                Deadline(None),
            ).run(is_enough=lambda: Tally.of(study).planned >= 4)
        return 1.0

    TrialLoop(study, objective, 4, Deadline(None)).run()
    check_complete(study, 4)


def test_ctrl_c_that_a_library_makes_an_error_of_still_stops_the_study():
    study = optuna.create_study()

    def objective(trial):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as interrupt:
            trial.set_user_attr("error", {"type": "X", "message": "swallowed"})
            raise RuntimeError("swallowed") from interrupt
        return 0.0

    with pytest.raises(KeyboardInterrupt):
        TrialLoop(study, objective, 3, Deadline(None)).run()
    tally = Tally.of(study)
    assert (tally.finished, tally.running, tally.waiting) == (0, 0, 1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_that_the_storage_makes_an_error_of_still_stops_the_study(monkeypatch):
    study = optuna.create_study()

    def release(*args, **kwargs):  # as a journal's lock whose file is gone already
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as interrupt:
            monkeypatch.undo()
            raise FileNotFoundError("journal.lock") from interrupt

    monkeypatch.setattr(study._storage, "set_trial_state_values", release)
    with pytest.raises(KeyboardInterrupt):
        TrialLoop(study, lambda trial: 0.0, 3, Deadline(None)).run()
    tally = Tally.of(study)
    assert (tally.finished, tally.running, tally.waiting) == (0, 0, 1)


def test_an_error_of_the_storage_alone_is_no_ctrl_c(monkeypatch):
    study = optuna.create_study()

    def lost(*args, **kwargs):
        raise FileNotFoundError("journal.lock")

    monkeypatch.setattr(study._storage, "create_new_trial", lost)
    with pytest.raises(FileNotFoundError):
        TrialLoop(study, lambda trial: 0.0, 3, Deadline(None)).run()


def elsewhere(storage):
    """Return a study with one trial that a worker of another machine has begun."""
    with quiet_optuna(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Heartbeat of storage is supposed")
        study = optuna.create_study(storage=storage, direction="maximize")
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        trial.set_user_attr("settings", {})
        trial.set_user_attr("worker", "elsewhere/1/2")
    return study, trial


@pytest.mark.slow
def test_a_worker_elsewhere_without_a_heartbeat_loses_its_trial(tmp_path):
    storage = open_storage(f"sqlite:///{tmp_path}/a.db", heartbeat=1)
    study, trial = elsewhere(storage)
    storage.record_heartbeat(trial._trial_id)
    seen = []
    loop = TrialLoop(study, lambda t: seen.append(t.params) or 1.0, 1, Deadline(30))
    loop.run()
    check_complete(study, 1)
    assert seen == [trial.params]
    assert study.trials[1].user_attrs["retry_of"] == 0
    storage.engine.dispose()


def test_where_nobody_can_know_of_another_machine_nobody_waits(tmp_path):
    study, _ = elsewhere(open_storage(str(tmp_path / "a.journal")))
    TrialLoop(study, lambda trial: 1.0, 1, Deadline(None)).run()
    assert Tally.of(study) == Tally(finished=0, running=1, waiting=0)


def test_a_trial_that_its_worker_never_signed_is_run_again(tmp_path, monkeypatch):
    """A kill between a trial's creation and its signature must not cost a trial."""
    monkeypatch.setattr("glomclf.tuning.running._UNSIGNED_SECONDS", 0.2)
    study = optuna.create_study(storage=open_storage(str(tmp_path / "a.journal")))
    study.ask()
    TrialLoop(study, lambda trial: 1.0, 2, Deadline(60)).run()
    check_complete(study, 2)


def test_threads_are_shared_among_workers(monkeypatch):
    import joblib

    from glomclf.tuning.workers import _Team

    monkeypatch.setattr(joblib, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # Dask leaves it behind
    team = _Team(None, None, None, 1, Deadline(None), 3)
    environment = team._environment()
    assert environment["OMP_NUM_THREADS"] == "2"
    assert environment["TF_NUM_INTRAOP_THREADS"] == "2"


def test_a_worker_that_has_grown_asks_to_be_replaced(monkeypatch):
    from glomclf.tuning import worker

    sizes = iter([10**9, 2 * 10**9, 4 * 10**9])
    monkeypatch.setattr(worker, "_resident_bytes", lambda: next(sizes))
    memory = worker._Memory()
    grown = []
    for _ in range(3):
        memory.note()
        grown.append(memory.has_grown)
    assert grown == [False, False, True]
