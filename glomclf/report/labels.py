"""The sheet of labels to look at again: pictures by participant, the worst first."""

from __future__ import annotations

from typing import Any

import pandas as pd

from .blocks import Caution, Gallery, GalleryItem, Paragraph, Section, Table
from .page import Report
from .pictures import images_of, thumbnail

__all__ = ["labels_report"]

_IMAGE_SIZE = 160  # pixels a side
_MOST = 300  # pictures on the sheet, which a browser still shows at once


def labels_report(
    X: Any, suspects: pd.DataFrame, names: list[str], *, unit: str = "participant"
) -> Report:
    """Show the patches whose labels a person should look at again.

    Parameters
    ----------
    X : DataFrame, array-like of paths, ndarray or None
        The patches, as `glomclf.ImageLoader` takes them. None shows a table only.

    suspects : DataFrame
        As from `glomclf.evaluation.suspect_labels`.

    names : list of str
        What each row of `X` is called.

    unit : str, default="participant"
        What the groups are.

    Returns
    -------
    report : Report

    Raises
    ------
    ImageError
        If one of the images cannot be read.

    Examples
    --------
    >>> from glomclf.evaluation import suspect_labels
    >>> from glomclf.report import labels_report
    >>> suspects = suspect_labels([0, 0, 1, 1], [0.1, 0.9, 0.8, 0.7])
    >>> labels_report(None, suspects, list("abcd")).sections[0].title
    'Labels to look at again'
    """
    lead = (
        f"{len(suspects)} of {len(names)} labels. A model that saw neither patch nor "
        f"{unit} speaks against each. It may be the model that is wrong: look at "
        "each one, and fill in the column 'corrected label' of labels.csv where the "
        "label is."
    )
    blocks: list[Any] = []
    if len(suspects) > _MOST:
        blocks.append(
            Caution(f"The worst {_MOST} are shown. labels.csv has all of them.")
        )
        suspects = suspects.sort_values("support", kind="stable").head(_MOST)
    if suspects.empty:
        blocks.append(Paragraph("No label is suspect."))
    elif X is None:
        table = suspects.assign(image=[names[row] for row in suspects.index])
        blocks.append(Table.from_frame(table.set_index("image")))
    else:
        blocks += _galleries(X, suspects, names, unit)
    return Report("Labels", lead, [Section("Labels to look at again", blocks)])


def _galleries(
    X: Any, suspects: pd.DataFrame, names: list[str], unit: str
) -> list[Gallery]:
    """Make a gallery of each participant, in the order of the table."""
    images = images_of(X, suspects.index, _IMAGE_SIZE)
    galleries: dict[str, list[GalleryItem]] = {}
    for image, (row, one) in zip(images, suspects.iterrows(), strict=True):
        label, probability = int(one["label"]), f"{one['probability']:.3f}"
        name = names[int(str(row))]
        facts = {"label": str(label), "probability of 1": probability, "image": name}
        alt = f"{name}: label {label}, probability {probability}"
        title = (
            f"{unit.capitalize()} {one['participant']}" if "participant" in one else ""
        )
        item = GalleryItem(thumbnail(image), alt, facts)
        galleries.setdefault(title or "Worst first", []).append(item)
    return [Gallery(title, items) for title, items in galleries.items()]
