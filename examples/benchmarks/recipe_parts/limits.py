"""What limits a method: which fold, which slides, which patches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from .patches import Patches
from .scoring import Pooled

N_SLIDES = 6
N_MISTAKES = 6  # of either kind


def by_row(patches: Patches, one: Pooled) -> pd.DataFrame:
    """Say of each row whether it is wrong, and its part in what ROC AUC lacks.

    ROC AUC lacks the share of pairs, one row of either class, that stand in the wrong
    order (ties count half). Each such pair is put down half to either of its rows.
    """
    label, probability = patches.y[one.rows], one.probability
    ones, zeros = np.flatnonzero(label == 1), np.flatnonzero(label == 0)
    ahead = probability[zeros] - probability[ones][:, None]
    wrong_order = (ahead > 0) + 0.5 * (ahead == 0)
    pairs = np.zeros(len(label))
    pairs[ones], pairs[zeros] = wrong_order.sum(1) / 2, wrong_order.sum(0) / 2
    return pd.DataFrame(
        {
            "name": [patches.names[row] for row in one.rows],
            "participant": patches.groups[one.rows],
            "fold": one.fold,
            "label": label,
            "probability": probability,
            "threshold": one.threshold,
            "wrong": (probability >= one.threshold) != (label == 1),
            "pairs": pairs / max(wrong_order.size, 1),
        },
        index=pd.Index(one.rows, name="row"),
    )


def by_slide(rows: pd.DataFrame) -> pd.DataFrame:
    """Sum up by slide, those first that take most from ROC AUC."""
    table = rows.groupby("participant").agg(
        fold=("fold", "first"),
        patches=("label", "size"),
        sclerotic=("label", "sum"),
        wrong=("wrong", "sum"),
        pairs=("pairs", "sum"),
    )
    return table.sort_values("pairs", ascending=False, kind="stable")


def worst(rows: pd.DataFrame) -> pd.DataFrame:
    """Return those farthest on the wrong side of their own fold's threshold."""
    wrong = rows[rows["wrong"]].copy()
    wrong.insert(0, "kind", np.where(wrong["label"] == 1, "missed", "false alarm"))
    distance = (wrong["probability"] - wrong["threshold"]).abs()
    wrong = wrong.loc[distance.sort_values(ascending=False, kind="stable").index]
    kinds = [wrong[wrong["kind"] == kind] for kind in ("missed", "false alarm")]
    return pd.concat([kind.head(N_MISTAKES) for kind in kinds])


def draw(patches: Patches, mistakes: pd.DataFrame, path: Path) -> None:
    """Draw the images of the worst mistakes as one picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2 * N_MISTAKES, 6), layout="constrained")
    axes = figure.subplots(2, N_MISTAKES).ravel()
    for ax in axes:
        ax.axis("off")
    for ax, (row, found) in zip(axes, mistakes.iterrows(), strict=False):
        ax.imshow(Image.open(patches.X["path"].iloc[row]))
        ax.set_title(f"{found['kind']}\n{found['name']}\n{found['probability']:.3f}")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
