"""Files of studies that are damaged or locked are refused, and soon."""

import itertools
import logging
import sqlite3

import optuna
import pytest
from optuna.storages.journal import _file as locks

from glomclf.errors import StudyError
from glomclf.tuning import journal as journals
from glomclf.tuning import open_storage, storage


@pytest.fixture
def journal(tmp_path):
    path = tmp_path / "study.journal"
    study = optuna.create_study(storage=open_storage(path), study_name="a")
    study.add_trial(optuna.trial.create_trial(value=1.0))
    return path


@pytest.mark.parametrize(
    "tail",
    [
        *(b"\0" * 100, b"\0" * 100 + b"\n", b'{"op_', b"garbage\n", b"\xff\n", b"1\n"),
        *(b"null\n", b"{}\n", b"[1]\n", b'"a"\n', b'{"op_code":99}\n', b"\n"),
        *(b'{"op_code":0}', b"[" * 100_000 + b"\n", b"{}\n" + b'{"op_code":0}\n'),
    ],
    ids=lambda tail: repr(tail[:12]),
)
def test_a_journal_with_lines_that_are_no_records_is_refused(
    journal, tail, monkeypatch
):
    """Optuna passes over the last line, and loses what is added behind it."""
    monkeypatch.setattr(journals, "_WRITING_SECONDS", 0)
    whole = journal.read_bytes()
    journal.write_bytes(whole + tail)
    with pytest.raises(
        StudyError, match="as a kill or a full disk leaves it"
    ) as caught:
        open_storage(journal)
    assert f"truncate -s {len(whole)} {journal}" in str(caught.value)
    assert journal.read_bytes() == whole + tail
    journal.write_bytes(whole)
    assert len(optuna.load_study(storage=open_storage(journal), study_name="a").trials)


def test_a_line_that_another_process_is_writing_is_waited_for(journal, monkeypatch):
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-5])
    monkeypatch.setattr(journals.time, "sleep", lambda _: journal.write_bytes(whole))
    open_storage(journal)


def test_a_locked_file_is_waited_for_in_words_and_not_for_ever(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(storage, "LOCK_SECONDS", 1)
    monkeypatch.setattr(storage, "_SAID_AFTER", 0)
    path = tmp_path / "study.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE a (b)")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StudyError, match="Another process has kept it locked for 1"):
        open_storage(f"sqlite:///{path}")
    assert f"waiting for sqlite:///{path}, up to 1" in capsys.readouterr().err
    other.execute("COMMIT")
    other.close()
    open_storage(f"sqlite:///{path}")


def test_a_lock_that_a_kill_left_is_waited_for_in_words_and_removed(
    journal, caplog, monkeypatch
):
    clock = itertools.count(step=5)
    monkeypatch.setattr(locks.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(locks.time, "sleep", lambda _: None)
    lock = journal.with_name("study.journal.lock")
    lock.touch()
    logging.getLogger("optuna").addHandler(caplog.handler)
    study = optuna.load_study(storage=open_storage(journal), study_name="a")
    study.add_trial(optuna.trial.create_trial(value=2.0))
    logging.getLogger("optuna").removeHandler(caplog.handler)
    assert len(study.trials) == 2
    assert not lock.exists()
    assert f"to acquire the lock file: {lock}" in caplog.text
