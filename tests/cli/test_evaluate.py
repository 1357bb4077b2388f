"""`glomclf evaluate`: predictions, scores, the report and the audit beside them."""

import errno
import json
from collections import Counter

import pandas as pd
import pytest
from matplotlib.figure import Figure

import glomclf.report
from glomclf import GlomeruliClassifier, read_manifest
from tests.commands import run, without_pictures

CALLED_ONCE = (
    (glomclf.report.sections.curves, "evaluation_curves"),
    (glomclf.report.displays.curves, "evaluation_curves"),
    (glomclf.evaluation.evaluation, "evaluate"),
    (glomclf.evaluation.biopsy, "biopsy_agreement"),
)


def count_calls(patch, calls, owner, name):
    function = getattr(owner, name)

    def counted(*arguments, **options):
        calls[name] += 1
        return function(*arguments, **options)

    patch.setattr(owner, name, counted)


@pytest.fixture(scope="module")
def table(data):
    """Patches of two centres, which two people have read."""
    table = pd.read_csv(data / "public.csv")
    table["centre"] = ["A" if n % 2 else "B" for n in range(len(table))]
    table["one"] = table["other"] = table["ground truth"]
    table.loc[::7, "other"] = None
    return table


@pytest.fixture(scope="module")
def evaluated(model, data, table, tmp_path_factory):
    """One evaluation, with its calls counted, for tests that only read."""
    folder, calls = tmp_path_factory.mktemp("evaluated"), Counter()
    csv, out = folder / "test.csv", folder / "out"
    table.to_csv(csv, index=False)
    words = ["evaluate", csv, "--images", data, "--model", model, "-q", "-o", out]
    words += ["--threshold", 0.5, "--by", "centre", "--reader", "one"]
    words += ["--reader", "other"]
    with without_pictures() as patch:
        for owner, name in CALLED_ONCE:
            count_calls(patch, calls, owner, name)
        count_calls(patch, calls, Figure, "__init__")
        drawn = property(lambda self: b"drawn" if self.figure else b"")
        patch.setattr(glomclf.report.Picture, "png", drawn)
        return words, out, run(*words), calls


def test_evaluate_writes_predictions_scores_and_pictures(model, data, evaluated):
    _, out, result, _ = evaluated
    assert {path.name for path in out.iterdir()} == {
        *("predictions.csv", "scores.csv", "scores.json", "subgroups.csv"),
        *("readers.csv", "biopsies.csv", "confusion_matrix.png", "roc_curve.png"),
        *("precision_recall_curve.png", "reliability.png", "thresholds.png"),
        *("decision_curve.png", "biopsies.png", "bland_altman.png", "report.html"),
        "model_card.md",
    }
    table = pd.read_csv(out / "predictions.csv")
    assert list(table) == ["name", "probability", "prediction", "label", "participant"]
    manifest = read_manifest(data / "public.csv")
    wanted = GlomeruliClassifier.load(model).predict_proba(manifest)[:, 1]
    assert table["probability"].to_numpy() == pytest.approx(wanted, abs=1e-6)
    scores = json.loads((out / "scores.json").read_text())
    right = (table["prediction"] == table["label"]).mean()
    assert scores["scores"]["accuracy"] == pytest.approx(right)
    for name in ("Accuracy", "F1", "Specificity", "ROC AUC", "Average precision"):
        assert name in result.stdout
    assert "Matthews' coefficient" in result.stdout


def test_report_of_evaluate_shows_the_command_and_each_mistake(evaluated):
    words, out, _, _ = evaluated
    text = (out / "report.html").read_text(encoding="utf-8")
    assert " ".join(map(str, ["glomclf", *words[:6]])) in text
    assert len(text) < 3_000_000
    table = pd.read_csv(out / "predictions.csv")
    wrong = table["label"][table["prediction"] != table["label"]]
    shown = sum(min(n, 6) for n in wrong.value_counts())
    assert text.count("data:image/jpeg") == shown > 0
    biopsies = pd.read_csv(out / "biopsies.csv")
    assert biopsies["n_glomeruli"].sum() == len(table)


def test_evaluate_draws_and_resamples_once_for_each_result(evaluated):
    _, out, _, calls = evaluated
    n_pictures = len(list(out.glob("*.png")))
    assert n_pictures == 8
    assert calls["__init__"] == n_pictures
    assert {calls[name] for _, name in CALLED_ONCE} == {1}


def test_values_of_a_column_are_scored_and_readers_compared(evaluated):
    _, out, result, _ = evaluated
    assert "By centre" in result.stdout
    assert "Worst by centre" in result.stderr
    assert "kappa one / model" in (out / "readers.csv").read_text()
    assert ">Readers</h2>" in (out / "report.html").read_text()
    found = pd.read_csv(out / "subgroups.csv")
    assert found["centre"].unique().tolist() == ["A", "B"]
    assert found.loc[found["score"] == "recall", "n_samples"].tolist() == [24, 24]
    assert json.loads((out / "scores.json").read_text())["subgroups"]["worst"] in "AB"


@pytest.mark.parametrize(
    ("column", "told"),
    [("clinic", "no column 'clinic'; there are "), ("path", "48 values")],
)
def test_a_column_that_divides_nothing_is_refused(evaluated, column, told):
    assert told in run(*evaluated[0], "--by", column, code=2).stderr


def test_evaluate_needs_labels(model, data, table, tmp_path):
    table.drop(columns="ground truth").to_csv(tmp_path / "test.csv", index=False)
    words = (tmp_path / "test.csv", "--images", data, "--model", model)
    result = run("evaluate", *words, "-o", tmp_path / "out", code=2)
    assert "has no labels" in result.stderr


def test_of_one_class_is_said_what_is_undefined_and_the_threshold_decides(
    model, data, table, tmp_path, undrawn
):
    csv, out = tmp_path / "test.csv", tmp_path / "out"
    table[table["ground truth"] == 1].to_csv(csv, index=False)
    out.mkdir()
    (out / "roc_curve.png").touch()  # of an earlier run
    words = (csv, "--images", data, "--model", model, "-o", out, "--threshold", 0)
    result = run("evaluate", *words, "-q")
    assert "undefined" in result.stdout
    assert json.loads((out / "scores.json").read_text())["scores"]["roc_auc"] is None
    assert not (out / "roc_curve.png").exists()
    assert pd.read_csv(out / "predictions.csv")["prediction"].eq(1).all()


def test_who_closes_the_pipe_finds_every_file(model, data, tmp_path, undrawn):
    def closed(*_):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    undrawn.setattr("glomclf.cli.tables.print_table", closed)
    undrawn.setattr("glomclf.report.evaluation_report", report)
    words = ("evaluate", data / "public.csv", "--model", model, "-o", tmp_path, "-q")
    result = run(*words, code=1)
    assert "fault" not in result.stderr
    assert (tmp_path / "report.html").is_file()
    assert (tmp_path / "biopsies.csv").is_file()


def report(*_, **__):
    """Stand for a report, where only the files beside it matter."""
    return glomclf.report.Report("Evaluation", "", [])


def test_images_that_stand_for_participants_are_not_told_as_such(
    model, data, table, tmp_path, undrawn
):
    names = [f"{row}.png" for row in range(len(table))]
    for name, image in zip(names, table["name"], strict=True):
        (tmp_path / name).write_bytes(next(data.rglob(image)).read_bytes())
    csv, out = tmp_path / "test.csv", tmp_path / "out"
    table.assign(name=names)[["name", "ground truth"]].to_csv(csv, index=False)
    result = run("evaluate", csv, "--model", model, "-o", out, "-q")
    assert "not all participants are known" in result.stderr
    assert not (out / "biopsies.csv").exists()
    assert "participant" not in pd.read_csv(out / "predictions.csv")
    assert "rows count as independent" in (out / "report.html").read_text("utf-8")


def test_evaluate_on_what_was_trained_on_ends_with_the_leaks(
    model, data, tmp_path, undrawn, equal_pixels_alone
):
    csv = data / "public.csv"
    options = (csv, "--train", csv, "--model", model, "-o", tmp_path)
    result = run("evaluate", *options, "-q", code=2)
    assert "participant on both sides" in result.stderr
    assert "identical" in result.stderr
    assert "The split leaks" in (tmp_path / "report.html").read_text()


def test_evaluate_of_other_participants_passes_the_audit(
    model, data, tmp_path, undrawn, equal_pixels_alone
):
    run("split", data / "public.csv", "-o", tmp_path)
    options = ("--images", data, "--model", model, "-o", tmp_path / "results")
    csvs = (tmp_path / "test.csv", "--train", tmp_path / "train.csv")
    run("evaluate", *csvs, *options, "-q")
    assert "No leak found" in (tmp_path / "results" / "report.html").read_text()


def test_evaluate_draws_what_the_model_looked_at_in_mistakes(
    model, data, tmp_path, undrawn
):
    words = ("evaluate", data / "public.csv", "--model", model, "--threshold", 0)
    run(*words, "-o", tmp_path, "-q", "--explain")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count("what the model looked at in it") == 6  # false alarms
