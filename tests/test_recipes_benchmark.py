"""The recipes benchmark: units that are kept, resumed and put into tables."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from glomclf import evaluation, make_glomeruli
from glomclf.evaluation import choose_threshold, compare_scores, evaluate

pytest.importorskip("skimage", reason="needs the extra benchmarks")

import recipes
from recipe_parts import (
    fitting,
    image_features,
    limits,
    methods,
    page,
    running,
    scoring,
    shifted,
)
from recipe_parts.methods import METHODS, TABLES, Method, Table
from recipe_parts.patches import Patches
from recipe_parts.results import Results, Unit

ROOT = Path(__file__).parents[1]
COLOUR = "colour statistics"
BOTH = (COLOUR, "weak")


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
def small(monkeypatch):
    """Small images, few inner folds and replicates: quicker, and the same code."""
    monkeypatch.setattr("glomclf.model.folds._N_INNER", 2)
    monkeypatch.setattr(fitting, "NATIVE_SIZE", 32)
    for name, function in (("evaluate", evaluate), ("compare_scores", compare_scores)):

        def quick(*arguments, function=function, **options):
            return function(*arguments, n_bootstrap=100, **options)

        monkeypatch.setattr(evaluation, name, quick)


@pytest.fixture
def run(csv, tmp_path):
    """Run the command in this process."""

    def command(*arguments, results="results.json"):
        return recipes.main(
            [str(csv), "--results", str(tmp_path / results), *arguments]
        )

    return command


@pytest.fixture
def use_tables(monkeypatch):
    """Put other tables, and a method `weak`, in place of those of the page."""

    def use(*tables, weak=None):
        monkeypatch.setitem(METHODS, "weak", weak or Method("colour", {"C": 0.01}))
        for part in (methods, page):
            monkeypatch.setattr(part, "TABLES", tables)

    return use


def units(path):
    return {
        (unit["method"], unit["split"], unit["fold"]): unit
        for unit in json.loads(Path(path).read_text())["units"]
    }


# -- the page of the docs --------------------------------------------------------------


def test_the_kept_units_are_of_the_settings_that_the_page_names():
    """A recipe or a default that changes must not keep the scores of another one."""
    kept = units(ROOT / "docs" / "benchmarks" / "recipes.json")
    now = {name: json.loads(json.dumps(m.settings())) for name, m in METHODS.items()}
    other = {key[0] for key, unit in kept.items() if unit["settings"] != now[key[0]]}
    assert kept
    assert other == set()


def test_tables_hold_known_methods_and_every_method():
    assert {name for table in TABLES for name in table.methods} == set(METHODS)
    assert all(table.reference in table.methods for table in TABLES)
    kinds = {*fitting.KINDS, methods.MEAN}
    assert {method.kind for method in METHODS.values()} <= kinds


def test_scores_of_the_page_are_those_of_the_pooled_predictions(run, csv, tmp_path):
    run("--methods", COLOUR, "--splits", "centre")
    run("--report", str(tmp_path / "page.md"))
    patches = Patches(csv)
    probability, threshold, of_the_other = (np.empty(48) for _ in range(3))
    content = json.loads((tmp_path / "results.json").read_text())
    for unit in content["units"]:
        rows = content["folds"]["centre"][unit["fold"]]
        probability[rows], threshold[rows] = unit["probability"], unit["threshold"]
        others = np.setdiff1d(np.arange(48), rows)  # of two folds
        of_the_other[others] = choose_threshold(patches.y[rows], probability[rows])
    expected = evaluate(
        patches.y, probability, groups=patches.groups, threshold=threshold
    )
    row = next(
        line
        for line in (tmp_path / "page.md").read_text().splitlines()
        if line.startswith(f"| {COLOUR} | 0.")
    )
    values = [float(cell.split()[0]) for cell in row.split("|")[2:-1]]
    shown = [sign * expected.scores[name] for name, sign in scoring.COLUMNS.values()]
    crossed = f1_score(patches.y, probability >= of_the_other)
    assert values == pytest.approx([*shown, crossed], abs=6e-4)


def test_differences_are_from_the_reference_on_the_same_rows(run, tmp_path, use_tables):
    use_tables(Table("Two", COLOUR, BOTH))
    run("--methods", *BOTH, "--splits", "centre")
    run("--report", str(tmp_path / "page.md"))
    scores, differences = (tmp_path / "page.md").read_text().split("Differences from")
    first = [
        float(re.search(rf"\| {name} \| (\S+)", text)[1])
        for name, text in ((COLOUR, scores), ("weak", scores), ("weak", differences))
    ]
    assert first[2] == pytest.approx(first[1] - first[0], abs=1.1e-3)


def test_a_table_of_fewer_folds_scores_and_compares_their_rows_alone(
    run, csv, tmp_path, monkeypatch, use_tables
):
    use_tables(Table("Few", COLOUR, BOTH, ("half", "centre"), n_centres=1))
    # With one fold there are no others to choose a threshold on.
    monkeypatch.setattr(scoring, "cross_fitted", lambda patches, one: one)
    assert run("--methods", *BOTH) == 0
    done = units(tmp_path / "results.json")
    folds = {(split, fold) for method, split, fold in done if method == "weak"}
    ((_, centre),) = folds - {("half", "0"), ("half", "1")}
    run("--report", str(tmp_path / "page.md"))
    text = (tmp_path / "page.md").read_text()
    scores, differences = text.split("### Leaving one centre out: few")[1].split(
        "Differences from"
    )
    assert f"Folds: {centre}." in scores
    patches = Patches(csv)
    _, rows = patches.folds["centre"][centre]
    weak, strong = (
        evaluate(
            patches.y[rows],
            np.array(done[method, "centre", centre]["probability"]),
            groups=patches.groups[rows],
        ).scores["roc_auc"]
        for method in ("weak", COLOUR)
    )
    shown = [
        float(re.search(r"\| weak \| (\S+)", part)[1]) for part in (scores, differences)
    ]
    assert shown == pytest.approx([weak, weak - strong], abs=6e-4)


def test_the_page_lists_what_is_not_run_and_names_mistakes(run, tmp_path):
    run("--methods", COLOUR, "--splits", "centre")
    run("--methods", COLOUR, "--folds", "0")
    pictures = tmp_path / "pictures"
    run("--report", str(tmp_path / "page.md"), "--pictures", str(pictures))
    text = (tmp_path / "page.md").read_text()
    lacking = text.split("## Units not yet run")[1]
    assert "| colour statistics | 1, 2, 3, 4 |  |  |" in lacking
    assert "| linear | 0, 1, 2, 3, 4 |  | Graz, Lyon |" in lacking
    assert "| all parts without augmentation |  | 0, 1 | Graz, Lyon |" in lacking
    assert "## What limits the scores leaving one centre out" in text
    assert ".png | 0." in text
    assert [path.name for path in pictures.iterdir()] == [
        "centre_colour_statistics.png"
    ]


def test_the_largest_centres_are_those_with_the_most_patches():
    table = Table("T", "a", ("a",), n_centres=2)
    sizes = {"Graz": 3, "Lyon": 9, "Oslo": 5}
    parted = {name: (np.arange(9), np.arange(size)) for name, size in sizes.items()}
    assert table.folds("centre", parted) == ["Lyon", "Oslo"]
    assert table.folds("slide", parted) == ["Graz", "Lyon", "Oslo"]
    assert table.folds("half", parted) == []


def test_what_roc_auc_lacks_is_put_down_to_rows(csv):
    patches = Patches(csv)
    rng = np.random.default_rng(0)
    probability = np.round(rng.random(48), 1)  # with ties
    thresholds, folds = np.full(48, 0.5), np.full(48, "0")
    one = scoring.Pooled(np.arange(48), probability, thresholds, folds)
    rows = limits.by_row(patches, one)
    roc_auc = evaluate(patches.y, probability).scores["roc_auc"]
    assert rows["pairs"].sum() == pytest.approx(1 - roc_auc)
    assert limits.by_slide(rows)["pairs"].is_monotonic_decreasing
    worst = limits.worst(rows)
    assert worst["kind"].value_counts().max() <= limits.N_MISTAKES
    assert ((worst["probability"] >= 0.5) != worst["label"]).all()


def test_a_centre_is_moved_without_its_labels(csv):
    patches = Patches(csv)
    rng = np.random.default_rng(0)
    fold = np.array(patches.manifest["centre"], dtype=str)
    one = scoring.Pooled(np.arange(48), rng.random(48), np.full(48, 0.5), fold)
    after, sites = shifted.moved(patches, one)
    train, test = patches.folds["centre"]["Graz"]
    patches.y = np.where(np.isin(np.arange(48), test), 1 - patches.y, patches.y)
    relabelled, _ = shifted.moved(patches, one)
    here = fold == "Graz"
    np.testing.assert_array_equal(relabelled.probability[here], after.probability[here])
    (share,) = (site.estimate for site in sites if site.centre == "Graz")
    trained = patches.y[train].mean()
    odds = one.probability[here] / (1 - one.probability[here])
    odds *= share / (1 - share) * (1 - trained) / trained
    np.testing.assert_allclose(after.probability[here], odds / (1 + odds))


def test_the_page_has_each_centre_moved_and_all_of_them(run, tmp_path, use_tables):
    weak = Method("colour", {"C": 0.01}, threshold=methods.FIXED)
    use_tables(Table("Two", COLOUR, BOTH), weak=weak)
    run("--methods", *BOTH, "--splits", "centre")
    run("--report", str(tmp_path / "page.md"))
    assert "## A centre without labels" not in (tmp_path / "page.md").read_text()
    shifted_kinds = (*shifted.UNBALANCED, "colour")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shifted, "UNBALANCED", shifted_kinds)
        run("--report", str(tmp_path / "page.md"))
    part = (tmp_path / "page.md").read_text().split("## A centre without labels")[1]
    found = re.findall(r"^\| weak \| (\w+) \|", part, re.MULTILINE)
    assert found == ["Graz", "Lyon", "all"]
    assert "colour statistics" not in part.split("\n## ")[0]  # its threshold is chosen


# -- units of work ---------------------------------------------------------------------


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


def test_every_row_is_predicted_once_a_split_by_folds_that_keep_participants(csv):
    patches = Patches(csv)
    for split, folds in patches.folds.items():
        tested = np.sort(np.concatenate([test for _, test in folds.values()]))
        assert tested.tolist() == list(range(48))
        assert len(folds) == {"slide": 5, "half": 2, "centre": 2}[split]
        for train, test in folds.values():
            assert not set(patches.groups[train]) & set(patches.groups[test])
    assert list(patches.folds["centre"]) == ["Graz", "Lyon"]


class Killed(BaseException):
    """As from the outside: nothing in the benchmark expects it."""


def test_a_killed_run_goes_on_and_does_nothing_twice(run, tmp_path, monkeypatch):
    real, done = running.work, []

    def dies_in_the_fourth(*arguments):
        if len(done) == 3:
            raise Killed
        done.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(running, "work", dies_in_the_fourth)
    with pytest.raises(Killed):
        run("--methods", COLOUR, "--splits", "slide")
    early = units(tmp_path / "results.json")
    assert len(early) == 3
    monkeypatch.setattr(running, "work", real)
    assert run("--methods", COLOUR, "--splits", "slide") == 0
    late = units(tmp_path / "results.json")
    assert {key: late[key] for key in early} == early
    assert len(late) == 5


def test_other_settings_of_a_method_are_run_again(run, tmp_path, monkeypatch):
    run("--methods", COLOUR, "--folds", "0")
    before = units(tmp_path / "results.json")
    monkeypatch.setitem(METHODS, COLOUR, Method("colour", {"C": 0.01}))
    run("--report", str(tmp_path / "page.md"))
    assert "0 (other settings), 1, 2" in (tmp_path / "page.md").read_text()
    run("--methods", COLOUR, "--folds", "0")
    after = units(tmp_path / "results.json")
    key = (COLOUR, "slide", "0")
    assert after[key]["settings"]["parameters"] == {"C": 0.01}
    assert after[key]["probability"] != before[key]["probability"]


def test_files_of_other_patches_and_unknown_names_are_refused(run, tmp_path, capsys):
    file = tmp_path / "results.json"
    file.write_text('{"a": 1}')
    assert run("--list") == 2
    assert "is not a file of this benchmark" in capsys.readouterr().err
    file.write_text('{"patches": "others", "units": []}')
    assert run("--list") == 2
    assert "was made with other patches" in capsys.readouterr().err
    assert run("--list", "--methods", "magic", results="new.json") == 2
    assert "no method is named 'magic'" in capsys.readouterr().err


def test_a_failing_unit_does_not_stop_the_others(run, capsys, use_tables):
    use_tables(Table("Two", COLOUR, BOTH), weak=Method("colour", {"no_parameter": 1}))
    assert run("--methods", "weak", COLOUR, "--folds", "Graz") == 1
    said = capsys.readouterr().out
    assert "weak | centre | Graz: failed" in said
    assert "no_parameter" in said
    assert f"{COLOUR} | centre | Graz: done" in said


def test_no_unit_starts_when_the_time_is_up(run, tmp_path, capsys):
    run("--methods", COLOUR, "--splits", "slide", "--minutes", "0")
    assert not (tmp_path / "results.json").exists()
    run("--list", "--methods", COLOUR, "--splits", "slide")
    assert f"{COLOUR} | slide | 1: to do" in capsys.readouterr().out


def test_pictures_never_go_into_the_repository(run, capsys):
    with pytest.raises(SystemExit):
        run("--pictures", str(ROOT / "docs" / "pictures"))
    assert "is in the repository" in capsys.readouterr().err


@pytest.mark.slow
def test_networks_run_in_a_process_of_their_own(csv, tmp_path, monkeypatch):
    """Shown by a method that leaves traces where it runs, and starts quickly."""
    monkeypatch.setattr(running, "NETWORKS", ("colour",))
    monkeypatch.setattr(fitting, "_KNOWN", {})
    results = Results(tmp_path / "r.json", Patches(csv))
    record = running.execute(Unit(COLOUR, "centre", "Graz"), results, None)
    assert not fitting._KNOWN
    assert len(record["probability"]) == len(results.patches.folds["centre"]["Graz"][1])


def test_a_mean_is_of_the_log_odds_of_its_parts_on_the_same_fold(
    run, tmp_path, use_tables, monkeypatch
):
    use_tables(Table("Three", COLOUR, (*BOTH, "both")))
    both = Method(methods.MEAN, {"of": BOTH}, threshold=methods.FIXED)
    monkeypatch.setitem(METHODS, "both", both)
    assert run("--methods", "both", "--splits", "centre") == 1  # its parts lack
    assert run("--methods", *BOTH, "both", "--splits", "centre") == 0
    done = units(tmp_path / "results.json")
    one, other, mean = (
        np.array(done[name, "centre", "Graz"]["probability"])
        for name in (*BOTH, "both")
    )
    odds = np.sqrt(one * other / ((1 - one) * (1 - other)))
    np.testing.assert_allclose(mean, odds / (1 + odds), atol=2e-4)
    named = done["both", "centre", "Graz"]["settings"]["parameters"]
    assert named["weak"] == json.loads(json.dumps(METHODS["weak"].settings()))


# -- fits ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["colour", "texture"])
def test_neither_predictions_nor_threshold_depend_on_the_rows_judged(
    csv, monkeypatch, kind
):
    """Each row is described on its own, and the threshold is of training rows alone."""
    monkeypatch.setattr(fitting, "SVM_COSTS", (1.0,))
    monkeypatch.setattr("glomclf.model.folds._N_INNER", 3)  # the SVM folds again
    patches = Patches(csv)
    train, test = patches.folds["centre"]["Graz"]
    method, rows = Method(kind), patches.rows(train)
    whole = fitting.fit_and_predict(method, rows, patches.X.iloc[test])
    few = fitting.fit_and_predict(method, rows, patches.X.iloc[test[::-3]])
    assert few.threshold == whole.threshold
    np.testing.assert_allclose(few.probability, whole.probability[::-3], atol=1e-9)


def test_too_few_participants_for_inner_folds_are_refused():
    X, y, groups = np.zeros((4, 1)), np.array([0, 0, 1, 1]), np.array(list("abcc"))
    with pytest.raises(ValueError, match="class 0 has 2 and class 1 1"):
        fitting._inner_folds(X, y, groups)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [
        Method("frozen, logistic", {"image_size": 32, "C": 0.01}),
        Method("classifier", {"network__epochs": 4}, "scratch", methods.FIXED),
    ],
    ids=lambda method: method.kind,
)
def test_networks_are_fitted_and_choose_as_the_method_says(
    csv, tmp_path, monkeypatch, method
):
    for name, value in {"network__backbone": "cnn", "image_size": 32}.items():
        monkeypatch.setitem(methods.SHARED, name, value)
    patches = Patches(csv)
    train, test = patches.folds["centre"]["Graz"]
    outcome = fitting.fit_and_predict(
        method, patches.rows(train), patches.X.iloc[test], str(tmp_path)
    )
    assert outcome.probability.shape == (len(test),)
    assert 0 < outcome.threshold <= 1
    assert (outcome.threshold == 0.5) == (method.threshold == methods.FIXED)


@pytest.mark.parametrize("name", ["colour_statistics", "texture"])
def test_numbers_of_an_image_are_finite_also_of_an_empty_one(name):
    function = getattr(image_features, name)
    blank = np.full((32, 32, 3), 255, dtype=np.uint8)
    noisy = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert np.isfinite(function(blank)).all()
    length = {"colour_statistics": 63, "texture": 220}[name]
    assert function(noisy).shape == (length,)
