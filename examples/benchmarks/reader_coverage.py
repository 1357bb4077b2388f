"""Measure how often intervals of readers' agreement hold the true value.

Three readers label patches of participants. Participants differ in their number of
patches, in their share of sclerotic glomeruli and in how hard they are to read: in hard
ones each reader is wrong three times as often as in easy ones. The third reader leaves
patches out. The true kappas follow from the chances by which all of this is drawn; the
true intraclass correlation is that of very many participants. Intervals that take
patches as independent are measured as well, as a yardstick.

    python examples/benchmarks/reader_coverage.py --output reader_coverage.md
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from pages import command, grid

from glomclf.evaluation import reader_agreement
from glomclf.evaluation.readings import Readings, icc

HARDNESS = np.array([0.5, 1.5])  # of a participant, either as likely


@dataclass(frozen=True)
class Setting:
    """How participants and readers are drawn."""

    about: str
    sclerosis: tuple[float, float]  # of the beta distribution of shares
    missed: tuple[float, float, float]  # chance that a reader calls a 1 a 0, on average
    false: tuple[float, float, float]  # that a 0 is called a 1
    blank: float  # chance that the third reader leaves a patch out


SETTINGS = {
    "good": Setting(
        "20 % sclerotic, readers wrong in 4 to 10 %",
        (0.8, 3.2), (0.10, 0.08, 0.06), (0.04, 0.05, 0.06), 0.2,
    ),
    "poor": Setting(
        "40 % sclerotic, readers wrong in 15 to 25 %",
        (1.2, 1.8), (0.20, 0.25, 0.15), (0.15, 0.20, 0.15), 0.5,
    ),
}  # fmt: skip


def draw(setting: Setting, n_participants: int, rng: np.random.RandomState):
    """Draw the labels of three readers, and participants."""
    sizes = np.maximum(rng.lognormal(np.log(15), 0.6, n_participants).round(), 2)
    groups = np.repeat(np.arange(n_participants), sizes.astype(int))
    truth = rng.binomial(1, rng.beta(*setting.sclerosis, n_participants)[groups])
    hard = HARDNESS[rng.randint(2, size=n_participants)][groups]
    chances = np.where(truth[:, None] == 1, setting.missed, setting.false)
    wrong = rng.rand(len(groups), 3) < chances * hard[:, None]
    labels = np.where(wrong, 1 - truth[:, None], truth[:, None]).astype(float)
    labels[rng.rand(len(groups)) < setting.blank, 2] = np.nan
    return labels, groups


def true_values(setting: Setting) -> dict[str, float]:
    """Work the true kappas out from the chances."""
    share = setting.sclerosis[0] / sum(setting.sclerosis)
    missed, false = (
        np.outer(HARDNESS, setting.missed),
        np.outer(HARDNESS, setting.false),
    )
    said = (share * (1 - missed) + (1 - share) * false).mean(axis=0)

    def both(a: int, b: int) -> float:
        ones = share * (1 - missed[:, a]) * (1 - missed[:, b])
        return float((ones + (1 - share) * false[:, a] * false[:, b]).mean())

    agreement, kappas = {}, {}
    for a, b in combinations(range(3), 2):
        observed = 1 - said[a] - said[b] + 2 * both(a, b)
        by_chance = said[a] * said[b] + (1 - said[a]) * (1 - said[b])
        agreement[a, b] = observed
        kappas[f"kappa {'ABC'[a]} / {'ABC'[b]}"] = (observed - by_chance) / (
            1 - by_chance
        )
    read = 1 - setting.blank
    observed = read * np.mean(list(agreement.values())) + (1 - read) * agreement[0, 1]
    named = read * said.mean() + (1 - read) * said[:2].mean()
    spread = 2 * named * (1 - named)
    return {
        "percent_agreement": observed,
        "fleiss_kappa": (observed - 1 + spread) / spread,
        "gwet_ac1": (observed - spread) / (1 - spread),
        "mean_kappa": float(np.mean(list(kappas.values()))),
        **kappas,
    }


def true_icc(setting: Setting) -> float:
    """Compute the intraclass correlation of very many participants."""
    labels, groups = draw(setting, 100_000, np.random.RandomState(12345))
    table = Readings(labels, groups).percentages()
    return float(icc(table, np.ones((1, len(table))))[0])


def simulate(name: str, n_participants: int, n_bootstrap: int, seed: int):
    """Run one simulation: a row for each interval."""
    labels, groups = draw(SETTINGS[name], n_participants, np.random.RandomState(seed))
    readers = pd.DataFrame(labels, columns=list("ABC"))
    rows = []
    for over, units in (("participants", groups), ("patches", None)):
        found = reader_agreement(readers, groups=units, n_bootstrap=n_bootstrap)
        rows += [(over, key, *ends) for key, ends in found.intervals.items()]
    frame = pd.DataFrame(rows, columns=["over", "score", "low", "high"])
    return frame.assign(setting=name, participants=n_participants)


def as_markdown(judged: pd.DataFrame, truth: dict, arguments) -> str:
    """Write the report."""
    error = 100 * np.sqrt(0.95 * 0.05 / arguments.n_simulations)
    lines = [
        "# Coverage of 95 % intervals of readers' agreement",
        "",
        __doc__.split("\n\n")[1].replace("\n", " "),
        "",
        f"{arguments.n_simulations} simulations a column, {arguments.n_bootstrap} "
        f"replicates each; the standard error of a coverage of 95 is {error:.1f}. "
        "Made by",
        "",
        f"    {command()}",
        "",
        *(f"- *{name}*: {setting.about}" for name, setting in SETTINGS.items()),
    ]
    for over, part in judged.groupby("over", sort=False):
        table = part.pivot_table(
            "coverage", "score", ["setting", "participants"], sort=False
        )
        rows = [
            [
                score,
                *(f"{truth[name][score]:.3f}" for name in SETTINGS),
                *(f"{value:.1f}" for value in values),
            ]
            for score, values in table.iterrows()
        ]
        header = [f"{name}, {n}" for name, n in table.columns]
        columns = ["", *(f"true, {name}" for name in SETTINGS), *header]
        lines += ["", f"## Intervals over {over}", "", *grid(columns, rows)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Simulate, count and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--participants", type=int, nargs="+", default=[20, 40, 80])
    parser.add_argument("--n-simulations", type=int, default=1000)
    parser.add_argument("--n-bootstrap", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--output", type=Path, required=True, help="a Markdown file")
    arguments = parser.parse_args()
    truth = {
        name: {**true_values(one), "icc": true_icc(one)}
        for name, one in SETTINGS.items()
    }
    found = Parallel(n_jobs=arguments.jobs)(
        delayed(simulate)(name, n_participants, arguments.n_bootstrap, seed)
        for name in SETTINGS
        for n_participants in arguments.participants
        for seed in range(arguments.n_simulations)
    )
    table = pd.concat(found)
    true = np.array(
        [truth[a][b] for a, b in zip(table.setting, table.score, strict=True)]
    )
    inside = (table["low"] <= true) & (true <= table["high"])
    judged = table.assign(coverage=(100.0 * inside).where(table["low"].notna()))
    text = as_markdown(judged, truth, arguments)
    arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
