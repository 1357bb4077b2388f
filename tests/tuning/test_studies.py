"""Studies: opened or joined only if they are the ones that are meant; resumed whole."""

import functools
import gc
import json
import pickle
import subprocess
import sys
import warnings

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState, create_trial
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import fbeta_score, make_scorer
from sklearn.preprocessing import StandardScaler

from glomclf import GlomeruliClassifier, GlomeruliSearchCV
from glomclf.errors import StudyError
from glomclf.report.environment import command_text
from glomclf.tuning import counted_trials, open_storage
from glomclf.tuning.fingerprints import describe, differences, fingerprint
from glomclf.tuning.objective import make_objective
from glomclf.tuning.passwords import passwords_in
from glomclf.tuning.sampling import SeededSampler
from glomclf.tuning.storages import shown
from glomclf.tuning.studies import find_study, quiet_optuna
from glomclf.tuning.trials import (
    Tally,
    index_of,
    is_dead,
    is_lost,
    requeue_dead,
    requeue_interrupted,
    worker_name,
)

STORAGES = ["memory", "sqlite", "journal"]


@pytest.fixture(scope="module")
def data():
    """60 rows of 20 participants; the first column tells the classes apart."""
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(60, 3)), np.repeat(np.arange(20), 3)
    y = (X[:, 0] + rng.normal(size=60) > 0.3).astype(int)
    return X, y, groups


@pytest.fixture(params=STORAGES)
def storage(request, tmp_path):
    if request.param == "memory":
        return optuna.storages.InMemoryStorage()
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/study.db"
    return str(tmp_path / "study.journal")


def space(trial):
    return {"C": trial.suggest_float("C", 1e-3, 1e3, log=True)}


def conditional_space(trial):
    """A space in which TPE samples some parameters on their own."""
    if trial.suggest_categorical("scaled", [True, False]):
        return {"C": trial.suggest_float("C_scaled", 1e-3, 1e3, log=True)}
    return {"C": trial.suggest_float("C", 1e-3, 1.0), "fit_intercept": True}


def make(search_space=space, **options):
    defaults = {
        "cv": 2,
        "n_trials": 4,
        "scoring": "roc_auc",
        "study_name": "one",
        "random_state": 0,
        # It learns from the third trial on, and samples some parameters by themselves.
        "sampler": optuna.samplers.TPESampler(n_startup_trials=2),
    }
    return GlomeruliSearchCV(
        LogisticRegression(), search_space, **{**defaults, **options}
    )


def fit(data, **options):
    X, y, groups = data
    return make(**options).fit(X, y, groups=groups)


def outcome(study):
    return [
        (trial.params, trial.values, trial.state.name)
        for trial in sorted(
            counted_trials(study), key=lambda t: index_of(t, study.trials)
        )
    ]


def test_the_same_seed_gives_the_same_trials_in_any_storage(data, storage):
    expected = fit(data, n_trials=7, search_space=conditional_space).study_
    found = fit(data, n_trials=7, search_space=conditional_space, storage=storage)
    assert outcome(found.study_) == outcome(expected)
    other = fit(data, n_trials=7, search_space=conditional_space, random_state=1)
    assert outcome(other.study_) != outcome(expected)


class Interrupted(LogisticRegression):
    """Stops the third trial, once in its second fold and once at its beginning."""

    moments: set = set()  # noqa: RUF012
    n_fits = 0

    def fit(self, X, y):
        type(self).n_fits += 1
        if type(self).n_fits in self.moments:
            raise KeyboardInterrupt
        return super().fit(X, y)


@pytest.mark.parametrize("first_fold", [True, False])
def test_a_resumed_study_equals_an_undisturbed_one(data, storage, first_fold):
    X, y, groups = data
    options = {
        "n_trials": 8,
        "cv": 2,
        "scoring": "roc_auc",
        "study_name": "one",
        "random_state": 0,
        "sampler": optuna.samplers.TPESampler(n_startup_trials=2),
    }

    def search(where):
        return GlomeruliSearchCV(
            Interrupted(), conditional_space, storage=where, **options
        )

    Interrupted.moments = set()
    expected = outcome(search(None).fit(X, y, groups=groups).study_)
    # Each trial fits twice; the interrupted ones are run again.
    Interrupted.n_fits, Interrupted.moments = 0, {13 - first_fold, 14}
    for n_finished in (5 + (not first_fold), 6):
        interrupted = search(storage)
        with pytest.raises(KeyboardInterrupt, match="Run the same again to go on"):
            interrupted.fit(X, y, groups=groups)
        assert len(interrupted.cv_results_["params"]) <= n_finished + 1
    resumed = search(storage).fit(X, y, groups=groups)
    assert outcome(resumed.study_) == expected
    lost = [trial for trial in resumed.study_.trials if is_lost(trial)]
    assert len(lost) == 2


def test_a_retry_keeps_index_and_parameters():
    study = optuna.create_study()
    done = {"settings": {"x": 1.0}, "lost": "interrupted"}
    distribution = optuna.distributions.FloatDistribution(0, 2)
    for attributes in (done, {}):
        study.add_trial(
            create_trial(
                state=TrialState.FAIL,
                params={"x": 1.0},
                distributions={"x": distribution},
                user_attrs=attributes,
            )
        )
    requeue_interrupted(study)
    requeue_interrupted(study)
    whole, chosen_anew = study.trials[2:]
    assert [index_of(t, study.trials) for t in study.trials] == [0, 1, 0, 1]
    assert whole.params == {"x": 1.0}
    assert chosen_anew.params == {}
    assert [t.user_attrs["deaths"] for t in (whole, chosen_anew)] == [0, 1]
    assert Tally.of(study) == Tally(finished=0, running=0, waiting=2)


def test_a_trial_that_ends_its_worker_three_times_counts_as_failed():
    study = optuna.create_study()
    study.add_trial(create_trial(state=TrialState.FAIL))
    for _ in range(4):
        requeue_interrupted(study)
        for trial in study.get_trials(states=(TrialState.WAITING,)):
            running = study.ask()
            assert running.number == trial.number
            study.tell(trial.number, state=TrialState.FAIL)
    assert len(study.trials) == 3
    assert [trial.number for trial in counted_trials(study)] == [2]


def test_a_dead_process_is_known_from_a_living_one():
    assert not is_dead(worker_name())
    assert not is_dead("")
    assert not is_dead("elsewhere/1/2")
    code = "from glomclf.tuning.trials import worker_name; print(worker_name())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert is_dead(done.stdout.strip())
    machine, pid, started = worker_name().rsplit("/", 2)
    assert is_dead(f"{machine}/{pid}/{int(started) - 1}")


def test_what_ran_before_the_machine_was_started_again_is_dead(monkeypatch):
    machine, pid, started = worker_name().rsplit("/", 2)
    node, boot, space = "node 0a1b2c3d", "4e5f6a7b", "pid:[1]"
    monkeypatch.setattr("glomclf.tuning.trials._machine", lambda: " ".join(here))
    here = (node, boot, space)
    assert is_dead(f"{node} 99999999 {space}/{pid}/{started}")
    assert not is_dead(f"node 00000000 99999999 {space}/{pid}/{started}")
    # The like of a container, whose processes nobody can look for.
    assert not is_dead(f"{node} {boot} pid:[2]/{pid}/{started}")
    here = ("node ", boot, space)  # unknown which of the machines of this name it is
    assert not is_dead(f"node  99999999 {space}/{pid}/{started}")
    assert machine


def test_trials_of_a_dead_process_go_back_to_the_queue():
    study = optuna.create_study()
    trial = study.ask()
    machine, pid, started = worker_name().rsplit("/", 2)
    trial.set_user_attr("worker", f"{machine}/{pid}/{int(started) - 1}")
    mine = study.ask()
    mine.set_user_attr("worker", worker_name())
    assert requeue_dead(study) == 1
    states = [t.state.name for t in study.trials]
    assert states == ["FAIL", "RUNNING", "WAITING"]


def test_finished_trials_count_towards_those_planned(data, storage):
    fit(data, storage=storage, n_trials=3)
    more = fit(data, storage=storage, n_trials=5)
    assert len(more.study_.trials) == 5
    same = fit(data, storage=storage, n_trials=2)
    assert len(same.study_.trials) == 5


def test_without_a_name_the_same_search_goes_on_and_another_begins(data, storage):
    first = fit(data, storage=storage, study_name=None)
    again = fit(data, storage=storage, study_name=None)
    assert again.study_.study_name == first.study_.study_name
    other = fit(data, storage=storage, study_name=None, random_state=1)
    assert other.study_.study_name != first.study_.study_name


def test_without_a_seed_a_study_goes_on_with_its_own(data, tmp_path):
    storage = str(tmp_path / "a.journal")
    first = fit(data, storage=storage, random_state=None)
    more = fit(data, storage=storage, random_state=None, n_trials=6)
    assert outcome(more.study_)[:4] == outcome(first.study_)


@pytest.fixture(scope="module")
def taken(data, tmp_path_factory):
    """Return a storage with a study of that name, for fits that are refused."""
    storage = f"sqlite:///{tmp_path_factory.mktemp('taken')}/a.db"
    fit(data, storage=storage, resume=False)
    yield storage
    assert len(find_study(storage, "one").trials) == 4  # they changed nothing


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"search_space": conditional_space}, "the search space"),
        ({"scoring": "recall"}, "the scores"),
        ({"constraint": {"recall": 0.1}}, "the constraint"),
        ({"cv": 3}, "the folds"),
        ({"random_state": 1}, "the random state"),
    ],
)
def test_joining_another_study_of_that_name_is_refused(data, taken, change, named):
    with pytest.raises(StudyError, match=r"is another study") as caught:
        fit(data, storage=taken, **change)
    assert named in str(caught.value)


def test_joining_with_other_data_names_what_differs(data, taken):
    X, y, groups = data
    flipped = y.copy()
    flipped[:2] = 1 - flipped[:2]
    for other, named in (
        ((X + 1, y, groups), "features"),
        ((X, flipped, groups), "labels"),
    ):
        with pytest.raises(StudyError, match=named):
            fit(other, storage=taken)


def test_a_study_that_is_there_is_joined_only_with_resume(data, taken):
    with pytest.raises(StudyError, match=r"exists already, with 4 trials.*resume=True"):
        fit(data, storage=taken, resume=False)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_study_of_somebody_elses_is_left_alone(data, tmp_path, direction):
    storage = f"sqlite:///{tmp_path}/a.db"
    with quiet_optuna():
        study = optuna.create_study(
            storage=storage, study_name="one", direction=direction
        )
        study.add_trial(create_trial(value=1.0))
    study._storage.remove_session()
    with pytest.raises(StudyError, match="was not made by glomclf"):
        fit(data, storage=storage)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:////no/such/folder/study.db", "folder exists"),
        ("mongodb://here/there", "Expected sqlite:///FILE"),
        ("no url at all", "Expected sqlite:///FILE"),
        ("postgresql://me:s3cr3t@127.0.0.1:1/db", "server runs"),
        ("postgresql+psycopg://me@127.0.0.1:1/db?password=s3cr3t", "server runs"),
    ],
)
def test_a_storage_that_cannot_be_opened_says_what_to_do(data, url, message):
    if url.startswith("postgresql"):
        pytest.importorskip("psycopg")
    with pytest.raises(StudyError, match=message) as caught:
        fit(data, storage=url)
    chain = [caught.value, caught.value.__cause__]
    assert not any("s3cr3t" in str(error) for error in chain)


def test_a_missing_driver_is_named(data, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StudyError, match=r"pip install 'psycopg\[binary\]'"):
        fit(data, storage="postgresql://me:s3cr3t@host/db")


def test_a_file_that_is_no_journal_is_refused(data, tmp_path):
    (tmp_path / "a.journal").write_text("name,label\n1.png,0\n")
    with pytest.raises(StudyError, match="not a journal"):
        fit(data, storage=str(tmp_path / "a.journal"))


def test_passwords_are_neither_shown_nor_kept(data, tmp_path):
    url = "postgresql://me:s3cr3t@host/db"
    assert shown(url) == "postgresql://me:***@host/db"
    assert "s3cr3t" not in repr(make(storage=url))
    assert "s3cr3t" not in make(storage=url)._repr_html_()
    searched = fit(data, storage=f"sqlite:///{tmp_path}/a.db")
    assert isinstance(searched.study_._storage, optuna.storages.InMemoryStorage)
    copied = pickle.loads(pickle.dumps(searched))
    assert outcome(copied.study_) == outcome(searched.study_)


def test_another_optuna_storage_is_taken_as_it_is():
    storage = optuna.storages.InMemoryStorage()
    assert open_storage(storage) is storage
    with pytest.raises(StudyError, match="type int"):
        open_storage(3)


def test_databases_have_heartbeats_and_a_retry(tmp_path):
    storage = open_storage(f"sqlite:///{tmp_path}/a.db", heartbeat=7)
    assert storage.get_heartbeat_interval() == 7
    assert storage.grace_period == 21
    assert storage.get_heartbeat_stale_trial_callback() is not None
    storage.engine.dispose()


@pytest.mark.parametrize(
    "sampler",
    [
        optuna.samplers.RandomSampler,
        optuna.samplers.TPESampler,
        optuna.samplers.NSGAIISampler,
    ],
)
def test_a_seeded_sampler_depends_on_seed_and_index_alone(sampler):
    def params(seed, n_trials, kind=SeededSampler):
        study = optuna.create_study(sampler=kind(sampler(), seed))
        for _ in range(n_trials):
            trial = study.ask()
            trial.suggest_float("x", 0, 1)
            study.tell(trial, 0.0, state=TrialState.COMPLETE)
            # Whatever else draws meanwhile does not matter.
            np.random.default_rng().random()
            yield trial.params["x"]

    assert list(params(0, 4)) == list(params(0, 4))
    assert len(set(params(0, 4))) == 4
    assert list(params(0, 4)) != list(params(1, 4))


def test_fingerprints_do_not_depend_on_the_process_or_on_where_files_lie(data):
    _, y, groups = data
    names = [f"{i}.png" for i in range(60)]
    frames = [
        pd.DataFrame({"path": [f"{root}/{name}" for name in names]})
        for root in ("/here", "/there")
    ]
    prints = [
        fingerprint(
            make_objective(
                LogisticRegression(n_jobs=n_jobs),
                frame,
                y,
                groups=groups,
                search_space=functools.partial(space),
                audit="rows",
                random_state=0,
            )
        )
        for frame, n_jobs in zip(frames, (1, 2), strict=True)
    ]
    assert prints[0] == prints[1]
    assert differences(*prints) == []
    assert json.loads(json.dumps(prints[0])) == prints[0]


def bounded(bound):
    return lambda trial: {"C": trial.suggest_float("C", 0, bound)}


def bounded_by(bounds):
    return lambda trial: {"C": trial.suggest_float("C", 0, bounds["high"])}


def print_of(data, X=None, estimator=None, **options):
    _, y, groups = data
    return fingerprint(
        make_objective(
            estimator or LogisticRegression(),
            data[0] if X is None else X,
            y,
            groups=groups,
            search_space=space,
            audit="rows",
            random_state=0,
            **options,
        )
    )


def test_scores_are_told_apart_by_what_computes_them(data):
    def scored(beta):
        return print_of(data, scoring=make_scorer(fbeta_score, beta=beta))

    (told,) = differences(scored(1), scored(2))
    assert told.startswith("the scores")
    assert differences(scored(1), scored(1)) == []


def test_files_are_told_apart_by_their_content_and_not_by_their_folder(data, tmp_path):
    def paths(folder, content):
        (tmp_path / folder).mkdir()
        files = [tmp_path / folder / f"{i}.png" for i in range(60)]
        for i, file in enumerate(files):
            file.write_bytes(content + bytes([i]))
        return pd.DataFrame({"path": list(map(str, files))})

    raw = paths("raw", b"a")
    first, moved, other = (
        print_of(data, X) for X in (raw, paths("moved", b"a"), paths("stained", b"b"))
    )
    assert differences(first, moved) == []
    (told,) = differences(first, other)
    assert told.startswith("the images")


def test_weights_are_told_apart_by_the_content_of_their_file(data, tmp_path):
    def weighed(file, content):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        return describe(GlomeruliClassifier(weights=str(file)))

    first = weighed(tmp_path / "w.h5", b"first")
    assert weighed(tmp_path / "elsewhere" / "v.h5", b"first") == first
    assert weighed(tmp_path / "w.h5", b"second") != first


def test_a_stricter_audit_is_not_taken_for_done(data, tmp_path, monkeypatch):
    levels = []

    def audited(X, y, folds, groups, *, level):
        levels.append(level)
        return f"audited by {level}"

    monkeypatch.setattr("glomclf.tuning.search.audit_folds", audited)
    storage = str(tmp_path / "a.journal")
    for level in ("rows", "rows", "images", "images"):
        assert fit(data, storage=storage, audit=level).audit_ == f"audited by {level}"
    assert levels == ["rows", "images", "images"]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me@server:s3cr3t@host/db",
        "postgresql://me:s3/cr3t@host/db",
        "postgresql://me:s3 cr3t@host/db",
    ],
)
def test_passwords_are_hidden_as_sqlalchemy_reads_them(url):
    assert "cr3t" not in shown(url)
    assert shown(url).endswith(":***@host/db")
    words = ["glomclf", "tune", "a b.csv", "--storage", url]
    text = command_text(words)
    assert text.startswith("glomclf tune 'a b.csv' --storage ")
    assert "cr3t" not in text
    assert any("cr3t" in password for password in passwords_in(url))


def test_descriptions_tell_functions_and_parameters_apart():
    assert describe(lambda trial: {"C": 1}) != describe(lambda trial: {"C": 2})
    assert describe(functools.partial(space, a=1)) != describe(
        functools.partial(space, a=2)
    )
    assert describe(bounded(1)) != describe(bounded(2))
    assert describe(bounded_by({"high": 1})) != describe(bounded_by({"high": 100}))
    assert describe({"b", "a"}) == describe({"a", "b"})
    assert describe(StandardScaler()) != describe(StandardScaler(with_std=False))
    assert " at 0x" not in describe([space, {"a": object()}])


def test_nothing_is_left_open(data, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(data, storage=f"sqlite:///{tmp_path}/a.db")
        gc.collect()
