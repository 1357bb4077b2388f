"""Whatever goes wrong ends in one message and the promised exit code."""

import re
import shutil

import pandas as pd
import pytest
from click.testing import CliRunner

from glomclf import make_glomeruli
from glomclf.cli import main, outputs
from glomclf.data.archive import write_model


def run(*arguments, code=2):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.stderr


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("messages") / "data"
    make_glomeruli(
        12,
        n_participants=6,
        sclerotic_fraction=0.5,
        image_size=32,
        directory=folder,
        random_state=0,
    )
    return folder


@pytest.fixture
def data(drawn, tmp_path):
    """Copy the files: some tests change them."""
    return shutil.copytree(drawn, tmp_path / "data")


def train(csv, *options, **expected):
    out = csv.parent / "model.glomclf"
    tiny = (
        "--recipe",
        "features",
        "--weights",
        "none",
        "--set",
        "network.backbone=cnn",
        "--set",
        "image_size=32",
    )
    return run("train", csv, *tiny, "--output", out, "-q", *options, **expected)


def test_missing_csv_is_named(tmp_path):
    assert "nowhere.csv" in train(tmp_path / "nowhere.csv")


def test_bad_label_is_named_with_its_line(data):
    csv = data / "public.csv"
    text = csv.read_text().splitlines()
    text[3] = re.sub(r",[01],", ",sclerotic,", text[3])
    csv.write_text("\n".join(text))
    assert "line 4: 'sclerotic'" in train(csv)


def test_csv_without_labels_cannot_be_trained_on(data):
    csv = data / "public.csv"
    pd.read_csv(csv).drop(columns="ground truth").to_csv(csv, index=False)
    assert "has no labels" in train(csv)


def test_one_class_cannot_be_trained_on(data):
    csv = data / "public.csv"
    table = pd.read_csv(csv)
    table[table["ground truth"] == 0].to_csv(csv, index=False)
    assert "only the label 0, in" in train(csv)


def test_every_truncated_image_is_named_before_training(data):
    files = sorted(data.rglob("*.png"))[:2]
    for file in files:
        file.write_bytes(file.read_bytes()[:200])
    message = train(data / "public.csv", "--cv", 2)
    assert "2 image files cannot be used" in message
    assert all(file.name in message for file in files)
    assert "Training" not in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sampler", "smoot"], "did you mean 'smote'"),
        (
            ["--set", "sampling_space=features", "--sampler", "augment"],
            "transforms images",
        ),
        (["--weights", "nowhere.h5"], "No such file: nowhere.h5"),
        (["--set", "encoder.weights=nowhere.h5"], "No such file: nowhere.h5"),
        (["--cv", 7], "--cv 7"),
        (["--threshold", "nan"], "'nan' is not a number from 0 to 1"),
        (
            ["--threshold", "recal>=0.95"],
            "'recal>=0.95' is not a number from 0 to 1, f1 or 'recall>=NUMBER'",
        ),
        (["--threshold", "recall"], "quotes: 'recall>=0.95'"),
        (["--threshold", "recall>=1.5"], "'1.5' is not a number from 0 to 1"),
        (["--set", "n_jobs"], "not of the form KEY=VALUE"),
        (
            ["--set", "network.epochs=0"],
            "'epochs' parameter of PatchClassifier must be",
        ),
    ],
)
def test_bad_options_are_refused_before_training(data, options, message):
    assert message in train(data / "public.csv", *options)


def test_output_in_a_place_that_cannot_be_written_is_refused_first(tmp_path):
    (tmp_path / "file").touch()
    csv = tmp_path / "nowhere.csv"
    message = train(csv, "--output", tmp_path / "file" / "m.glomclf")
    assert "Nothing can be written" in message
    assert "nowhere.csv" not in message


def test_refused_command_leaves_no_folders_behind(tmp_path):
    train(tmp_path / "nowhere.csv", "--output", tmp_path / "new" / "m.glomclf")
    assert not list(tmp_path.iterdir())


def test_an_output_that_is_a_link_in_a_circle_is_refused_in_words(data):
    loop = data / "loop"
    loop.symlink_to(loop)
    for path in (loop / "m.glomclf", loop / "sub" / "m.glomclf"):
        message = train(data / "public.csv", "--output", path)
        assert "Nothing can be written" in message


def test_output_that_is_a_folder_is_refused(data):
    assert "is a folder" in train(data / "public.csv", "--output", data)


def test_foreign_model_is_refused(data, tmp_path):
    model = tmp_path / "model.keras"
    model.write_bytes(b"PK\3\4 something else")
    source = ("--model", model, "--output", tmp_path / "p")
    assert "glomclf model" in run("predict", data, *source)


def test_images_beside_a_folder_are_refused(data, tmp_path):
    write_model(tmp_path / "m", {}, {})
    source = ("--model", tmp_path / "m", "--images", data, "--output", tmp_path / "p")
    assert "--images belongs to a csv" in run("predict", data, *source)


def test_demo_leaves_foreign_folders_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert "is not empty" in run("demo", "--output", tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def fail_with(monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("glomclf.cli.train.check_outputs", fail)


def test_internal_fault_is_one_line_and_exit_code_1(data, monkeypatch):
    fail_with(monkeypatch, RuntimeError("odd\nstate"))
    message = train(data / "public.csv", code=1)
    assert message.startswith("Error: internal fault: RuntimeError: odd state")
    assert "--debug" in message
    assert message.count("\n") == 1


def test_debug_shows_the_traceback(data, monkeypatch):
    fault = RuntimeError("odd state")
    fail_with(monkeypatch, fault)
    result = CliRunner().invoke(main, ["--debug", "train", str(data / "public.csv")])
    assert result.exception is fault


def test_interrupt_says_what_was_kept(data, tmp_path, monkeypatch):
    fail_with(monkeypatch, KeyboardInterrupt())
    assert "No file was written" in train(data / "public.csv", code=130)

    def write_then_interrupt(*_, **__):
        with outputs.output(tmp_path / "kept.csv") as file:
            file.write_text("whole")
        raise KeyboardInterrupt

    monkeypatch.setattr("glomclf.cli.train.check_outputs", write_then_interrupt)
    message = train(data / "public.csv", code=130)
    assert f"Kept, each whole:\n  {tmp_path / 'kept.csv'}" in message


def test_missing_file_of_the_system_is_the_users_to_mend(data, monkeypatch):
    fail_with(monkeypatch, PermissionError(13, "Permission denied", "/data/x.csv"))
    assert "/data/x.csv: Permission denied" in train(data / "public.csv")


def test_participants_that_stand_for_others_are_warned_of_on_one_line(data):
    csv = data / "public.csv"
    table = pd.read_csv(csv)[["name", "ground truth"]]
    for i, name in enumerate(table["name"]):
        file = next(data.rglob(name.rpartition("/")[2]))
        file.rename(file.with_name(f"{i}.png"))
    table["name"] = [f"{i}.png" for i in range(len(table))]
    table.to_csv(csv, index=False)
    message = train(csv, "--cv", 50)
    assert re.search(r"^Warning: ", message, re.MULTILINE)
    assert "manifest.py" not in message


def test_missing_source_of_a_prediction_is_named(tmp_path):
    source, model = tmp_path / "nowhere", tmp_path / "model"
    message = run("predict", source, "--model", model)
    assert f"No such file: {source}, {model}." in message


def test_evaluate_names_missing_files_before_anything_else(tmp_path, monkeypatch):
    monkeypatch.setattr("glomclf.cli.evaluate.load_model", None)
    out = ("--output", tmp_path / "out")
    words = ("evaluate", tmp_path / "a.csv", "--model", tmp_path / "m", *out)
    message = run(*words)
    assert f"No such file: {tmp_path / 'a.csv'}, {tmp_path / 'm'}." in message
    assert "audit" not in message


def test_a_single_image_is_not_predicted(tmp_path):
    image, model = tmp_path / "one.PNG", tmp_path / "m"
    image.touch()
    write_model(model, {}, {})
    message = run("predict", image, "--model", model, "-o", tmp_path / "p")
    assert "one.PNG is a single image. Give the folder that it lies in" in message


@pytest.mark.parametrize("command", ["train", "split"])
def test_a_folder_in_place_of_a_csv_is_refused(data, command):
    message = run(command, data, "--output", data / "out")
    told = f"a csv was expected. Did you mean {data / 'public.csv'}?"
    assert told in message
    (data / "b.csv").touch()
    message = run(command, data, "--output", data / "out")
    assert "a csv was expected.\n" in message


def test_a_command_that_is_nearly_right_is_suggested():
    assert "No such command 'trian'. Did you mean 'train'?" in run("trian", "a.csv")
    assert "No such command 'xyz'.\n" in run("xyz")


def test_messages_name_settings_as_they_are_typed(data):
    contradicting = ("sampling_space=features", "network.trainable_layers=all")
    options = [word for setting in contradicting for word in ("--set", setting)]
    message = train(data / "public.csv", "--sampler", "smote", *options)
    assert 'network.trainable_layers="all"' in message
    assert "__" not in message
