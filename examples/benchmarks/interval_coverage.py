"""Measure how often the intervals of glomclf.evaluation.evaluation hold the true score.

Participants are simulated who differ in their number of patches, in their share of
sclerotic glomeruli and in how well a model does on them. The true score is that of very
many such participants. An interval at 95 % should hold it in 95 % of the simulations;
plain percentile intervals are measured as well, as a yardstick.

    python examples/benchmarks/interval_coverage.py --output coverage.md
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from pages import command, grid

from glomclf.evaluation import biopsy_agreement, compare_scores, evaluate
from glomclf.evaluation.participant_numbers import equal_number
from glomclf.evaluation.predictions import Predictions
from glomclf.evaluation.scores import score_rows


@dataclass(frozen=True)
class Setting:
    """How participants and models are drawn."""

    about: str
    median_patches: float
    spread_of_patches: float  # standard deviation of the logarithm
    sclerosis: tuple[float, float]  # of the beta distribution of shares
    spread_of_participants: float  # of logits, beside a spread of patches of 1
    separation: float
    steepness: float  # of the reported logits; the calibrated value differs


SETTINGS = {
    "moderate": Setting(
        "shares of sclerosis around 20 %, in nearly all participants",
        20, 0.7, (0.8, 3.2), 0.7, 2.2, 1.6,
    ),
    "uneven": Setting(
        "shares of sclerosis around 10 %, concentrated in few participants",
        25, 0.7, (0.35, 3.0), 1.0, 3.2, 2.2,
    ),
    "separated": Setting(
        "shares of sclerosis around 20 %, told apart nearly without fault",
        15, 0.6, (0.8, 3.0), 0.5, 4.0, 1.6,
    ),
}  # fmt: skip

SECTIONS = {
    "evaluate": "`evaluate`",
    "compare_scores": "`compare_scores`: differences of two models",
    "biopsy_agreement": "`biopsy_agreement`",
    "percentile": "For comparison: percentile intervals of `evaluate`'s scores",
}

WORTH = (
    "Coverage by how many equal participants the rarer class was worth (number of "
    "simulations):"
)


def draw(setting: Setting, n_participants: int, rng: np.random.RandomState):
    """Draw labels, the probabilities of two models, and participants."""
    sizes = rng.lognormal(
        np.log(setting.median_patches), setting.spread_of_patches, n_participants
    )
    groups = np.repeat(
        np.arange(n_participants), np.maximum(sizes.round(), 1).astype(int)
    )
    y_true = rng.binomial(1, rng.beta(*setting.sclerosis, n_participants)[groups])
    shared = setting.separation * (y_true - 0.5) + rng.normal(size=len(groups))
    shared += setting.spread_of_participants * rng.normal(size=n_participants)[groups]
    other = shared + 0.7 * rng.normal(size=len(groups))
    other += 0.4 * rng.normal(size=n_participants)[groups]
    models = [
        1 / (1 + np.exp(1.6 - setting.steepness * logits)) for logits in (shared, other)
    ]
    return y_true, *models, groups


def drawn_with_both_classes(setting, n_participants, rng):
    """Draw again until either class has two patches."""
    while True:
        data = draw(setting, n_participants, rng)
        if np.bincount(data[0], minlength=2).min() >= 2:
            return data


def estimate_all(data, n_bootstrap: int, seed: int) -> dict[tuple[str, str], tuple]:
    """Estimate all that has an interval: (score, low, high) by function and name."""
    y_true, model_a, model_b, groups = data
    options = {"n_bootstrap": n_bootstrap, "random_state": seed}
    found = {
        "evaluate": evaluate(y_true, model_a, groups=groups, **options),
        "compare_scores": compare_scores(
            y_true, model_a, model_b, groups=groups, **options
        ),
        "biopsy_agreement": biopsy_agreement(y_true, model_a, groups, **options),
    }
    return {
        (function, name): (score, *estimates.interval(name))
        for function, estimates in found.items()
        for name, score in estimates.scores.items()
    }


def percentile_intervals(data, n_bootstrap: int, seed: int) -> dict[str, tuple]:
    """Take the plain percentile intervals of `evaluate`'s scores, as a yardstick."""
    y_true, y_score, _, groups = data
    rows = Predictions(y_true, y_score, groups)
    chances = np.full(rows.n_groups, 1 / rows.n_groups)
    rng = np.random.RandomState(seed)
    weights = rng.multinomial(rows.n_groups, chances, size=n_bootstrap)
    scores = {name: one.values for name, one in score_rows(rows, weights).items()}
    return {
        name: tuple(np.quantile(values[np.isfinite(values)], [0.025, 0.975]))
        for name, values in scores.items()
        if np.isfinite(values).any()
    }


def simulate(
    name: str, n_participants: int, n_bootstrap: int, seed: int
) -> pd.DataFrame:
    """Run one simulation: a row for each interval."""
    rng = np.random.RandomState(seed)
    data = drawn_with_both_classes(SETTINGS[name], n_participants, rng)
    rows = [
        (*key, low, high)
        for key, (_, low, high) in estimate_all(data, n_bootstrap, seed).items()
    ]
    rows += [
        ("percentile", score, *ends)
        for score, ends in percentile_intervals(data, n_bootstrap, seed).items()
    ]
    frame = pd.DataFrame(rows, columns=["function", "score", "low", "high"])
    return frame.assign(
        setting=name, participants=n_participants, equal=equal_participants(data)
    )


def equal_participants(data) -> float:
    """Count how many equal participants the rows of the rarer class are worth."""
    y_true, _, _, groups = data
    return min(equal_number(np.bincount(groups, y_true == label)) for label in (0, 1))


def true_scores(name: str, n_participants: int) -> pd.DataFrame:
    """Score very many participants."""
    data = draw(SETTINGS[name], n_participants, np.random.RandomState(12345))
    rows = [
        (name, *key, score) for key, (score, _, _) in estimate_all(data, 100, 0).items()
    ]
    truth = pd.DataFrame(rows, columns=["setting", "function", "score", "truth"])
    yardstick = truth[truth["function"] == "evaluate"].assign(function="percentile")
    return pd.concat([truth, yardstick])


def judge(intervals: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Tell for each interval whether it holds the truth; NaN where there is none."""
    table = intervals.merge(truth, on=["setting", "function", "score"])
    given = table["low"].notna()
    inside = (table["low"] <= table["truth"]) & (table["truth"] <= table["high"])
    return table.assign(
        given=100.0 * given,
        coverage=(100.0 * inside).where(given),
        width=table["high"] - table["low"],
    )


def by_size(judged: pd.DataFrame) -> pd.DataFrame:
    """Average over the simulations of each setting and number of participants."""
    keys = ["function", "score", "setting", "participants"]
    return judged.groupby(keys, sort=False)[["coverage", "given", "width"]].mean()


def by_worth(judged: pd.DataFrame) -> str:
    """Average `evaluate`'s coverage over simulations with few and many participants."""
    bins = pd.cut(judged["equal"], [0, 3, 5, 8, 12, np.inf], right=False)
    judged = judged.assign(bin=bins)[judged["function"] == "evaluate"]
    table = judged.groupby(["score", "bin"], sort=False, observed=True)[
        "coverage"
    ].mean()
    table = table.unstack("bin").sort_index(axis=1)
    counts = judged[judged["score"] == "recall"]["bin"].value_counts().sort_index()
    header = [f"{bin_.left:g} to {bin_.right:g} ({counts[bin_]})" for bin_ in table]
    return _table(header, table, "{:.1f}")


def as_markdown(judged: pd.DataFrame, arguments: argparse.Namespace) -> str:
    """Write the report."""
    table = by_size(judged)
    error = 100 * np.sqrt(0.95 * 0.05 / arguments.n_simulations)
    lines = [
        "# Coverage of 95 % intervals",
        "",
        __doc__.split("\n\n")[1].replace("\n", " "),
        "",
        f"{arguments.n_simulations} simulations a column, {arguments.n_bootstrap} "
        f"replicates each; the standard error of a coverage of 95 is {error:.1f}. "
        "Made by",
        "",
        f"    {command()}",
        "",
        *(f"- *{name}*: {SETTINGS[name].about}" for name in arguments.settings),
    ]
    for function, about in SECTIONS.items():
        part = table.loc[function]
        lines += ["", f"## {about}", "", _grid(part["coverage"], "{:.1f}")]
        if (part["given"] < 99.5).any():
            lines += ["", "Share of simulations with an interval, in %:", ""]
            rare = part["given"].groupby("score", sort=False).transform("min") < 99.5
            lines += [_grid(part.loc[rare, "given"], "{:.0f}")]
        if function in ("evaluate", "percentile"):
            lines += ["", "Mean width:", "", _grid(part["width"], "{:.3f}")]
        if function == "evaluate":
            lines += ["", WORTH, "", by_worth(judged)]
    return "\n".join(lines) + "\n"


def _grid(values: pd.Series, form: str) -> str:
    table = values.unstack(["setting", "participants"], sort=False)
    return _table([f"{setting}, {n}" for setting, n in table.columns], table, form)


def _table(header: list[str], table: pd.DataFrame, form: str) -> str:
    rows = [
        [name, *("" if np.isnan(value) else form.format(value) for value in row)]
        for name, row in table.iterrows()
    ]
    return "\n".join(grid(["", *header], rows))


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--participants", type=int, nargs="+", default=[10, 20, 40, 80])
    parser.add_argument(
        "--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS)
    )
    parser.add_argument("--n-simulations", type=int, default=1000)
    parser.add_argument("--n-bootstrap", type=int, default=400)
    parser.add_argument(
        "--n-true", type=int, default=6000, help="participants of truth"
    )
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--output", type=Path, required=True, help="a Markdown file")
    return parser.parse_args(arguments)


def main() -> None:
    """Simulate, count and write."""
    arguments = parse()
    truth = pd.concat(
        true_scores(name, arguments.n_true) for name in arguments.settings
    )
    intervals = Parallel(n_jobs=arguments.jobs)(
        delayed(simulate)(name, n_participants, arguments.n_bootstrap, seed)
        for name in arguments.settings
        for n_participants in arguments.participants
        for seed in range(arguments.n_simulations)
    )
    judged = judge(pd.concat(intervals), truth)
    arguments.output.write_text(as_markdown(judged, arguments), encoding="utf-8")


if __name__ == "__main__":
    main()
