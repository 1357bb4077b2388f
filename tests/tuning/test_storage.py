"""Storages: opened with a word on what is wrong; passwords shown nowhere."""

import gc
import pickle
import warnings

import numpy as np
import optuna
import pytest
from sklearn.linear_model import LogisticRegression

from glomclf import GlomeruliSearchCV
from glomclf.cli.tune_files import StudyFiles
from glomclf.errors import StudyError
from glomclf.report.sections.repetition import command_text
from glomclf.tuning import open_storage
from glomclf.tuning.passwords import secrets_in
from glomclf.tuning.storage import readable_errors, shareable, shown
from glomclf.tuning.study import what_is_kept


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
    storage = open_storage(f"sqlite:///{tmp_path}/a.db")
    assert storage.grace_period == 3 * storage.get_heartbeat_interval()
    callback = storage.get_heartbeat_stale_trial_callback()
    assert isinstance(callback, optuna.storages.RetryHeartbeatStaleTrialCallback)


def test_a_command_shows_its_words_without_the_password():
    url = "postgresql://me:s3 cr3t@host/db"
    text = command_text(["glomclf", "tune", "a b.csv", "--storage", url])
    assert text == "glomclf tune 'a b.csv' --storage 'postgresql://me:***@host/db'"
    assert "s3 cr3t" in secrets_in(url)


def test_nothing_is_left_open(data, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(data, storage=f"sqlite:///{tmp_path}/a.db")
        gc.collect()


MEMORY = [
    *("sqlite:///:memory:", "sqlite://", "sqlite:///", "sqlite+pysqlite:///:memory:"),
    *("sqlite:///file::memory:?uri=true", "sqlite:///file:a?mode=memory&uri=true"),
]


@pytest.mark.parametrize("address", MEMORY)
def test_a_database_of_sqlites_in_memory_is_memory(address):
    assert isinstance(open_storage(address), optuna.storages.InMemoryStorage)
    assert shown(address) == "memory"
    with shareable(address, n_jobs=2) as file:  # processes cannot share memory
        assert file.endswith("study.journal")


def test_a_study_in_memory_runs_and_is_not_gone_on_with(data, tmp_path):
    search = fit(data, storage=MEMORY[0])
    assert len(search.study_.trials) == 2
    files = StudyFiles(search, tmp_path, ["glomclf", "tune", "--resume"])
    assert files.resume is None
    assert "in study_ only" in what_is_kept(search.study_, MEMORY[0], 2)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me@server:SECRET@host/db",
        "postgresql://me:p/SECRET@host/db",
        "postgresql://me:p@SECRET@host/db",
        "postgresql://me:p@SECRET:x@host/db",
        "postgresql://me@SECRET@host/db",
        "postgresql://host:SECRET/db",
        "postgresql:me:SECRET@host/db",
        "postgresql//me:SECRET@host/db",
        "me:SECRET@host/db",
        "host=server user=me password=SECRET",
        "host=server;pwd = SECRET",
        " postgresql://me:SECRET@host/db",
        "mysql://me@host/db?token=SECRET",
        "mysql://me:SECRET@host/db",
    ],
)
def test_nothing_that_may_be_a_secret_is_shown_of_an_address(data, address):
    """What cannot be parsed, or is another than it seems, shows no part of it."""
    for given in (address, f"{address}?x=SECRET"):
        assert "SECRET" not in shown(given)
        assert "SECRET" not in repr(make(storage=given))
        assert "SECRET" not in make(storage=given)._repr_html_()
        assert "SECRET" not in command_text(["glomclf", "tune", "--storage", given])
        assert "SECRET" not in command_text(["glomclf", f"--storage={given}"])
        if not given.startswith("postgresql://"):
            with pytest.raises(StudyError, match="cannot be used") as caught:
                open_storage(given)
            assert "SECRET" not in str(caught.value)


def test_errors_of_a_server_show_no_half_of_a_password():
    told = OSError("could not translate host name 'SECRET@host' to address")
    address = "postgresql://me:p@SECRET@host/db"
    caught = pytest.raises(StudyError, match="write @ as %40")
    with caught as found, readable_errors(address):
        raise told
    assert "SECRET" not in str(found.value)


@pytest.mark.parametrize(
    "address",
    [
        "study.db",
        "/data/my studies/a.journal",
        "sqlite:///C:\\data\\a@b.db",
        "postgresql://me@[::1]:5432/db?sslmode=require",
        "mongodb://here/there",
    ],
)
def test_harmless_addresses_are_shown_whole(address):
    assert shown(address) == address


def test_a_relative_journal_in_a_folder_does_not_wait_for_its_own_lock(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    backend = open_storage("studies/a.journal")._backend
    backend._lock.acquire()
    lock = tmp_path / "studies" / "a.journal.lock"
    assert lock.exists()  # it leads to the journal: Optuna looks for ever where not
    backend._lock.release()
    assert not lock.is_symlink()
