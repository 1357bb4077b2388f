"""Worst mistakes: the images that were missed, or taken for sclerotic."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..._runtime import short_names
from ...evaluation.predictions import check_scores, threshold_faults
from ..blocks import Gallery, GalleryItem, Section, Table
from ..evaluated_model import EvaluatedModel
from ..overlays import draw_overlays
from ..pictures import thumbnails

_IMAGE_SIZE = 160  # pixels a side in the gallery
_TITLES = {
    "missed": "Sclerotic, but missed",
    "false alarm": "Called sclerotic, but are not",
}


def mistakes_section(model: EvaluatedModel) -> Section:
    """Show the worst mistakes of either kind, or that there is none."""
    title = "Worst mistakes"
    table = worst_mistakes(
        model.y,
        model.y_score,
        groups=model.groups,
        threshold=model.threshold,
        n_mistakes=model.n_mistakes,
    )
    if table.empty:
        return Section(title, ["No patch was judged wrongly."])
    overlays, legend = [""] * len(table), ""
    if model.explain:
        overlays, legend = draw_overlays(model.classifier, model.X, table.index)
    if model.X is None or model.of_features:
        if isinstance(model.X, pd.DataFrame):
            table.insert(0, "image", [_image_names(model.X)[i] for i in table.index])
        return Section(title, [Table.from_frame(table.drop(columns="label"))])
    text = f"Those whose probability lies farthest from the threshold. {legend}".strip()
    return Section(title, [text, *_galleries(model, table, overlays)])


def _galleries(
    model: EvaluatedModel, table: pd.DataFrame, overlays: list[str]
) -> list[Gallery]:
    names, items = _image_names(model.X), []
    sources = thumbnails(model.X, table.index, _IMAGE_SIZE)
    mistakes = table.reset_index().to_dict("records")
    for source, overlay, one in zip(sources, overlays, mistakes, strict=True):
        facts = {"probability": f"{one['probability']:.3f}", "label": str(one["label"])}
        if "participant" in one and model.unit != "image":
            facts[model.unit] = str(one["participant"])
        facts["image"] = names[one["row"]]
        items.append(GalleryItem(source, facts, overlay=overlay))
    return Gallery.by_title(table["kind"].map(_TITLES), items)


def _image_names(X: Any) -> list[str]:
    """Return the files of the images or, where they have none, their rows."""
    paths = X["path"] if isinstance(X, pd.DataFrame) else X
    if not all(isinstance(path, str | PathLike) for path in paths):
        return [f"row {row}" for row in range(len(X))]
    return short_names(paths)


def worst_mistakes(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    threshold: float | ArrayLike = 0.5,
    n_mistakes: int = 6,
) -> pd.DataFrame:
    """Find the wrong predictions whose probability is farthest from the threshold.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, 0 or 1.

    y_score : array-like of shape (n_samples,)
        Probabilities of class 1, in [0, 1].

    groups : array-like of shape (n_samples,), default=None
        The participant of each row.

    threshold : float or array-like of shape (n_samples,), default=0.5
        A row is predicted 1 if its probability is at least this.

    n_mistakes : int, default=6
        How many of either kind, at most.

    Returns
    -------
    table : DataFrame
        Index ``row``, the place in the input; columns ``kind`` ("missed", then "false
        alarm", each from the worst on), ``label``, ``probability`` and, where known,
        ``participant``.

    Raises
    ------
    ScoreError
        If an input cannot be used; the message names every fault.

    Examples
    --------
    >>> from glomclf.report import worst_mistakes
    >>> table = worst_mistakes([1, 1, 0, 0], [0.4, 0.1, 0.7, 0.2])
    >>> table.reset_index()
       row         kind  label  probability
    0    1       missed      1          0.1
    1    0       missed      1          0.4
    2    2  false alarm      0          0.7
    """
    faults = threshold_faults(threshold, y_score)
    labels, scores, _ = check_scores(y_true, y_score, groups, faults=faults)
    table = pd.DataFrame({"label": labels, "probability": scores})
    table.insert(0, "kind", np.where(labels == 1, *_TITLES))
    if groups is not None:
        table["participant"] = np.asarray(groups, dtype=object)
    past = scores - np.asarray(threshold, dtype=np.float64)
    order = np.argsort(-np.abs(past), kind="stable")
    wrong = table.iloc[order][((past >= 0) != labels)[order]]
    worst = [wrong[wrong["kind"] == kind].head(n_mistakes) for kind in _TITLES]
    return pd.concat(worst).rename_axis("row")
