"""Measure recalibration at a new site, and abstention with a promise.

Abstention, simulated: participants differ in size (3 to 100 glomeruli), in their share
of sclerotic ones and in how a model's probabilities are calibrated for them. Each
repeat draws a record and chooses thresholds on it that promise at most 5 % of misses.
What is missed is measured on 4,000 other participants. Beside it stands the same method
on patches, as if each were of a participant of its own.

Real, if a csv is given: the recipe "linear". Each centre in turn is the new site: the
model is trained on the others, and recalibrated on some of the site's participants.
Each participant is judged so, over all ways to choose as many of the others.
Abstention: participants left out in 8 folds, and each centre left out; the record is
made of the training participants alone, in 5 folds inside.

    python examples/benchmarks/new_site.py --output new_site.md
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
from biopsy_coverage import (
    SETTINGS,
    Setting,
    draw,
    features_of,
    pooled,
    predicted,
    record_of,
)
from pages import command, grid
from sklearn.base import clone
from sklearn.model_selection import GroupKFold

from glomclf import GlomeruliClassifier, make_classifier, read_manifest
from glomclf.errors import ScoreError
from glomclf.evaluation import OutOfFoldRecord, choose_abstention
from glomclf.model import fit_recalibration

SIMULATED = {
    "moderate": SETTINGS["moderate"],
    "uneven": SETTINGS["uneven"],
    "strong": Setting("calibration differs strongly", spread_of_calibration=2.0),
}
PROMISE = 0.05
LEVEL = 0.95
SIZES = (100, 200, 400)
WAYS = {
    "participants, confidence 0.95": ("participants", LEVEL),
    "participants, on average": ("participants", None),
    "patches as exchangeable, confidence 0.95": ("patches", LEVEL),
    "patches as exchangeable, on average": ("patches", None),
}
NUMBERS = (2, 4, None)  # participants recalibrated on; None is all the others
METHODS = ("auto", "logistic")
DISCLOSED = (
    "One choice was made after a look at these patches: the standard deviation of the "
    "intercept's prior was moved from 2 to 1, which did better at SAS and much the "
    "same at the others."
)


def missed(found, rows) -> tuple[float, float, float]:
    """Give the mean miss rate over participants, that of patches, and what is left.

    Parameters
    ----------
    found : Abstention
    rows : tuple of ndarray
        Labels, probabilities and participants.
    """
    label, probability, groups = rows
    is_one, left = label == 1, found.is_left(probability)
    is_missed = is_one & (probability < found.low)
    n_missed, n_answered = (
        np.bincount(groups, one) for one in (is_missed, is_one & ~left)
    )
    has_any = np.bincount(groups, is_one) > 0
    of_each = n_missed[has_any] / np.maximum(n_answered[has_any], 1)
    return of_each.mean(), n_missed.sum() / max(n_answered.sum(), 1), left.mean()


def simulated_rows(name: str, options: argparse.Namespace) -> list[list[str]]:
    """Judge every way of choosing, for records of several sizes."""
    setting, table = SIMULATED[name], []
    others = pooled(draw(setting, 4000, np.random.RandomState([options.seed, 10**6])))
    for size in SIZES:
        told = {way: [] for way in WAYS}
        for run in range(options.n_runs):
            rng = np.random.RandomState([options.seed, size, run])
            label, probability, groups = pooled(draw(setting, size, rng))
            owners = {"participants": groups, "patches": np.arange(len(label))}
            for way, (unit, confidence) in WAYS.items():
                record = OutOfFoldRecord(probability, label, owners[unit])
                found = choose_abstention(
                    record, max_miss=PROMISE, confidence=confidence
                )
                told[way].append(missed(found, others))
        for way, values in told.items():
            by_person, by_patch, left = np.array(values).T
            cells = [100 * (one <= PROMISE).mean() for one in (by_person, by_patch)]
            cells += [100 * one.mean() for one in (by_person, by_patch, left)]
            table.append([str(size), way, *(f"{cell:.1f}" for cell in cells)])
    return table


def simulated_part(options: argparse.Namespace) -> list[str]:
    """Write the tables of the simulation."""
    titles = ["participants in the record", "chosen on"]
    titles += ["repeats that keep 5 %, by participant", "the same, by patch"]
    titles += ["missed, by participant", "missed, by patch", "left to a person"]
    lines = [
        "## Abstention, simulated",
        "",
        f"{options.n_runs} repeats. All columns but the first are in percent. *By "
        "participant*: the mean over participants of the share missed among their "
        "answered sclerotic glomeruli, which is what is promised. *By patch*: the "
        "share of all answered sclerotic glomeruli. *On average* promises the mean "
        "over repeats, not most of them.",
        "",
    ]
    for name, setting in SIMULATED.items():
        spread = setting.spread_of_calibration
        lines += [
            f"### {name.capitalize()}",
            "",
            f"Calibration differs between participants by {spread} logits (standard "
            "deviation).",
            "",
            *grid(titles, simulated_rows(name, options)),
            "",
        ]
    return lines


def counts_of(y, called, people, who) -> np.ndarray:
    """Give true positives, false positives, false negatives and the error of one."""
    own = people == who
    label, told = y[own] == 1, called[own]
    error = 100 * abs(told.mean() - label.mean())
    return np.array(
        [(label & told).sum(), (~label & told).sum(), (label & ~told).sum(), error]
    )


def recalibrated(y, scores, people, number, method) -> np.ndarray:
    """Judge each participant, recalibrated on so many of the others in all ways."""
    names, table = np.unique(people), []
    for who in names:
        others = [name for name in names if name != who]
        k, told = len(others) if number is None else number, []
        for chosen in itertools.combinations(others, k):
            rows = np.isin(people, chosen)
            learned = fit_recalibration(y[rows], scores[rows], people[rows], method)
            told.append(counts_of(y, learned.apply(scores) >= 0.5, people, who))
        table.append(np.mean(told, axis=0))
    return np.array(table)


def f1_and_error(counts: np.ndarray) -> np.ndarray:
    """Pool the expected counts of participants; average their errors."""
    tp, fp, fn, error = counts.sum(axis=-2).T
    return np.array([2 * tp / np.maximum(2 * tp + fp + fn, 1e-9), error]).T


def with_interval(before: np.ndarray, after: np.ndarray, rng) -> list[str]:
    """Write F1 and error after, and their changes with intervals over participants."""
    n = len(before)
    drawn = rng.randint(n, size=(4000, n))
    many = [f1_and_error(one[drawn]) / [1, n] for one in (before, after)]
    ends = np.quantile(many[1] - many[0], [0.025, 0.975], axis=0)
    was, now = (f1_and_error(one) / [1, n] for one in (before, after))
    change = now - was
    return [
        f"{was[0]:.3f}",
        f"{now[0]:.3f}",
        f"{change[0]:+.3f} ({ends[0, 0]:+.3f} to {ends[1, 0]:+.3f})",
        f"{was[1]:.1f}",
        f"{now[1]:.1f}",
        f"{change[1]:+.1f} ({ends[0, 1]:+.1f} to {ends[1, 1]:+.1f})",
    ]


def recalibration_part(scores_of, y, people, centre, seed: int) -> list[str]:
    """Write what recalibration does at each centre."""
    rng, rows = np.random.RandomState(seed), []
    for site, scores in scores_of.items():
        own = centre == site
        given = (y[own], scores, people[own])
        before = np.array(
            [
                counts_of(y[own], scores >= 0.5, people[own], who)
                for who in np.unique(people[own])
            ]
        )
        for number, method in itertools.product(NUMBERS, METHODS):
            after = recalibrated(*given, number, method)
            k = str(number or f"all the others ({len(before) - 1})")
            rows.append([site, k, method, *with_interval(before, after, rng)])
    titles = ["site", "recalibrated on", "method", "F1 before", "F1 after", "change"]
    titles += ["error before", "error after", "change"]
    return [
        "## Recalibration, real patches",
        "",
        "Every participant of the site is judged, by models that were recalibrated on "
        "others; F1 is of their expected counts, pooled. Error: mean absolute error of "
        "a participant's percentage, in points. No centre has more than 8 people, so "
        "that recalibration on 8 leaves nobody to judge. Intervals: 95 %, by "
        "bootstrap over the 7 or 8 participants who are judged; with so few they are "
        "too narrow.",
        "",
        DISCLOSED,
        "",
        *grid(titles, rows),
        "",
    ]


def promised(record, max_miss: float, confidence: float | None):
    """Choose thresholds; None where so little cannot be promised."""
    try:
        return choose_abstention(record, max_miss=max_miss, confidence=confidence)
    except ScoreError:
        return None


def abstention_part(parts, titles) -> list[str]:
    """Write what is missed and left, with whom is left out."""
    lines = []
    for title, left_out in zip(titles, parts, strict=True):
        rows = []
        for max_miss, confidence in ((0.05, LEVEL), (0.2, LEVEL), (0.1, None)):
            told = [
                (promised(one[0], max_miss, confidence), one[1:]) for one in left_out
            ]
            can = [(found, rows_of) for found, rows_of in told if found is not None]
            way = "on average" if confidence is None else f"confidence {confidence:g}"
            if len(can) < len(told):
                least = "too few participants in the record"
                rows.append([f"{100 * max_miss:g} %, {way}", least, "", ""])
                continue
            rates, n_missed, n_one, n_left, n = [], 0, 0, 0, 0
            for found, (label, probability, groups) in can:
                for who in np.unique(groups[label == 1]):
                    own = groups == who
                    rates.append(
                        missed(found, (label[own], probability[own], 0 * label[own]))[0]
                    )
                is_missed = (label == 1) & (probability < found.low)
                left = found.is_left(probability)
                n_missed, n_one = n_missed + is_missed.sum(), n_one + (label == 1).sum()
                n_left, n = n_left + left.sum(), n + len(label)
            rows.append(
                [
                    f"{100 * max_miss:g} %, {way}",
                    f"{100 * np.mean(rates):.1f} % ({len(rates)} participants)",
                    f"{n_missed} of {n_one}",
                    f"{100 * n_left / n:.0f} %",
                ]
            )
        columns = ["promised", "missed, mean over participants", "missed", "left"]
        lines += [f"### Each {title} left out", "", *grid(columns, rows), ""]
    return lines


def real_part(options: argparse.Namespace) -> list[str]:
    """Write what was found on real patches."""
    manifest = read_manifest(options.csv, options.images)
    y, people = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    centre = manifest["centre"].to_numpy()
    recipe = make_classifier("linear", random_state=options.seed)
    X = features_of(recipe, manifest)
    model = GlomeruliClassifier(None, network=recipe.network, random_state=options.seed)
    found = {}
    folds = np.empty(len(y), dtype=int)
    splitter = GroupKFold(8, shuffle=True, random_state=options.seed)
    for fold, (_, test) in enumerate(splitter.split(X[0], y, people)):
        folds[test] = fold
    for title, out in (("fold of participants", folds), ("centre", centre)):
        for name in np.unique(out):
            train = out != name
            fitted = clone(model).fit(X[0][train], y[train], groups=people[train])
            record = record_of(
                model, X[:, train], y[train], people[train], options.seed
            )
            probability = predicted(fitted, X[:, ~train])
            codes = np.unique(people[~train], return_inverse=True)[1]
            one = (record, y[~train], probability, codes)
            found.setdefault(title, {})[name] = one
            print(f"{name}: done", flush=True)
    scores_of = {name: one[2] for name, one in found["centre"].items()}
    n_with = len(np.unique(people[y == 1]))
    return [
        *recalibration_part(scores_of, y, people, centre, options.seed),
        "## Abstention, real patches",
        "",
        f"{n_with} of {len(set(people))} participants have sclerotic glomeruli.",
        "",
        *abstention_part([list(one.values()) for one in found.values()], list(found)),
    ]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--csv", type=Path, help="real patches, with a centre")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--n-runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    about = __doc__.split("\n\n")
    lines = ["# A new site: recalibration and abstention", ""]
    lines += [" ".join(one.split()) + "\n" for one in about[1:3]]
    lines += ["Made by", "", f"    {command()}", ""]
    if options.csv:
        lines += real_part(options)
    lines += simulated_part(options)
    options.output.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
