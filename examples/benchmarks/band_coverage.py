"""Measure how often `glomclf.evaluation` bands hold the true curve, place by place.

Participants are simulated as for the coverage of intervals. The true curve is that of
very many of them. A pointwise band at 95 % should hold it at each place in 95 % of the
simulations.

    python examples/benchmarks/band_coverage.py --output band_coverage.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from interval_coverage import SETTINGS, draw, drawn_with_both_classes
from joblib import Parallel, delayed

from glomclf.evaluation import evaluation_curves

PLACES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
N_BINS = 10


def read_all(data, n_bootstrap: int, seed: int) -> pd.DataFrame:
    """Read all curves at the places: the value and its band."""
    y_true, y_score, _, groups = data
    options = {"groups": groups, "n_bootstrap": n_bootstrap, "random_state": seed}
    roc, precision_recall, bins = evaluation_curves(y_true, y_score, **options)
    rows = []
    for name, band in (
        ("ROC: true positive rate at a false positive rate", roc),
        ("Precision-recall: precision at a recall", precision_recall),
    ):
        values = curve_at(name, band)
        for place in PLACES:
            at = round(place * (len(band.grid) - 1))
            rows.append((name, place, values[at], band.low[at], band.high[at]))
    name = "Reliability: share of class 1 in the bin from a probability on"
    for place, *values in zip(
        bins.probability, bins.frequency, bins.low, bins.high, strict=True
    ):
        rows.append((name, int(place * N_BINS) / N_BINS, *values))
    return pd.DataFrame(rows, columns=["curve", "place", "value", "low", "high"])


def curve_at(name: str, band) -> np.ndarray:
    """Read the curve at the places of its band."""
    if name.startswith("ROC"):
        return np.interp(band.grid + 1e-9, band.x, band.y)
    return band.y[np.searchsorted(band.x, np.maximum(band.grid - 1e-9, 1e-9))]


def simulate(name: str, n_participants: int, n_bootstrap: int, seed: int):
    """Run one simulation."""
    rng = np.random.RandomState(seed)
    data = drawn_with_both_classes(SETTINGS[name], n_participants, rng)
    return read_all(data, n_bootstrap, seed).assign(
        setting=name, participants=n_participants
    )


def true_curves(name: str, n_participants: int) -> pd.DataFrame:
    """Read the curves of very many participants."""
    data = draw(SETTINGS[name], n_participants, np.random.RandomState(12345))
    truth = read_all(data, 100, 0)[["curve", "place", "value"]]
    return truth.rename(columns={"value": "truth"}).assign(setting=name)


def as_markdown(judged: pd.DataFrame, arguments: argparse.Namespace) -> str:
    """Write a table a curve."""
    error = 100 * np.sqrt(0.95 * 0.05 / arguments.n_simulations)
    lines = [
        "# Coverage of 95 % bands",
        "",
        f"`python examples/benchmarks/band_coverage.py --simulations "
        f"{arguments.n_simulations} --bootstrap {arguments.n_bootstrap} "
        "--output band_coverage.md`",
        "",
        f"Percent of {arguments.n_simulations} simulations in which the band held the "
        f"true value (noise: ±{error:.1f} a cell, one standard error), by setting and "
        "number of participants. A cell is empty where fewer than half of the "
        "simulations had a band.",
    ]
    for curve, part in judged.groupby("curve", sort=False):
        keys = ["place", "setting", "participants"]
        grouped = part.groupby(keys, sort=False)["inside"]
        cells = (100 * grouped.mean()).where(
            grouped.count() >= arguments.n_simulations / 2
        )
        grid = cells.unstack(["setting", "participants"]).sort_index()
        grid = grid[sorted(grid, key=lambda key: (list(SETTINGS).index(key[0]), key))]
        header = [f"{setting}, {n}" for setting, n in grid]
        lines += ["", f"## {curve}", "", f"| place | {' | '.join(header)} |"]
        lines.append(f"|---:|{'---:|' * len(header)}")
        for place, row in grid.iterrows():
            shown = ["" if np.isnan(cell) else f"{cell:.1f}" for cell in row]
            lines.append(f"| {place:g} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the simulations and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--simulations", dest="n_simulations", type=int, default=400)
    parser.add_argument("--bootstrap", dest="n_bootstrap", type=int, default=500)
    parser.add_argument("--participants", type=int, nargs="+", default=[10, 20, 40])
    parser.add_argument("--settings", nargs="+", default=["moderate", "uneven"])
    parser.add_argument("--truth", type=int, default=5_000, help="participants")
    parser.add_argument("--n-jobs", type=int, default=None)
    arguments = parser.parse_args()
    runs = [
        delayed(simulate)(name, n, arguments.n_bootstrap, seed)
        for name in arguments.settings
        for n in arguments.participants
        for seed in range(arguments.n_simulations)
    ]
    found = pd.concat(Parallel(n_jobs=arguments.n_jobs)(runs))
    truth = pd.concat(
        [true_curves(name, arguments.truth) for name in arguments.settings]
    )
    judged = found.merge(truth, on=["setting", "curve", "place"])
    inside = (judged["low"] <= judged["truth"]) & (judged["truth"] <= judged["high"])
    judged["inside"] = inside.astype(float).where(judged["low"].notna())
    arguments.output.write_text(as_markdown(judged, arguments), encoding="utf-8")


if __name__ == "__main__":
    main()
