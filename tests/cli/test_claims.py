"""Outputs: what is no file is not replaced, two runs do not share one, none is lost."""

import errno
import os

import click
import pytest
from click.testing import CliRunner

from glomclf._runtime import claimed, written_whole
from glomclf.cli import main
from glomclf.cli.console import InputError
from glomclf.cli.outputs import save_model


def train(csv, model):
    recipe = ["--recipe", "features", "--weights", "none"]
    result = CliRunner().invoke(main, ["train", str(csv), "-o", str(model), *recipe])
    assert result.exit_code == 2, result.output
    return result.stderr


@pytest.fixture
def csv(tmp_path):
    (tmp_path / "a.csv").write_text("name,ground truth\na.png,1\nb.png,0\n")
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()  # read after the output is claimed
    return tmp_path / "a.csv"


def make_fifo(path):
    os.mkfifo(path)


def make_link(path):
    path.with_name("target").write_text("kept")
    path.symlink_to("target")


def make_open_link(path):
    path.symlink_to("nowhere")


@pytest.mark.skipif(os.name == "nt", reason="has neither")
@pytest.mark.parametrize(
    ("make", "told"),
    [
        (make_fifo, "is a FIFO"),
        (make_link, "is a symbolic link"),
        (make_open_link, "is a symbolic link"),
    ],
)
def test_an_output_that_is_no_file_is_refused_and_stays(csv, tmp_path, make, told):
    out = tmp_path / "model.glomclf"
    make(out)
    before = os.lstat(out)
    assert told in train(csv, out)
    with pytest.raises(FileExistsError, match=told[3:]), written_whole(out):
        pass
    assert os.path.samestat(os.lstat(out), before)


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="has no devices")
def test_a_device_is_not_replaced(csv):
    assert "is a device" in train(csv, "/dev/null")
    with pytest.raises(FileExistsError, match="a device"), written_whole("/dev/null"):
        pass


def test_a_second_run_on_one_output_is_refused_before_it_trains(csv, tmp_path):
    out = tmp_path / "new" / "model.glomclf"
    with claimed(out):
        assert "another run is about to write it; wait for its end" in train(csv, out)
    assert list(out.parent.iterdir()) == []


def test_a_claim_of_a_run_that_was_killed_is_taken_over(tmp_path):
    out = tmp_path / "model.glomclf"
    with claimed(out):
        (place,) = tmp_path.iterdir()
    place.touch()  # as by a run that was killed
    with claimed(out):
        assert list(tmp_path.iterdir()) == [place]
    assert list(tmp_path.iterdir()) == []


class Model:
    """A model that no folder takes but those named."""

    def __init__(self, *folders):
        self.folders = folders

    def save(self, path):
        if path.parent not in self.folders:
            raise OSError(errno.ENOSPC, "No space left on device")
        path.write_text("weights")


def test_a_model_that_a_full_disk_refuses_is_kept_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "full" / "model.glomclf"
    with pytest.raises(InputError) as raised:
        save_model(Model(tmp_path), out)
    (kept,) = tmp_path.glob("*.glomclf")
    assert kept.read_text() == "weights"
    assert f"(No space left on device). The trained model is kept in {kept}" in str(
        raised.value.message
    )
    assert not out.exists()


def test_a_model_that_nothing_takes_is_said_to_be_lost(tmp_path):
    with pytest.raises(click.ClickException, match="is lost"):
        save_model(Model(), tmp_path / "model.glomclf")
