"""Embeddings in place of images, in every command that reads a csv of patches."""

import json

import numpy as np
import pandas as pd
import pytest

from glomclf import GlomeruliClassifier
from glomclf.data.archive import write_model
from tests.commands import run

CUT = {"scale": 0.25, "margin": 10.0, "outside": "white"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """80 rows of 20 participants, three quarters to train on; no images anywhere."""
    folder = tmp_path_factory.mktemp("embeddings")
    rng = np.random.default_rng(0)
    y = np.tile([0, 0, 1, 0], 20)
    features = rng.normal(size=(80, 48)) + 0.6 * y[:, np.newaxis]
    names = np.array([f"patch{i}.png" for i in range(80)])
    who = np.repeat([f"P{i}" for i in range(20)], 4)
    table = pd.DataFrame({"name": names, "label": y, "participant": who})
    cut = {f"patch_{name}": value for name, value in CUT.items()}
    table[:60].assign(**cut).to_csv(folder / "train.csv", index=False)
    table[60:].to_csv(folder / "test.csv", index=False)
    np.savez(folder / "features.npz", features=features, names=names)
    np.savez(folder / "narrow.npz", features=features[:, 1:], names=names)
    return folder


@pytest.fixture(scope="module")
def given(data):
    return "--embeddings", data / "features.npz"


@pytest.fixture(scope="module")
def model(data, given):
    path = data / "model.glomclf"
    options = ("--recipe", "linear", "--cv", 2, "--sampler", "smote", "-o", path, "-q")
    options += ("--set", "network.C=0.01")
    run("train", data / "train.csv", *given, *options)
    return path


def test_train_writes_a_model_of_features_and_its_scores(model):
    loaded = GlomeruliClassifier.load(model)
    assert loaded.n_features_in_ == 48
    assert loaded.training_record_["patches"] == CUT
    assert list(loaded.pipeline_.named_steps) == ["sample", "classify"]
    folder = model.with_name("model-training")
    assert len(pd.read_csv(folder / "cv_predictions.csv")) == 60
    assert (folder / "class_proportions.png").exists()
    assert not (folder / "synthetic_images.png").exists()


def test_evaluate_reports_without_images(data, given, model, tmp_path, undrawn):
    train = ("--train", data / "train.csv")
    options = ("--model", model, *train, "-o", tmp_path, "-q")
    run("evaluate", data / "test.csv", *given, *options)
    assert len(pd.read_csv(tmp_path / "predictions.csv")) == 20
    report = (tmp_path / "report.html").read_text()
    assert "48 features of one patch" in report
    assert "image_size" not in report
    assert "data:image/jpeg" not in report


def test_predict_gives_the_same_probabilities(data, given, model, tmp_path, undrawn):
    run("predict", data / "test.csv", *given, "--model", model, "-o", tmp_path, "-q")
    evaluated = GlomeruliClassifier.load(model)
    X = np.load(data / "features.npz")["features"][60:].astype(np.float32)
    wanted = evaluated.predict_proba(X)[:, 1]
    assert pd.read_csv(tmp_path / "predictions.csv")[
        "probability"
    ].to_numpy() == pytest.approx(wanted)


def test_tune_searches_the_head_alone(data, given, tmp_path, undrawn):
    options = ("--recipe", "linear", "--trials", 2, "--cv", 2, "-o", tmp_path, "-q")
    run("tune", data / "train.csv", *given, *options)
    assert set(json.loads((tmp_path / "best.json").read_text())["tuned"]) >= {"C"}
    best = GlomeruliClassifier.load(tmp_path / "model.glomclf")
    assert best.n_features_in_ == 48
    assert best.training_record_["patches"] == CUT


def test_patches_of_two_scales_leave_none_in_the_model_and_it_is_said(
    data, given, tmp_path
):
    table = pd.read_csv(data / "train.csv")
    table.loc[:20, "patch_scale"] = 1.0
    table.to_csv(tmp_path / "mixed.csv", index=False)
    out = ("-o", tmp_path / "m.glomclf", "-q")
    result = run("train", tmp_path / "mixed.csv", *given, *out)
    assert "patch_scale, patch_margin and patch_outside are not the same" in (
        result.stderr
    )
    model = GlomeruliClassifier.load(tmp_path / "m.glomclf")
    assert model.training_record_["patches"] is None


def test_audit_finds_a_copy_by_its_embedding(data, tmp_path):
    features = dict(np.load(data / "features.npz"))
    features["features"][70] = features["features"][3]
    np.savez(tmp_path / "copied.npz", **features)
    options = ("--embeddings", tmp_path / "copied.npz", "-o", tmp_path / "out", "-q")
    test = ("--test", data / "test.csv")
    result = run("audit", data / "train.csv", *test, *options, code=2)
    assert "patch3.png of P0 and patch70.png of P17, distance 0.00" in result.output
    assert not (tmp_path / "out" / "pairs.png").exists()


def test_two_files_are_each_of_one_csv(data, given, model, tmp_path):
    test = ("--test", data / "test.csv", "-o", tmp_path, "-q")
    second = ("--embeddings", data / "narrow.npz")
    result = run("audit", data / "train.csv", *given, *second, *test, code=2)
    assert "have 48 and 47 features" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "."], "Leave one out"),
        (["--recipe", "scratch"], "layers that take images"),
        (["--recipe", "linear", "--weights", "none"], "--weights is of a network"),
        (["--set", "predict_views=2"], "predict_views=2 is for images"),
        (["--sampler", "augment"], "sampler='augment' is for images"),
    ],
)
def test_what_needs_images_is_refused(data, given, tmp_path, arguments, message):
    out = ("-o", tmp_path / "m.glomclf", "-q")
    result = run("train", data / "train.csv", *given, *arguments, *out, code=2)
    assert message in result.output


def test_a_model_of_embeddings_takes_no_others_and_no_images(data, model, tmp_path):
    options = ("--model", model, "-o", tmp_path / "out", "-q")
    narrow = ("--embeddings", data / "narrow.npz")
    result = run("predict", data / "test.csv", *narrow, *options, code=2)
    assert "expecting 48 features" in result.output


@pytest.mark.parametrize("command", ["predict", "evaluate", "recalibrate"])
def test_a_model_of_embeddings_asks_for_them_before_it_looks_for_images(
    data, model, tmp_path, command
):
    csv, out = data / "test.csv", ("-o", tmp_path / "out", "-q")
    of_model = (model, csv) if command == "recalibrate" else (csv, "--model", model)
    result = run(command, *of_model, *out, code=2)
    assert "model.glomclf was trained on embeddings" in result.stderr
    assert "--embeddings FILE" in result.stderr
    assert "not found" not in result.stderr


@pytest.mark.parametrize("command", ["predict", "evaluate", "recalibrate"])
def test_a_model_of_images_refuses_embeddings_before_it_reads_them(
    data, given, tmp_path, command
):
    model = tmp_path / "images.glomclf"
    write_model(model, {"n_features": None}, {})
    csv, out = data / "test.csv", ("-o", tmp_path / "out", "-q")
    of_model = (model, csv) if command == "recalibrate" else (csv, "--model", model)
    result = run(command, *of_model, *given, *out, code=2)
    assert "was trained on images" in result.stderr
    assert "Leave out --embeddings" in result.stderr


def test_three_files_of_embeddings_are_refused(data, given, model, tmp_path):
    options = (*given, *given, "--model", model, "-o", tmp_path, "-q")
    result = run("evaluate", data / "test.csv", *options, code=2)
    assert "given too often" in result.output
