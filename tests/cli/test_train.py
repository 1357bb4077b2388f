"""`glomclf train`, of one classifier and of an ensemble."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from glomclf import (
    FoldEnsembleClassifier,
    GlomeruliClassifier,
    RecallAtLeast,
    read_manifest,
)
from glomclf.cli import main
from glomclf.cli.train import _tell_threshold
from glomclf.network import epochs
from tests.commands import run, without_pictures

TINY = (
    *("--recipe", "features"),
    *("--weights", "none", "--set", "image_size=32"),
    *("--set", "network.backbone=cnn", "--set", "network.epochs=2"),
)


# A stop on participants that are set aside, too.
WHOLE = (*TINY, "--set", "validation_fraction=0.15", "--cv", 2)


@pytest.fixture(scope="module")
def fits():
    """Who was trained on and set aside in each fit of `trained`."""
    return []


@pytest.fixture(scope="module")
def trained(data, fits):
    """One model for all tests: training is what takes the time."""
    fit = GlomeruliClassifier.fit

    def spy(self, X, y, groups=None, **options):
        fit(self, X, y, groups=groups, **options)
        fits.append((groups, self.validation_indices_))
        return self

    path = data.parent / "trained" / "tiny.glomclf"
    with without_pictures() as patch:
        patch.setattr(GlomeruliClassifier, "fit", spy)
        return path, run("train", data / "public.csv", *WHOLE, "-o", path, "-q")


def test_train_writes_the_model_and_names_every_file(trained):
    model, result = trained
    folder = model.parent / "tiny-training"
    listed = result.stdout.split("Files:")[1].split()
    assert set(listed) == {str(model), *map(str, folder.iterdir())}
    assert {path.name for path in folder.iterdir()} == {
        "history.csv",
        "history.png",
        "class_proportions.png",
        "synthetic_images.png",
        "cv_predictions.csv",
        "cv_scores.csv",
        "cv_scores.json",
    }


def test_train_stores_the_history_of_the_model(trained):
    model, _ = trained
    history = pd.read_csv(model.parent / "tiny-training" / "history.csv")
    assert history["epoch"].tolist() == [1, 2]
    assert history["loss"].tolist() == pytest.approx(
        GlomeruliClassifier.load(model).history_["loss"]
    )


def test_cross_validation_predicts_every_patch_once(trained, data):
    model, result = trained
    table = pd.read_csv(model.parent / "tiny-training" / "cv_predictions.csv")
    manifest = read_manifest(data / "public.csv")
    assert table["label"].tolist() == manifest["label"].tolist()
    assert table["participant"].tolist() == manifest["participant"].tolist()
    assert table["probability"].between(0, 1).all()
    assert "Cross-validated by participant, 2 folds" in result.stdout


def test_cross_validation_leaves_a_record_of_people_in_the_model(trained, data):
    model, _ = trained
    kept = GlomeruliClassifier.load(model)
    table = pd.read_csv(model.parent / "tiny-training" / "cv_predictions.csv")
    record = kept.out_of_fold_record_
    assert record.probability == pytest.approx(table["probability"].to_numpy())
    assert record.label.tolist() == table["label"].tolist()
    assert record.n_participants == kept.training_reference_.n_participants == 12


def test_no_participant_is_on_two_sides_of_any_split(trained, fits):
    assert len(fits) == 3
    everyone = set(fits[-1][0])
    assert set(fits[0][0]) | set(fits[1][0]) == everyone
    assert not set(fits[0][0]) & set(fits[1][0])  # 2 folds: each trains on the other
    for groups, validation in fits:
        aside = set(groups[validation])
        kept = set(pd.Series(groups).drop(validation))
        assert aside
        assert not aside & kept


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (0.5, ""),
        (
            RecallAtLeast(0.95),
            "Threshold 0.3, chosen on inner folds.\n",
        ),
    ],
)
def test_only_a_threshold_that_was_chosen_is_told(asked, told, capsys):
    record = {"threshold_chosen_on": "inner folds"}
    fitted = GlomeruliClassifier(threshold=asked)
    fitted.threshold_, fitted.training_record_ = 0.3, record
    _tell_threshold(fitted)
    assert capsys.readouterr().err == told


def test_train_keeps_an_existing_model(trained, data):
    model, _ = trained
    before = model.read_bytes()
    result = run("train", data / "public.csv", *TINY, "-o", model, code=2)
    assert "--overwrite" in result.stderr
    assert model.read_bytes() == before


def test_train_in_feature_space_makes_no_sheet_and_says_so(data, tmp_path, undrawn):
    model = tmp_path / "m.glomclf"
    (tmp_path / "m-training").mkdir()
    (tmp_path / "m-training" / "cv_scores.csv").touch()  # of an earlier run
    options = ("--sampler", "smote", "--set", "sampling_space=features")
    result = run("train", data / "public.csv", *TINY, *options, "-o", model, "-q")
    assert "made no images" in result.stderr
    names = {path.name for path in (tmp_path / "m-training").iterdir()}
    assert names == {"history.csv", "history.png", "class_proportions.png"}


@pytest.mark.parametrize("is_kept", [False, True])
def test_train_says_after_ctrl_c_how_to_go_on(data, tmp_path, monkeypatch, is_kept):
    def stop(self, *arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(GlomeruliClassifier, "fit", stop)
    (tmp_path / "kept").mkdir()
    if is_kept:
        (tmp_path / "kept" / "a.checkpoint").touch()
    options = ("--set", f"network.checkpoint_dir={tmp_path / 'kept'}", "-q")
    model = tmp_path / "m.glomclf"
    result = run("train", data / "public.csv", *TINY, *options, "-o", model, code=130)
    told = "goes on after the last whole epoch" if is_kept else "Nothing is kept"
    assert told in result.stderr
    assert not model.exists()


@pytest.mark.parametrize(("more", "n_left"), [((), 3), (("--ensemble",), 1)])
def test_ctrl_c_in_a_fold_keeps_those_before_and_the_same_command_goes_on(
    data, trained, tmp_path, undrawn, more, n_left
):
    run_epoch, begun = epochs._train, []

    def stopped(*arguments):
        begun.append(arguments)
        if len(begun) == 4:  # the second epoch of the second fold
            raise KeyboardInterrupt
        return run_epoch(*arguments)

    undrawn.setattr(epochs, "_train", stopped)
    undrawn.setattr("glomclf.cli.training_files._write_ensemble", lambda *_: None)
    model, folder = tmp_path / "m.glomclf", tmp_path / "m-training"
    words = ["train", data / "public.csv", *WHOLE, *more, "-o", model, "-q"]
    result = run(*words, code=130)
    assert "with all folds that are finished" in result.stderr
    assert len(list((folder / "unfinished").iterdir())) == 2
    run(*words)
    assert len(begun) == 4 + n_left
    assert not (folder / "unfinished").exists()
    assert b"unfinished" not in model.read_bytes()
    if not more:
        expected = trained[0].with_name("tiny-training") / "cv_predictions.csv"
        found = pd.read_csv(folder / "cv_predictions.csv")
        pd.testing.assert_frame_equal(found, pd.read_csv(expected), atol=1e-6)


@pytest.mark.parametrize("more", [(), ("--cv", 2, "--ensemble")])
def test_a_model_without_epochs_leaves_no_history(data, tmp_path, undrawn, more):
    model = tmp_path / "m.glomclf"
    options = ("--recipe", "linear", "--set", "encoder.backbone=cnn", "-o", model, "-q")
    run("train", data / "public.csv", *TINY[2:6], *options, *more)
    names = [path.name for path in tmp_path.rglob("*")]
    assert "m.glomclf" in names
    assert "history.csv" not in names


@pytest.fixture(scope="module")
def ensemble(data):
    """One ensemble of two members for all tests that only read."""
    model = data.parent / "ensemble" / "both.glomclf"
    options = ("--cv", 2, "--ensemble", "--threshold", "f1", "-o", model, "-q")
    with without_pictures():
        return model, run("train", data / "public.csv", *TINY, *options)


def test_train_of_an_ensemble_writes_model_scores_curves_and_report(ensemble, data):
    model, result = ensemble
    folder = model.parent / "both-training"
    listed = result.stdout.split("Files:")[1].split()
    assert set(listed) == {str(model), *map(str, folder.iterdir())}
    assert {path.name for path in folder.iterdir()} == {
        "history.csv",
        "history.png",
        "class_proportions.png",
        "synthetic_images.png",
        "cv_predictions.csv",
        "cv_scores.csv",
        "cv_scores.json",
        "report.html",
    }
    history = pd.read_csv(folder / "history.csv")
    assert history[["fold", "epoch"]].to_numpy().tolist() == [
        [1, 1],
        [1, 2],
        [2, 1],
        [2, 2],
    ]
    assert "Scores of single members, out of 2 folds" in result.stdout
    assert "--ensemble" in (folder / "report.html").read_text(encoding="utf-8")
    chosen = FoldEnsembleClassifier.load(model).threshold_
    told = f"Threshold {chosen:g}, chosen on out-of-fold predictions."
    assert told in result.stderr


def test_scores_of_an_ensemble_are_those_of_its_out_of_fold_predictions(ensemble, data):
    model, _ = ensemble
    loaded = FoldEnsembleClassifier.load(model)
    folder = model.parent / "both-training"
    table = pd.read_csv(folder / "cv_predictions.csv")
    record = loaded.out_of_fold_record_
    assert table["probability"].to_numpy() == pytest.approx(record.probability)
    assert table["label"].tolist() == record.label.tolist()
    scores = json.loads((folder / "cv_scores.json").read_text())
    right = (table["prediction"] == table["label"]).mean()
    assert scores["scores"]["accuracy"] == pytest.approx(right)
    assert loaded.threshold == "f1"
    assert loaded.cv == 2


def test_evaluate_and_predict_take_an_ensemble(ensemble, data, tmp_path, undrawn):
    model, _ = ensemble
    csv, out = data / "public.csv", tmp_path / "predictions.csv"
    run("evaluate", csv, "--model", model, "-o", tmp_path, "-q")
    report = (tmp_path / "report.html").read_text("utf-8")
    assert "Mean of 2 classifiers" in report
    assert "chosen on out-of-fold predictions" in report
    assert "2 epochs run of 2 at most" in report
    assert "of the 2 members by epoch" in report
    evaluated = pd.read_csv(out)
    predict = ("predict", csv, "--model", model, "-o", tmp_path, "-q")
    refused = run(*predict, "--threshold", 0, code=2)
    assert f"{out} exists. Pass --overwrite" in refused.stderr
    run(*predict, "--threshold", 0, "--overwrite")
    predicted = pd.read_csv(out)
    wanted = FoldEnsembleClassifier.load(model).predict_proba(read_manifest(csv))[:, 1]
    for table in (evaluated, predicted):
        assert table["probability"].to_numpy() == pytest.approx(wanted, abs=1e-6)
    assert (predicted["prediction"] == 1).all()
    biopsies = pd.read_csv(tmp_path / "biopsies.csv")
    assert biopsies["biopsy_low"].notna().all()  # by its out-of-fold predictions


def test_an_ensemble_that_cannot_be_is_refused_before_training(data, tmp_path):
    words = ("train", data / "public.csv", *TINY, "--ensemble", "-o", tmp_path / "m")
    result = run(*words, "--cv", 30, code=2)
    assert "--cv" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["train", "compare"])
def test_missing_weights_are_named_before_the_csv_is_read(tmp_path, name):
    result = CliRunner().invoke(
        main, [name, str(tmp_path / "no.csv"), "--weights", str(tmp_path / "no.h5")]
    )
    assert result.exit_code == 2
    assert "no.h5. Give a file, imagenet or none" in " ".join(result.output.split())
