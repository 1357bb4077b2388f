"""The recipes benchmark: units that are kept, resumed and put into tables."""

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections import defaultdict
from functools import partial, wraps
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from glomclf import (
    GlomeruliClassifier,
    ImageLoader,
    PatchClassifier,
    make_glomeruli,
)
from glomclf.evaluation.comparison import compare_scores
from glomclf.evaluation.evaluation import evaluate
from glomclf.evaluation.thresholds import choose_threshold

pytest.importorskip("skimage", reason="needs the extra benchmarks")

SCRIPT = Path(__file__).parents[1] / "examples" / "benchmarks" / "recipes.py"
PARTS = ("methods", "patches", "results", "running", "fitting", "scoring", "limits")
COLOUR = "colour statistics"


@pytest.fixture(scope="module")
def parts():
    """Give the modules of the benchmark, which is no part of the package."""
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        found = {n: importlib.import_module(f"recipe_parts.{n}") for n in PARTS}
        found["image_features"] = importlib.import_module("recipe_parts.image_features")
        found["recipes"] = importlib.import_module("recipes")
        yield SimpleNamespace(**found)
    finally:
        sys.path.remove(str(SCRIPT.parent))


@pytest.fixture(scope="module")
def csv(tmp_path_factory):
    """48 synthetic patches of 12 participants in two centres."""
    folder = tmp_path_factory.mktemp("recipes")
    make_glomeruli(
        48,
        n_participants=12,
        sclerotic_fraction=0.4,
        image_size=32,
        directory=folder,
        random_state=0,
    )
    table = pd.read_csv(folder / "public.csv")
    names = sorted(table["participant"].unique())
    at = {name: "Graz" if place % 2 else "Lyon" for place, name in enumerate(names)}
    table["centre"] = table["participant"].map(at)
    table.to_csv(folder / "public.csv", index=False)
    return folder / "public.csv"


@pytest.fixture(autouse=True)
def few_inner_folds(monkeypatch):
    """Two serve as well as five here, and are quicker."""
    monkeypatch.setattr("glomclf.model.validation._N_FOLDS", 2)


@pytest.fixture
def run(parts, csv, tmp_path, monkeypatch):
    """Run the command in this process, images as small as they are, few replicates."""
    monkeypatch.setattr(parts.fitting, "NATIVE_SIZE", 32)
    for function in (evaluate, compare_scores):
        quick = partial(function, n_bootstrap=100)
        monkeypatch.setattr(f"{function.__module__}.{function.__name__}", quick)

    def command(*arguments, results="results.json"):
        return parts.recipes.main(
            [str(csv), "--results", str(tmp_path / results), *arguments]
        )

    return command


def units(path):
    return {
        (unit["method"], unit["split"], unit["fold"]): unit
        for unit in json.loads(Path(path).read_text())["units"]
    }


def tables(page):
    """Return a page without what differs between two runs: commands and times."""
    return page.read_text().split("are in")[1].split("\n## ")[1:2]


def test_a_unit_holds_predictions_threshold_time_processor_and_settings(run, tmp_path):
    assert run("--methods", COLOUR, "--folds", "0") == 0
    content = json.loads((tmp_path / "results.json").read_text())
    (unit,) = content["units"]
    assert len(unit["probability"]) == len(content["folds"]["slide"]["0"])
    assert all(len(str(value)) <= 7 for value in unit["probability"])
    assert 0 < unit["threshold"] <= 1
    assert 0 < unit["fit_seconds"] <= unit["seconds"]
    assert "cores" in unit["processor"]
    assert unit["settings"]["kind"] == "colour"
    assert unit["versions"]["glomclf"]


def test_every_row_is_predicted_once_a_split_by_folds_that_keep_participants(
    parts, csv
):
    patches = parts.patches.Patches(csv)
    for split in patches.splits():
        folds = patches.folds(split, 0).values()
        tested = np.sort(np.concatenate([test for _, test in folds]))
        assert tested.tolist() == list(range(48))
        assert len(folds) == {"slide": 5, "half": 2, "centre": 2}[split]
        for train, test in folds:
            assert not set(patches.groups[train]) & set(patches.groups[test])
    assert list(patches.folds("centre", 0)) == ["Graz", "Lyon"]


class Killed(BaseException):
    """As from the outside: nothing in the benchmark expects it."""


def test_a_killed_run_goes_on_to_the_same_table(run, parts, tmp_path, monkeypatch):
    run("--methods", COLOUR, "--splits", "slide", results="whole.json")
    real, done = parts.running.work, []

    def dies_in_the_fourth(*arguments):
        if len(done) == 3:
            raise Killed
        done.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(parts.running, "work", dies_in_the_fourth)
    with pytest.raises(Killed):
        run("--methods", COLOUR, "--splits", "slide")
    assert len(units(tmp_path / "results.json")) == 3
    monkeypatch.setattr(parts.running, "work", real)
    early = units(tmp_path / "results.json")
    assert run("--methods", COLOUR, "--splits", "slide") == 0
    late = units(tmp_path / "results.json")
    assert {key: late[key] for key in early} == early  # not done a second time
    for name in ("whole", "results"):
        page = tmp_path / f"{name}.md"
        run("--report", str(page), results=f"{name}.json")
    assert "| colour statistics | 0." in tables(tmp_path / "whole.md")[0]
    assert tables(tmp_path / "whole.md") == tables(tmp_path / "results.md")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
def test_kill_9_leaves_a_whole_file(csv, tmp_path):
    results = tmp_path / "results.json"
    command = [sys.executable, str(SCRIPT), str(csv), "--results", str(results)]
    process = subprocess.Popen(
        [*command, "--methods", COLOUR],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[2])},
        stdout=subprocess.DEVNULL,
    )
    end = time.monotonic() + 120
    while not results.exists() and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(units(results)) >= 1
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".md"] == []


def test_scores_of_the_page_are_those_of_the_pooled_predictions(
    run, parts, csv, tmp_path
):
    run("--methods", COLOUR, "--splits", "centre")
    run("--report", str(tmp_path / "page.md"))
    manifest = parts.patches.Patches(csv).manifest
    probability, threshold, of_the_other = (np.empty(48) for _ in range(3))
    content = json.loads((tmp_path / "results.json").read_text())
    for unit in content["units"]:
        rows = content["folds"]["centre"][unit["fold"]]
        probability[rows], threshold[rows] = unit["probability"], unit["threshold"]
        others = np.setdiff1d(np.arange(48), rows)  # of two folds
        labels = manifest["label"].to_numpy()
        of_the_other[others] = choose_threshold(labels[rows], probability[rows])
    expected = evaluate(
        manifest["label"],
        probability,
        groups=manifest["participant"],
        threshold=threshold,
    )
    row = next(
        line
        for line in (tmp_path / "page.md").read_text().splitlines()
        if line.startswith(f"| {COLOUR} | 0.")
    )
    values = [float(cell.split()[0]) for cell in row.split("|")[2:-1]]
    columns = parts.scoring.COLUMNS.values()
    shown = [sign * expected.scores[name] for name, sign in columns]
    crossed = f1_score(labels, probability >= of_the_other)
    assert values == pytest.approx([*shown, crossed], abs=6e-4)


def test_the_page_lists_what_is_not_run_and_names_mistakes(run, tmp_path):
    run("--methods", COLOUR, "--splits", "centre")
    run("--methods", COLOUR, "--folds", "0")
    pictures = tmp_path / "pictures"
    run("--report", str(tmp_path / "page.md"), "--pictures", str(pictures))
    page = (tmp_path / "page.md").read_text()
    lacking = page.split("## Units not yet run")[1]
    assert "| colour statistics | 1, 2, 3, 4 |  |  |" in lacking
    assert "| scratch | 0, 1, 2, 3, 4 |  | Graz, Lyon |" in lacking
    assert "| all parts without augmentation |  | 0, 1 | Graz, Lyon |" in lacking
    assert "## What limits the scores leaving one centre out" in page
    assert ".png | 0." in page
    assert [path.name for path in pictures.iterdir()] == [
        "centre_colour_statistics.png"
    ]


def test_differences_are_from_the_reference_on_the_same_rows(
    run, parts, tmp_path, monkeypatch
):
    method = parts.methods.Method("colour", {"C": 0.01})
    monkeypatch.setitem(parts.recipes.METHODS, "weak", method)
    table = parts.methods.Table("Two", COLOUR, (COLOUR, "weak"))
    monkeypatch.setattr(parts.recipes, "TABLES", (table,))
    run("--methods", COLOUR, "weak", "--splits", "centre")
    run("--report", str(tmp_path / "page.md"))
    scores, differences = (tmp_path / "page.md").read_text().split("Differences from")
    first = [
        float(re.search(rf"\| {name} \| (\S+)", text)[1])
        for name, text in ((COLOUR, scores), ("weak", scores), ("weak", differences))
    ]
    assert first[2] == pytest.approx(first[1] - first[0], abs=1.1e-3)


def test_a_table_of_fewer_folds_scores_and_compares_their_rows_alone(
    run, parts, csv, tmp_path, monkeypatch
):
    method = parts.methods.Method("colour", {"C": 0.01})
    monkeypatch.setitem(parts.recipes.METHODS, "weak", method)
    both, splits = (COLOUR, "weak"), ("half", "centre")
    table = parts.methods.Table("Few", COLOUR, both, splits, n_centres=1)
    monkeypatch.setattr(parts.recipes, "TABLES", (table,))
    # With one fold there are no others to choose a threshold on.
    monkeypatch.setattr(parts.scoring, "cross_fitted", lambda results, one: one)
    assert run("--methods", *both) == 0
    done = units(tmp_path / "results.json")
    folds = {(split, fold) for method, split, fold in done if method == "weak"}
    ((_, centre),) = folds - {("half", "0"), ("half", "1")}
    run("--report", str(tmp_path / "page.md"))
    page = (tmp_path / "page.md").read_text()
    scores, differences = page.split("### Leaving one centre out: few")[1].split(
        "Differences from"
    )
    assert f"Folds: {centre}." in scores
    patches = parts.patches.Patches(csv)
    _, rows = patches.folds("centre", 0)[centre]
    weak, strong = (
        evaluate(
            patches.y[rows],
            np.array(done[method, "centre", centre]["probability"]),
            groups=patches.groups[rows],
        ).scores["roc_auc"]
        for method in ("weak", COLOUR)
    )
    shown = [
        float(re.search(r"\| weak \| (\S+)", text)[1]) for text in (scores, differences)
    ]
    assert shown == pytest.approx([weak, weak - strong], abs=6e-4)


def test_the_largest_centres_are_those_with_the_most_patches(parts):
    table = parts.methods.Table("T", "a", ("a",), n_centres=2)
    sizes = {"Graz": 3, "Lyon": 9, "Oslo": 5}
    parted = {name: (np.arange(9), np.arange(size)) for name, size in sizes.items()}
    assert table.folds("centre", parted) == ["Lyon", "Oslo"]
    assert table.folds("slide", parted) == ["Graz", "Lyon", "Oslo"]
    assert table.folds("half", parted) == []


def test_other_settings_of_a_method_are_run_again(run, parts, tmp_path, monkeypatch):
    run("--methods", COLOUR, "--folds", "0")
    before = units(tmp_path / "results.json")
    changed = parts.methods.Method("colour", {"C": 0.01})
    monkeypatch.setitem(parts.recipes.METHODS, COLOUR, changed)
    run("--report", str(tmp_path / "page.md"))
    assert "0 (other settings), 1, 2" in (tmp_path / "page.md").read_text()
    run("--methods", COLOUR, "--folds", "0")
    after = units(tmp_path / "results.json")
    key = (COLOUR, "slide", "0")
    assert after[key]["settings"]["parameters"] == {"C": 0.01}
    assert after[key]["probability"] != before[key]["probability"]


@pytest.mark.parametrize(
    ("option", "said"),
    [(("--seed", "1"), "the seed"), (("--set", "weights=other"), "shared by all")],
)
def test_a_file_of_other_seed_or_parameters_is_refused(run, capsys, option, said):
    run("--methods", COLOUR, "--folds", "0")
    assert run("--methods", COLOUR, *option) == 2
    assert said in capsys.readouterr().err


def test_a_foreign_file_and_unknown_names_are_refused(run, tmp_path, capsys):
    (tmp_path / "results.json").write_text('{"a": 1}')
    assert run("--list") == 2
    assert "is not a file of this benchmark" in capsys.readouterr().err
    assert run("--list", "--methods", "magic", results="new.json") == 2
    assert "no method is named 'magic'" in capsys.readouterr().err
    assert run("--list", "--folds", "9", results="new.json") == 2
    assert "no fold is named 9" in capsys.readouterr().err


def test_files_of_two_machines_are_merged(run, tmp_path, capsys):
    run("--methods", COLOUR, "--folds", "0", results="a.json")
    run("--methods", COLOUR, "--folds", "Graz", results="b.json")
    assert run("--merge", str(tmp_path / "b.json"), results="a.json") == 0
    assert "1 units taken over" in capsys.readouterr().out
    assert {key[2] for key in units(tmp_path / "a.json")} == {"0", "Graz"}


def test_a_failing_unit_does_not_stop_the_others(run, parts, monkeypatch, capsys):
    broken = parts.methods.Method("colour", {"no_such_parameter": 1})
    monkeypatch.setitem(parts.recipes.METHODS, "broken", broken)
    table = parts.methods.Table("Two", COLOUR, (COLOUR, "broken"))
    monkeypatch.setattr(parts.recipes, "TABLES", (table,))
    assert run("--methods", "broken", COLOUR, "--folds", "Graz") == 1
    said = capsys.readouterr().out
    assert "broken | centre | Graz: failed" in said
    assert "no_such_parameter" in said
    assert f"{COLOUR} | centre | Graz: done" in said


def test_no_unit_starts_that_would_not_end_in_time(run, tmp_path, capsys):
    """Of a method never timed here `--expect` counts, afterwards its own time."""
    asked = ("--methods", COLOUR, "--folds", "0", "1")
    run(*asked, "--minutes", "5", "--expect", "30")
    assert "not started, 1800 s expected" in capsys.readouterr().out
    assert not (tmp_path / "results.json").exists()
    run(*asked, "--minutes", "5", "--expect", "1")
    assert len(units(tmp_path / "results.json")) == 2
    path = tmp_path / "results.json"
    path.write_text(path.read_text().replace('"seconds": ', '"seconds": 1000'))
    run("--methods", COLOUR, "--folds", "2", "--minutes", "5", "--expect", "1")
    assert "not started" in capsys.readouterr().out


def test_units_are_listed(run, capsys):
    run("--methods", COLOUR, "--folds", "0")
    capsys.readouterr()
    run("--list", "--methods", COLOUR, "--splits", "slide")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{COLOUR} | slide | 0: done, ")
    assert lines[1] == f"{COLOUR} | slide | 1: to do"
    assert len(lines) == 5


def test_pictures_never_go_into_the_repository(run, capsys):
    with pytest.raises(SystemExit):
        run("--pictures", str(SCRIPT.parents[2] / "docs" / "pictures"))
    assert "is in the repository" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["colour", "texture"])
def test_neither_predictions_nor_threshold_depend_on_the_rows_judged(
    parts, csv, monkeypatch, kind
):
    """Each row is described on its own, and the threshold is of training rows alone."""
    monkeypatch.setattr(parts.fitting, "NATIVE_SIZE", 32)
    monkeypatch.setattr(parts.fitting, "SVM_COSTS", (1.0,))
    monkeypatch.setattr(
        "glomclf.model.validation._N_FOLDS", 3
    )  # the machine folds them again
    patches = parts.patches.Patches(csv)
    train, test = patches.folds("centre", 0)["Graz"]
    fit = parts.fitting.fit_and_predict
    options = {"shared": {}, "seed": 0}
    method = parts.methods.Method(kind)
    whole = fit(method, patches.rows(train), patches.X.iloc[test], **options)
    few = fit(method, patches.rows(train), patches.X.iloc[test[::-3]], **options)
    assert few.threshold == whole.threshold
    np.testing.assert_allclose(few.probability, whole.probability[::-3], atol=1e-9)


SMALL = {"image_size": 32}
TINY = {"backbone": "cnn", "weights": None, **SMALL}


def test_too_few_participants_for_inner_folds_are_refused(parts):
    X, y, groups = np.zeros((4, 1)), np.array([0, 0, 1, 1]), np.array(list("abcc"))
    with pytest.raises(ValueError, match="class 0 has 2 and class 1 1"):
        parts.fitting._inner_folds(X, y, groups, 0)


def test_networks_run_in_a_process_of_their_own(parts, csv, tmp_path, monkeypatch):
    """Shown by a method that leaves traces where it runs, and starts quickly."""
    monkeypatch.setattr(parts.running, "NETWORKS", ("colour",))
    monkeypatch.setattr(parts.fitting, "_KNOWN", {})
    patches = parts.patches.Patches(csv)
    results = parts.results.Results(tmp_path / "r.json", patches, 0, TINY)
    unit = parts.results.Unit("tiny", "centre", "Graz")
    method = parts.methods.Method("colour")
    record = parts.running.execute(unit, method, results, None)
    assert not parts.fitting._KNOWN
    assert len(record["probability"]) == len(results.folds("centre")["Graz"][1])


def test_the_process_of_a_network_ends_with_the_run(tmp_path):
    """A fit that goes on after `kill -9` of the run takes the cores for nothing."""
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import multiprocessing, sys, time
            sys.path.insert(0, {str(SCRIPT.parent)!r})
            from recipe_parts.running import end_with_parent

            def fit():
                end_with_parent()
                print("fitting", flush=True)
                time.sleep(120)

            if __name__ == "__main__":
                multiprocessing.get_context("spawn").Process(target=fit).start()
            """
        )
    )
    with subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout.readline() == "fitting\n"
        run.kill()
        begin = time.monotonic()
        assert run.stdout.read() == ""  # which ends when nobody can write any more
    assert time.monotonic() - begin < 60


@pytest.fixture
def fitted(monkeypatch):
    """Tell by class what parameters were fitted with."""
    given = defaultdict(list)

    def watch(cls):
        fit = cls.fit

        @wraps(fit)
        def noting(self, *arguments, **options):
            given[cls].append(self.get_params(deep=False))
            return fit(self, *arguments, **options)

        monkeypatch.setattr(cls, "fit", noting)

    for cls in (
        GlomeruliClassifier,
        ImageLoader,
        LogisticRegression,
        PatchClassifier,
    ):
        watch(cls)
    return given


@pytest.mark.parametrize(
    ("kind", "parameters", "threshold", "estimator"),
    [
        ("frozen", {"dense_units": 4, "epochs": 1}, "inner folds", PatchClassifier),
        ("frozen, logistic", {"C": 0.01}, "inner folds", LogisticRegression),
        (
            "classifier",
            {"patience": None, "epochs": 1},
            "0.5, not chosen",
            GlomeruliClassifier,
        ),
    ],
)
def test_a_network_is_fitted_by_its_parameters(
    parts, csv, tmp_path, fitted, kind, parameters, threshold, estimator
):
    patches = parts.patches.Patches(csv)
    train, test = patches.folds("centre", 0)["Graz"]
    outcome = parts.fitting.fit_and_predict(
        parts.methods.Method(kind, {**SMALL, **parameters}, threshold),
        patches.rows(train),
        patches.X.iloc[test],
        shared=TINY,
        seed=0,
        cache_dir=str(tmp_path),
    )
    assert outcome.probability.shape == (len(test),)
    assert 0 < outcome.threshold <= 1
    assert outcome.threshold == 0.5 or threshold == "inner folds"
    assert all(parameters.items() <= given.items() for given in fitted[estimator])
    assert {given["image_size"] for given in fitted[ImageLoader]} == {32}
    is_chosen_inside = len(fitted[estimator]) > 1
    assert is_chosen_inside == (threshold == "inner folds")


class Recorder:
    """Stands for a classifier and tells what it was given."""

    made: list = []  # noqa: RUF012
    threshold_ = 0.25

    def __init__(self, **parameters):
        self.made.append(parameters)

    def fit(self, X, y, groups):
        return self

    def predict_proba(self, X):
        return np.column_stack([np.zeros(len(X)), np.linspace(0, 1, len(X))])


@pytest.mark.parametrize(
    ("threshold", "asked"), [("inner folds", "validation"), ("0.5, not chosen", 0.5)]
)
def test_a_recipe_gets_its_parameters_and_chooses_its_threshold_inside(
    parts, csv, monkeypatch, threshold, asked
):
    monkeypatch.setattr("glomclf.GlomeruliClassifier", Recorder, raising=False)
    monkeypatch.setattr(Recorder, "made", [])
    patches = parts.patches.Patches(csv)
    train, test = patches.folds("centre", 0)["Graz"]
    method = parts.methods.Method("classifier", {"recipe": "scratch"}, threshold)
    outcome = parts.fitting.fit_and_predict(
        method, patches.rows(train), patches.X.iloc[test], shared=TINY, seed=7
    )
    assert outcome.threshold == 0.25
    [given] = Recorder.made
    assert given == {**given, **TINY, "recipe": "scratch", "random_state": 7}
    assert given["threshold"] == asked


def test_what_roc_auc_lacks_is_put_down_to_rows(parts, csv):
    patches = parts.patches.Patches(csv)
    rng = np.random.default_rng(0)
    probability = np.round(rng.random(48), 1)  # with ties
    thresholds, folds = np.full(48, 0.5), np.full(48, "0")
    one = parts.scoring.Pooled(np.arange(48), probability, thresholds, folds)
    rows = parts.limits.by_row(SimpleNamespace(patches=patches), one)
    roc_auc = evaluate(patches.y, probability).scores["roc_auc"]
    assert rows["pairs"].sum() == pytest.approx(1 - roc_auc)
    assert parts.limits.by_slide(rows)["pairs"].is_monotonic_decreasing
    worst = parts.limits.worst(rows)
    assert worst["kind"].value_counts().max() <= parts.limits.N_MISTAKES
    assert ((worst["probability"] >= 0.5) != worst["label"]).all()


@pytest.mark.parametrize("name", ["colour_statistics", "texture"])
def test_numbers_of_an_image_are_finite_also_of_an_empty_one(parts, name):
    function = getattr(parts.image_features, name)
    blank = np.full((32, 32, 3), 255, dtype=np.uint8)
    noisy = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert np.isfinite(function(blank)).all()
    length = {"colour_statistics": 63, "texture": 220}[name]
    assert function(noisy).shape == (length,)


def test_tables_hold_known_methods_and_every_method(parts):
    methods, tables_of = parts.methods.METHODS, parts.methods.TABLES
    shown = {name for table in tables_of for name in table.methods}
    assert shown == set(methods)
    assert all(table.reference in table.methods for table in tables_of)
    assert {method.kind for method in methods.values()} <= set(parts.fitting.KINDS)


def test_recipes_are_named_so_that_no_default_decides(parts):
    recipes = [
        method.parameters.get("recipe")
        for method in parts.methods.METHODS.values()
        if method.kind == "classifier"
    ]
    assert recipes
    assert set(recipes) <= {"features", "scratch"}
