"""Judge maps of `explain`: how much lies inside an outline, and what blurring does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter

from glomclf import explain

SQUARES = 7  # a side, as in the occlusion of explain
STEPS = np.arange(0, SQUARES**2 + 1, SQUARES)
BLUR = 16  # pixels, standard deviation


def squares_of(maps: np.ndarray) -> np.ndarray:
    """Average maps (n, side, side) over squares: (n, 49)."""
    n, side = maps.shape[:2]
    width = side // SQUARES
    cells = maps.reshape(n, SQUARES, width, SQUARES, width)
    return cells.mean(axis=(2, 4)).reshape(n, -1)


def drawn_maps(classifier, images, methods, seed: int) -> dict[str, np.ndarray]:
    """Explain images, and draw the maps that look at no pixel."""
    drawn = {one: explain(classifier, images, method=one).maps for one in methods}
    n, side = images.shape[:2]
    far = np.hypot(*(np.indices((side, side)) - (side - 1) / 2))
    drawn["centre"] = np.repeat(1 - far[np.newaxis] / far.max(), n, axis=0)
    values = np.tile(np.arange(SQUARES**2) - SQUARES**2 // 2, (n, 1))
    cells = np.random.default_rng(seed).permuted(values, axis=1)
    cells = cells.reshape(n, SQUARES, SQUARES)
    drawn["random"] = cells.repeat(side // SQUARES, 1).repeat(side // SQUARES, 2)
    return drawn


def inside(maps: np.ndarray, outlines: np.ndarray) -> pd.DataFrame:
    """Say how much of each map lies inside the outline."""
    positive = np.maximum(maps, 0)
    total = positive.sum(axis=(1, 2))
    share = (positive * outlines).sum(axis=(1, 2)) / np.where(total > 0, total, np.nan)
    area = outlines.mean(axis=(1, 2))
    width = maps.shape[1] // SQUARES
    middles = outlines[:, width // 2 :: width, width // 2 :: width]
    highest = squares_of(maps).argmax(axis=1)
    pointed = middles.reshape(len(maps), -1)[np.arange(len(maps)), highest]
    return pd.DataFrame(
        {
            "inside": share,
            "area": area,
            "more inside": share - area,
            "pointed": pointed.astype(float),
        }
    )


def mixed(image: np.ndarray, other: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Replace the first 0, 7, ..., 49 squares of an order by those of the other."""
    width = len(image) // SQUARES
    rank = np.argsort(order).reshape(SQUARES, SQUARES)
    rank = rank.repeat(width, 0).repeat(width, 1)[..., np.newaxis]
    return np.stack([np.where(rank < step, other, image) for step in STEPS])


def curves(classifier, images, cells, is_one) -> dict[str, np.ndarray]:
    """Give the probability of the predicted class after each step, (n, 8)."""
    rows = []
    for image, found, one in zip(images, cells, is_one, strict=True):
        blurred = gaussian_filter(image, (BLUR, BLUR, 0))
        order = np.argsort(-found, kind="stable")
        both = [mixed(image, blurred, order), mixed(blurred, image, order)]
        rows.append(classifier.predict_proba(np.concatenate(both))[:, int(one)])
    deletion, insertion = np.split(np.array(rows), 2, axis=1)
    return {"deletion": deletion, "insertion": insertion}


def judged(
    classifier, test: pd.DataFrame, methods, masks: Path, seed: int, *, curved: bool
) -> pd.DataFrame:
    """Judge the maps of some patches: a row for each patch and map.

    Parameters
    ----------
    classifier : GlomeruliClassifier
        Fitted.
    test : DataFrame
        With ``path``, ``participant`` and ``label``.
    methods : sequence of str
        Of `glomclf.explain`.
    masks : Path
        Folder of outlines, under the names of the patches.
    seed : int
        Of the random order.
    curved : bool
        Whether deletion and insertion are measured, which take most of the time.
    """
    images = np.asarray(classifier.pipeline_["load"].transform(test))
    files = [masks / Path(path).name for path in test["path"]]
    outlines = np.array([np.asarray(Image.open(f).convert("L")) for f in files]) > 127
    probability = classifier.predict_proba(images)[:, 1]
    is_one, tables = probability >= 0.5, []
    known = test[["participant", "label"]].reset_index(names="patch")
    for name, maps in drawn_maps(classifier, images, methods, seed).items():
        toward = np.where(is_one | (name not in methods), 1, -1)[:, None, None] * maps
        table = inside(toward, outlines)
        cells = squares_of(toward)
        found = curves(classifier, images, cells, is_one) if curved else {}
        for kind, curve in found.items():
            table[[f"{kind} {step}" for step in STEPS]] = curve
            table[kind] = np.trapezoid(curve, STEPS / STEPS[-1], axis=1)
        table[[f"cell {k}" for k in range(SQUARES**2)]] = squares_of(maps)
        told = {"map": name, "probability": probability}
        tables.append(pd.concat([known, table], axis=1).assign(**told))
    return pd.concat(tables)
