"""Worst mistakes: the images that were missed, or taken for sclerotic."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
import pandas as pd

from ..._runtime import short_names
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
    table = _worst(model)
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


def _worst(model: EvaluatedModel) -> pd.DataFrame:
    """Find the wrong predictions whose probability is farthest from the threshold."""
    table = pd.DataFrame({"label": model.y, "probability": model.y_score})
    table.insert(0, "kind", np.where(model.y == 1, *_TITLES))
    if model.groups is not None:
        table["participant"] = model.groups
    past = model.y_score - model.threshold
    order = np.argsort(-np.abs(past), kind="stable")
    wrong = table.iloc[order][((past >= 0) != model.y)[order]]
    worst = [wrong[wrong["kind"] == kind].head(model.n_mistakes) for kind in _TITLES]
    return pd.concat(worst).rename_axis("row")
