"""Worst mistakes: the images that were missed, or taken for sclerotic."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..blocks import Gallery, GalleryItem, Paragraph, Section, Table
from ..evaluated_model import EvaluatedModel
from ..pictures import thumbnail

__all__ = ["mistakes_section"]

_IMAGE_SIZE = 160  # pixels a side in the gallery
_TITLES = {
    "missed": "Sclerotic, but missed",
    "false alarm": "Called sclerotic, but not",
}


def mistakes_section(model: EvaluatedModel) -> Section:
    """Show the worst mistakes of either kind, or that there is none."""
    from ..displays import worst_mistakes

    title = "Worst mistakes"
    table = worst_mistakes(
        model.y,
        model.y_score,
        groups=model.groups,
        threshold=model.threshold,
        n_mistakes=model.n_mistakes,
    )
    if table.empty:
        return Section(title, [Paragraph("No patch was judged wrongly.")])
    if model.X is None:
        return Section(title, [Table.from_frame(table.drop(columns="label"))])
    text = "Those whose probability lies farthest from the threshold."
    return Section(title, [Paragraph(text), *_galleries(model, table)])


def _galleries(model: EvaluatedModel, table: pd.DataFrame) -> list[Gallery]:
    from ..displays.mistakes import images_of

    images = images_of(model.X, table.index, _IMAGE_SIZE)
    items: dict[str, list[GalleryItem]] = {}
    for image, (row, mistake) in zip(images, table.iterrows(), strict=True):
        item = _item(model, image, int(str(row)), mistake)
        items.setdefault(mistake["kind"], []).append(item)
    return [Gallery(_TITLES[kind], found) for kind, found in items.items()]


def _item(
    model: EvaluatedModel, image: Any, row: int, mistake: pd.Series
) -> GalleryItem:
    facts = {
        "probability": f"{mistake['probability']:.3f}",
        "label": str(mistake["label"]),
    }
    if "participant" in mistake and model.unit != "image":
        facts[model.unit] = str(mistake["participant"])
    name = f"row {row}" if model.image_names is None else model.image_names[row]
    facts["image"] = name
    alt = f"{mistake['kind']}: {name}, probability {facts['probability']}"
    return GalleryItem(thumbnail(image), alt, facts)
