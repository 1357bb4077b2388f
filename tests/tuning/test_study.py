"""Studies: opened or joined only if they are the ones that are meant; resumed whole."""

import functools
import json

import numpy as np
import optuna
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE
from optuna.trial import TrialState, create_trial
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import fbeta_score, make_scorer
from sklearn.preprocessing import StandardScaler

from glomclf import GlomeruliSearchCV, PatchClassifier
from glomclf.errors import StudyError
from glomclf.tuning import open_storage, search_space
from glomclf.tuning.digest import describe, study_digest
from glomclf.tuning.objective import make_objective
from glomclf.tuning.storage import quiet_optuna
from glomclf.tuning.trials import finished_trials

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
        "sampler": optuna.samplers.TPESampler(n_startup_trials=2, seed=0),
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
        for trial in finished_trials(study)
    ]


OF_ONE_SEED = {"n_trials": 5, "search_space": conditional_space}


@pytest.fixture(scope="module")
def in_memory(data):
    return fit(data, **OF_ONE_SEED).study_


def test_the_same_seed_gives_the_same_trials_in_any_storage(data, storage, in_memory):
    found = fit(data, storage=storage, **OF_ONE_SEED)
    assert outcome(found.study_) == outcome(in_memory)


def test_another_seed_gives_other_trials(data):
    options = {"n_trials": 2, "sampler": None}
    by_seed = [outcome(fit(data, random_state=k, **options).study_) for k in (0, 0, 1)]
    assert by_seed[0] == by_seed[1] != by_seed[2]


class Interrupted(LogisticRegression):
    """Is stopped by Ctrl-C in the fits of these numbers."""

    moments: set = set()  # noqa: RUF012
    n_fits = 0

    def fit(self, X, y):
        type(self).n_fits += 1
        if type(self).n_fits in self.moments:
            raise KeyboardInterrupt
        return super().fit(X, y)


def test_a_resumed_study_has_what_was_finished_and_goes_on(data, storage):
    X, y, groups = data

    def search():
        return GlomeruliSearchCV(
            Interrupted(),
            conditional_space,
            storage=storage,
            n_trials=5,
            cv=2,
            scoring="roc_auc",
            study_name="one",
            random_state=0,
        )

    Interrupted.n_fits, Interrupted.moments = 0, {6}  # in the third trial
    with pytest.raises(KeyboardInterrupt, match=r"2 of 5.*Run the same again to go"):
        search().fit(X, y, groups=groups)
    resumed = search().fit(X, y, groups=groups)
    assert len(finished_trials(resumed.study_)) == 5
    assert resumed.study_.trials[2].state == TrialState.FAIL
    first = fit(data, search_space=conditional_space, n_trials=2, sampler=None)
    assert outcome(resumed.study_)[:2] == outcome(first.study_)
    # No setting is drawn twice.
    values = [trial.params for trial in finished_trials(resumed.study_)]
    assert len({str(one) for one in values}) == 5


def test_finished_trials_count_and_without_a_name_another_search_begins(data, storage):
    options = {"storage": storage, "study_name": None}
    first, more, same = (fit(data, n_trials=n, **options).study_ for n in (2, 3, 2))
    assert [len(study.trials) for study in (first, more, same)] == [2, 3, 3]
    assert first.study_name == more.study_name == same.study_name
    other = fit(data, random_state=1, n_trials=1, **options)
    assert other.study_.study_name != first.study_name


def test_without_the_seed_nobody_joins_and_is_told_why(data, tmp_path):
    options = {"storage": str(tmp_path / "a.journal"), "n_trials": 1}
    fit(data, random_state=None, **options)
    with pytest.raises(StudyError, match=r"another folds.*the same random_state"):
        fit(data, random_state=None, **options)


@pytest.fixture(scope="module")
def taken(data, tmp_path_factory):
    """Return a storage with a study of that name, for fits that are refused."""
    storage = f"sqlite:///{tmp_path_factory.mktemp('taken')}/a.db"
    fit(data, storage=storage, resume=False)
    yield storage
    study = optuna.load_study(study_name="one", storage=open_storage(storage))
    assert len(study.trials) == 4  # they changed nothing


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"search_space": conditional_space}, "another search space"),
        ({"scoring": "recall"}, "another scores"),
        ({"constraint": {"recall": 0.1}}, "another scores"),
        ({"cv": 3}, "another folds"),
        ({"random_state": 1}, "another folds, estimator"),
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
    for other in ((X + 1, y, groups), (X, flipped, groups)):
        with pytest.raises(StudyError, match="another data"):
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


def test_digests_do_not_depend_on_the_process_or_on_where_files_lie(data):
    names = [f"{i}.png" for i in range(60)]
    frames = [
        pd.DataFrame({"path": [f"{root}/{name}" for name in names]})
        for root in ("/here", "/there")
    ]
    digests = [
        digest_of(data, frame, LogisticRegression(n_jobs=n_jobs))
        for frame, n_jobs in zip(frames, (1, 2), strict=True)
    ]
    assert digests[0] == digests[1]
    assert json.loads(json.dumps(digests[0])) == digests[0]


def bounded(bound):
    return lambda trial: {"C": trial.suggest_float("C", 0, bound)}


def bounded_by(bounds):
    return lambda trial: {"C": trial.suggest_float("C", 0, bounds["high"])}


def digest_of(data, X=None, estimator=None, **options):
    search = GlomeruliSearchCV(
        estimator or LogisticRegression(),
        **{"search_space": space, "random_state": 0, **options},
    )
    return study_digest(make_objective(search, data[0] if X is None else X, *data[1:]))


def different_parts(one, other):
    return [name for name in one if one[name] != other[name]]


def test_scores_are_told_apart_by_what_computes_them(data):
    def scored(beta):
        return digest_of(data, scoring=make_scorer(fbeta_score, beta=beta))

    assert different_parts(scored(1), scored(2)) == ["scores"]
    assert different_parts(scored(1), scored(1)) == []


def test_files_are_told_apart_by_their_content_and_not_by_their_folder(data, tmp_path):
    def paths(folder, content):
        (tmp_path / folder).mkdir()
        files = [tmp_path / folder / f"{i}.png" for i in range(60)]
        for i, file in enumerate(files):
            file.write_bytes(content + bytes([i]))
        return pd.DataFrame({"path": list(map(str, files))})

    raw = paths("raw", b"a")
    first, moved, other = (
        digest_of(data, X) for X in (raw, paths("moved", b"a"), paths("stained", b"b"))
    )
    assert different_parts(first, moved) == []
    assert different_parts(first, other) == ["data"]


def test_weights_are_told_apart_by_the_content_of_their_file(data, tmp_path):
    def weighed(file, content):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        return describe(PatchClassifier(weights=str(file)))

    first = weighed(tmp_path / "w.h5", b"first")
    assert weighed(tmp_path / "elsewhere" / "v.h5", b"first") == first
    assert weighed(tmp_path / "w.h5", b"second") != first


def test_descriptions_tell_parameters_apart_and_have_no_address():
    assert describe({"b", "a"}) == describe({"a", "b"})
    assert describe(StandardScaler()) != describe(StandardScaler(with_std=False))
    assert " at 0x" not in describe([space, {"a": object()}])


def one_space(trial):
    return space(trial)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (bounded(1), bounded(2)),
        (bounded_by({"high": 1}), bounded_by({"high": 100})),
        (lambda trial: {"C": 1}, lambda trial: {"C": 2}),
        (
            functools.partial(search_space, network__dropout=0.1),
            functools.partial(search_space, network__dropout=0.2),
        ),
        (
            functools.partial(search_space, sampler=SMOTE(k_neighbors=2)),
            functools.partial(search_space, sampler=SMOTE(k_neighbors=3)),
        ),
        (space, conditional_space),
    ],
)
def test_search_spaces_are_told_apart_by_what_they_suggest(data, one, other):
    first, same, second = (
        digest_of(data, search_space=each) for each in (one, one, other)
    )
    assert first == same
    assert different_parts(first, second) == ["search space"]


def test_a_search_space_is_the_same_however_it_is_written(data):
    spaces = (space, one_space, functools.partial(space))
    digests = [digest_of(data, search_space=one) for one in spaces]
    assert digests[0] == digests[1] == digests[2]


def test_a_search_space_that_prunes_some_trials_has_a_digest(data):
    def strict(trial):
        if trial.suggest_float("C", 0, 1) < 0.5:
            raise optuna.TrialPruned
        return {"C": trial.params["C"]}

    assert digest_of(data, search_space=strict) != digest_of(data)
