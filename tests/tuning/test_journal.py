"""A journal stays readable whatever cut its last line short."""

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from glomclf.errors import StudyError
from glomclf.tuning import open_storage
from glomclf.tuning.journal import WholeLinesBackend, _whole_bytes
from glomclf.tuning.storages import journal_file, readable_errors


def study_in(file):
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    return optuna.create_study(
        study_name="one", storage=open_storage(str(file)), load_if_exists=True
    )


def run(study, n_trials):
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=n_trials)


@pytest.mark.parametrize("n_bytes", [1, 7, 40])
def test_a_line_cut_short_costs_that_line_alone(tmp_path, n_bytes):
    file = tmp_path / "study.journal"
    run(study_in(file), 3)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines) + lines[-1][:n_bytes])
    study = study_in(file)
    run(study, 2)
    assert len(study.trials) == 5
    assert len(study_in(file).trials) == 5  # read from the file alone
    assert file.read_bytes().startswith(b"".join(lines))


def test_a_full_disk_loses_the_line_and_not_the_study(tmp_path, monkeypatch):
    file = tmp_path / "study.journal"
    run(study_in(file), 2)
    backend = WholeLinesBackend(str(file))
    study = optuna.load_study(study_name="one", storage=JournalStorage(backend))

    def half(self, logs):
        with open(file, "ab") as opened:
            opened.write(b'{"op_code":5,"wor')
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(JournalFileBackend, "append_logs", half)
        with pytest.raises(OSError, match="No space left"):
            study.ask()
    run(study_in(file), 2)
    assert len(study_in(file).trials) == 4


def test_a_file_of_something_else_is_not_cut(tmp_path):
    file = tmp_path / "mine.journal"
    file.write_text("my own words")
    with (
        pytest.raises(StudyError, match="does not end as a journal"),
        readable_errors(str(file)),
    ):
        study_in(file)
    assert file.read_text() == "my own words"


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", 0), (b"ab", 0), (b"ab\n", 3), (b"ab\ncd", 3), (b"\n" + b"x" * 200_000, 1)],
)
def test_the_end_of_the_last_whole_line_is_found(tmp_path, content, expected):
    file = tmp_path / "file"
    file.write_bytes(content)
    assert _whole_bytes(str(file)) == expected


def test_an_address_of_a_journal_means_one_file_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for url in ("journal:///data/a.log", f"journal:///{tmp_path}/b.log"):
        open_storage(url)
        assert journal_file(url).is_file()
    assert (tmp_path / "data" / "a.log").is_file()
    assert (tmp_path / "b.log").is_file()
