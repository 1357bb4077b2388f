"""Storages: opened with a word on what is wrong; passwords shown nowhere."""

import gc
import pickle
import warnings

import numpy as np
import optuna
import pytest
from sklearn.linear_model import LogisticRegression

from glomclf import GlomeruliSearchCV
from glomclf.errors import StudyError
from glomclf.report.environment import command_text
from glomclf.tuning import open_storage
from glomclf.tuning.passwords import passwords_in
from glomclf.tuning.storage import shown


@pytest.fixture(scope="module")
def data():
    """60 rows of 20 participants; the first column tells the classes apart."""
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(60, 3)), np.repeat(np.arange(20), 3)
    y = (X[:, 0] + rng.normal(size=60) > 0.3).astype(int)
    return X, y, groups


def space(trial):
    return {"C": trial.suggest_float("C", 1e-3, 1e3, log=True)}


def make(**options):
    return GlomeruliSearchCV(
        LogisticRegression(), space, cv=2, n_trials=2, random_state=0, **options
    )


def fit(data, **options):
    X, y, groups = data
    return make(**options).fit(X, y, groups=groups)


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
    assert copied.study_.best_params == searched.study_.best_params


def test_another_optuna_storage_is_taken_as_it_is():
    storage = optuna.storages.InMemoryStorage()
    assert open_storage(storage) is storage


def test_databases_have_heartbeats_and_a_retry(tmp_path):
    storage = open_storage(f"sqlite:///{tmp_path}/a.db", heartbeat=7)
    assert storage.get_heartbeat_interval() == 7
    assert storage.grace_period == 21
    callback = storage.get_heartbeat_stale_trial_callback()
    assert isinstance(callback, optuna.storages.RetryHeartbeatStaleTrialCallback)
    storage.engine.dispose()


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


def test_nothing_is_left_open(data, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(data, storage=f"sqlite:///{tmp_path}/a.db")
        gc.collect()
