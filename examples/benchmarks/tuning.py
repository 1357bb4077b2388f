"""Measure what tuning costs and what it is worth, on patches of your own.

Four parts, each of which can be measured alone:

study
    A study of heads and samplers in feature space from a warm store, and what the plain
    pipeline (load, sample, net) would have cost: two of its trials, one fold of one and
    of two epochs each, scaled up by counting.
workers
    Two worker processes of one thread each against one, on PostgreSQL.
nested
    Nested cross-validation: the tuned procedure against default settings.
folds
    Scores of the same folds one by one, on joblib's loky and on Dask.

What was measured before stays in the JSON file, and the table is made of all of it.

    python examples/benchmarks/tuning.py PUBLIC.csv --json all.json --output tuning.md
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import platform
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np

PARTS = ("study", "workers", "nested", "folds")
SCORING = "average_precision"
FOLD_SCORES = ("average_precision", "roc_auc", "neg_log_loss")
N_PLAIN_TRIALS = 2
# What numerical libraries take their number of threads from, when they are loaded.
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def classifier(options: argparse.Namespace, **parameters: Any) -> Any:
    """Return the classifier that all parts tune."""
    from glomclf import GlomeruliClassifier, PatchClassifier

    weights = None if options.weights == "none" else options.weights
    return GlomeruliClassifier(
        sampler=None,
        network=PatchClassifier(weights=weights, epochs=options.epochs),
        image_size=options.image_size,
        cache_dir=options.cache_dir,
        random_state=options.seed,
    ).set_params(**parameters)


def search(options: argparse.Namespace, **parameters: Any) -> Any:
    """Return a search over heads and samplers in feature space."""
    from glomclf.tuning import GlomeruliSearchCV, feature_search_space

    settings = {"cv": options.folds, "scoring": SCORING, "random_state": options.seed}
    return GlomeruliSearchCV(
        classifier(options), feature_search_space, **{**settings, **parameters}
    )


def seconds(task: Callable[[], Any]) -> float:
    """Time one call."""
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


# The study, and the plain pipeline.


def measure_study(rows: Rows, options: argparse.Namespace) -> dict[str, Any]:
    """Time a study from a warm store, and scale the plain pipeline up."""
    warming = seconds(
        lambda: classifier(options, network__epochs=1).fit(rows.X, rows.y)
    )
    study = search(options, n_trials=options.trials, n_jobs=options.n_jobs, refit=False)
    warm = seconds(lambda: study.fit(rows.X, rows.y, groups=rows.groups))
    states = np.unique(study.cv_results_["state"], return_counts=True)
    plain = [
        plain_seconds(rows, options, parameters)
        for parameters in study.cv_results_["params"][:N_PLAIN_TRIALS]
    ]
    whole = options.trials * float(np.mean([one["trial"] for one in plain]))
    return {
        "warming": warming,
        "warm": warm,
        "states": dict(zip(*(values.tolist() for values in states), strict=True)),
        "n_jobs": options.n_jobs,
        "trials": options.trials,
        "folds": options.folds,
        "epochs": options.epochs,
        "plain_trials": plain,
        "plain": whole,
        "ratio": whole / warm,
    }


def plain_seconds(
    rows: Rows, options: argparse.Namespace, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Time a fold of one and of two epochs; folds and epochs follow by counting."""
    train, test = folds(rows, options)[0]

    def run(epochs: int) -> None:
        pipeline = plain_pipeline(options, parameters, epochs)
        pipeline.fit(rows.X.iloc[train], rows.y[train])
        pipeline.predict_proba(rows.X.iloc[test])

    warm_up(options)
    first, second = seconds(lambda: run(1)), seconds(lambda: run(2))
    an_epoch = max(0.0, second - first)
    a_fold = first + (options.epochs - 1) * an_epoch
    return {
        "settings": {name: str(value) for name, value in parameters.items()},
        "one_epoch": first,
        "two_epochs": second,
        "trial": options.folds * a_fold,
    }


def warm_up(options: argparse.Namespace) -> None:
    """Do what a process does once: load TensorFlow, build the network."""
    from sklearn.base import clone

    images = np.random.default_rng(0).integers(
        0, 256, (8, options.image_size, options.image_size, 3), dtype=np.uint8
    )
    net = clone(classifier(options).network).set_params(epochs=1, random_state=0)
    net.fit(images, [0, 1] * 4).predict_proba(images)


def plain_pipeline(
    options: argparse.Namespace, parameters: dict[str, Any], epochs: int
) -> Any:
    """Return the three steps that run each image in each epoch."""
    from imblearn.pipeline import Pipeline
    from sklearn.base import clone

    from glomclf import ImageLoader
    from glomclf.samplers import make_sampler

    model = classifier(options).set_params(**parameters)
    sampler = make_sampler(model.sampler, random_state=options.seed)
    net = clone(model.network).set_params(epochs=epochs, random_state=options.seed)
    loader = ImageLoader(options.image_size, n_jobs=-1, cache_dir=False)
    sample = [] if sampler is None else [("sample", sampler)]
    return Pipeline([("load", loader), *sample, ("net", net)])


def folds(rows: Rows, options: argparse.Namespace) -> list[tuple[Any, Any]]:
    """Return folds by participant."""
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(
        options.folds, shuffle=True, random_state=options.seed
    )
    return list(splitter.split(rows.X, rows.y, rows.groups))


# Workers.


def measure_workers(rows: Rows, options: argparse.Namespace) -> dict[str, Any]:
    """Count trials a minute of one worker and of two, in turn."""
    classifier(options, network__epochs=1).fit(rows.X, rows.y)  # warms the store
    runs: dict[str, list[float]] = {"1": [], "2": []}
    with storage(options) as url:
        for repeat in range(options.repeats):
            for n_workers in runs:
                name = f"workers-{n_workers}-{repeat}-{time.time_ns()}"
                taken = run_workers(options, url, name, int(n_workers))
                runs[n_workers].append(60 * options.worker_trials / taken)
    one, two = (float(np.median(runs[n])) for n in runs)
    return {
        "trials": options.worker_trials,
        "repeats": options.repeats,
        "a_minute": runs,
        "one": one,
        "two": two,
        "ratio": two / one,
    }


@contextlib.contextmanager
def storage(options: argparse.Namespace) -> Iterator[str]:
    """Yield the URL that was given, or that of a server of our own."""
    from postgresql import private_server

    if options.storage is not None:
        yield options.storage
        return
    with private_server() as server:
        yield server.create_database()


def run_workers(
    options: argparse.Namespace, url: str, name: str, n_workers: int
) -> float:
    """Return the seconds from the first trial's start to the last one's end."""
    from optuna import load_study

    from glomclf.tuning import open_storage

    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(n_workers)
    with one_thread_each():
        workers = [
            context.Process(target=work, args=(options, url, name, barrier))
            for _ in range(n_workers)
        ]
        for worker in workers:
            worker.start()
    for worker in workers:
        worker.join()
        if worker.exitcode:
            raise SystemExit(f"a worker ended with exit code {worker.exitcode}")
    trials = load_study(study_name=name, storage=open_storage(url)).trials
    done = [trial for trial in trials if "fold_scores" in trial.user_attrs]
    if len(done) != options.worker_trials:
        raise SystemExit(f"{len(done)} of {options.worker_trials} trials are done")
    begin = min(trial.datetime_start for trial in done)
    return (max(trial.datetime_complete for trial in done) - begin).total_seconds()


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Let processes that start here use one thread."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def work(options: argparse.Namespace, url: str, name: str, barrier: Any) -> None:
    """Join the study, once all workers have TensorFlow loaded."""
    from optuna.samplers import RandomSampler

    warnings.simplefilter("ignore")
    rows = Rows(options)
    classifier(options, network__epochs=1).fit(rows.X, rows.y)
    barrier.wait()
    search(
        options,
        n_trials=options.worker_trials,
        storage=url,
        study_name=name,
        sampler=RandomSampler(),  # the same trials, however many workers there are
        audit="rows",
        refit=False,
    ).fit(rows.X, rows.y, groups=rows.groups)


# Nested cross-validation.


def measure_nested(rows: Rows, options: argparse.Namespace) -> dict[str, Any]:
    """Judge the tuned procedure and default settings on the same outer folds."""
    from glomclf.tuning import nested_cross_validate

    tuned = search(
        options,
        cv=options.inner_folds,
        n_trials=options.nested_trials,
        n_jobs=options.n_jobs,
    )
    default = classifier(
        options, sampler="smote+augment", network__epochs=10, network__patience=3
    )
    start = time.perf_counter()
    result = nested_cross_validate(
        tuned,
        rows.X,
        rows.y,
        groups=rows.groups,
        cv=options.folds,
        default=default,
        random_state=options.seed,
        verbose=1,
    )
    return {
        "seconds": time.perf_counter() - start,
        "trials": options.nested_trials,
        "inner_folds": options.inner_folds,
        "folds": options.folds,
        "text": str(result),
        "columns": ["fold", *result.folds.columns],
        "by_fold": [
            [cell(value) for value in row] for row in result.folds.itertuples()
        ],
        "result": result.to_dict(),
    }


def cell(value: Any) -> str:
    """Write a value as a cell of a table."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


# Folds on loky and on Dask.


def measure_folds(rows: Rows, options: argparse.Namespace) -> dict[str, Any]:
    """Score the same folds in three ways."""
    from distributed import Client, LocalCluster

    model = classifier(options, sampler="smote", sampling_space="features")
    model.fit(rows.X, rows.y)  # warms the store
    scores, taken = {}, {}

    def run(name: str, n_jobs: int | None = None) -> None:
        start = time.perf_counter()
        scores[name] = fold_scores(rows, options, model, n_jobs)
        taken[name] = time.perf_counter() - start

    run("serial")
    run("loky", 2)
    cluster = LocalCluster(
        n_workers=2, processes=True, host="127.0.0.1", dashboard_address=None
    )
    with cluster, Client(cluster), joblib.parallel_config("dask"):
        run("dask")
    differences = {
        name: {
            score: float(np.max(np.abs(np.subtract(values, scores["serial"][score]))))
            for score, values in scores[name].items()
        }
        for name in ("loky", "dask")
    }
    return {"scores": scores, "seconds": taken, "differences": differences}


def fold_scores(
    rows: Rows, options: argparse.Namespace, model: Any, n_jobs: int | None
) -> dict[str, list[float]]:
    """Cross-validate, in this process or wherever joblib is set to."""
    from sklearn.model_selection import cross_validate

    result = cross_validate(
        model,
        rows.X,
        rows.y,
        groups=rows.groups,
        cv=folds(rows, options),
        scoring=FOLD_SCORES,
        n_jobs=n_jobs,
        error_score="raise",
    )
    return {name: result[f"test_{name}"].tolist() for name in FOLD_SCORES}


# The report.


class Rows:
    """The patches: what the classifier takes, labels, and participants."""

    def __init__(self, options: argparse.Namespace):
        from glomclf import read_manifest

        manifest = read_manifest(options.csv)
        self.X = manifest[["path"]]
        self.y = manifest["label"].to_numpy()
        self.groups = manifest["participant"].to_numpy()

    def __str__(self) -> str:
        counts = np.bincount(self.y)
        return (
            f"{len(self.y)} patches ({counts[0]} of class 0, {counts[1]} of class 1) "
            f"of {len(np.unique(self.groups))} participants"
        )


def command() -> str:
    """Return the command line, without folders and passwords."""
    words = [Path(word).name if "://" not in word else word for word in sys.argv[1:]]
    line = " ".join(["python examples/benchmarks/tuning.py", *words])
    return re.sub(r"://\S+", "://...", line)


def as_markdown(found: dict[str, Any]) -> str:
    """Write all that was measured so far."""
    writers = {
        "study": study_lines,
        "workers": worker_lines,
        "nested": nested_lines,
        "folds": fold_lines,
    }
    lines = ["# What tuning costs, and what it is worth", ""]
    for part in PARTS:
        if part in found:
            one = found[part]
            lines += [*writers[part](one), ""]
            lines += [f"{one['rows']}; {one['machine']}. Made by", ""]
            lines += [f"    {one['command']}", ""]
    return "\n".join(lines)


def study_lines(one: dict[str, Any]) -> list[str]:
    """Say what a study takes, and what it would have taken."""
    size = f"{one['trials']} trials x {one['folds']} folds x {one['epochs']} epochs"
    workers = one["n_jobs"] or 1
    lines = [
        "## A study in feature space, and with the plain pipeline",
        "",
        f"Heads and samplers, {size}.",
        "",
        "| | |",
        "|---|---|",
        f"| features of all patches into an empty or warm store | {one['warming']:.0f}"
        " s |",
        f"| the study from the warm store, {workers} process"
        f"{'es' if workers > 1 else ''} | **{one['warm']:.0f} s** |",
        f"| the same study with the plain pipeline, scaled | {one['plain']:.0f} s"
        f" ({one['plain'] / 3600:.1f} h) |",
        f"| ratio | **{one['ratio']:.0f}** |",
        "",
        f"Plain: the first {len(one['plain_trials'])} trials, first fold, one epoch "
        "and two; a fold is the first time and the difference for each further epoch, "
        "a trial is all folds of that, the study all trials of their mean.",
        "",
        "| trial | settings | 1 epoch | 2 epochs | whole trial, scaled |",
        "|---|---|---|---|---|",
    ]
    for number, plain in enumerate(one["plain_trials"]):
        settings = ", ".join(f"{k}={v}" for k, v in plain["settings"].items())
        lines.append(
            f"| {number} | {settings} | {plain['one_epoch']:.1f} s |"
            f" {plain['two_epochs']:.1f} s | {plain['trial']:.0f} s |"
        )
    return lines


def worker_lines(one: dict[str, Any]) -> list[str]:
    """Say how many trials a minute workers do."""
    lines = [
        "## Two workers on PostgreSQL",
        "",
        f"The same {one['trials']} trials, one thread a worker, from the first trial's "
        f"start to the last one's end; median of {one['repeats']} runs in turn.",
        "",
        "| workers | trials a minute | all runs |",
        "|---|---|---|",
    ]
    for name, median in (("1", one["one"]), ("2", one["two"])):
        runs = ", ".join(f"{run:.1f}" for run in one["a_minute"][name])
        lines.append(f"| {name} | {median:.1f} | {runs} |")
    return [*lines, f"| ratio | **{one['ratio']:.2f}** | |"]


def nested_lines(one: dict[str, Any]) -> list[str]:
    """Say what tuning was worth, as it is."""
    return [
        "## Nested cross-validation",
        "",
        f"{one['folds']} outer folds by participant; in each a study of "
        f"{one['trials']} trials on {one['inner_folds']} inner folds; "
        f"{one['seconds']:.0f} s.",
        "",
        "```",
        one["text"],
        "```",
        "",
        "| " + " | ".join(one["columns"]) + " |",
        "|---" * len(one["columns"]) + "|",
        *("| " + " | ".join(row) + " |" for row in one["by_fold"]),
    ]


def fold_lines(one: dict[str, Any]) -> list[str]:
    """Say how far the scores are apart."""
    lines = [
        "## The same folds one by one, on loky and on Dask",
        "",
        "Largest difference of a fold's score from that of one process; two worker "
        "processes, whose start is in the time.",
        "",
        f"| | {' | '.join(FOLD_SCORES)} | seconds |",
        "|---" * (len(FOLD_SCORES) + 2) + "|",
    ]
    for name in ("loky", "dask"):
        cells = [f"{one['differences'][name][score]:.1g}" for score in FOLD_SCORES]
        lines.append(f"| {name} | {' | '.join(cells)} | {one['seconds'][name]:.0f} |")
    serial = " | ".join("" for _ in FOLD_SCORES)
    return [*lines, f"| one process | {serial} | {one['seconds']['serial']:.0f} |"]


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--weights", default="none", help="imagenet, none or a file")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--n-jobs", type=int, help="processes of a study")
    parser.add_argument("--worker-trials", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--nested-trials", type=int, default=20)
    parser.add_argument("--inner-folds", type=int, default=3)
    parser.add_argument("--storage", help="PostgreSQL; by default a server of its own")
    parser.add_argument("--cache-dir", help="feature store; by default an empty one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="a Markdown file")
    return parser.parse_args()


def main() -> None:
    """Measure, keep, write."""
    options = parse_options()
    warnings.simplefilter("ignore")
    rows = Rows(options)
    found = json.loads(options.json.read_text()) if options.json.exists() else {}
    measures = {
        "study": measure_study,
        "workers": measure_workers,
        "nested": measure_nested,
        "folds": measure_folds,
    }
    with contextlib.ExitStack() as stack:
        if options.cache_dir is None:
            options.cache_dir = stack.enter_context(tempfile.TemporaryDirectory())
        for part in options.only:
            found[part] = {
                **measures[part](rows, options),
                "rows": str(rows),
                "machine": f"{joblib.cpu_count()} cores, Python "
                f"{platform.python_version()}",
                "command": command(),
            }
            options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
            options.output.write_text(as_markdown(found), encoding="utf-8")
    print(options.output.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
