"""The sheet of labels to look at again: pictures by participant, the worst first."""

from __future__ import annotations

from typing import Any

import pandas as pd

from .blocks import Caution, Gallery, GalleryItem, Section, Table
from .page import Report
from .pictures import thumbnails

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
    shown = suspects.sort_values("support", kind="stable").head(_MOST)
    blocks: list[Any] = []
    if len(shown) < len(suspects):
        cut = f"The worst {_MOST} are shown. labels.csv has all of them."
        blocks, suspects = [Caution(cut)], shown
    if suspects.empty:
        blocks.append("No label is suspect.")
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
    titles = ["Worst first"] * len(suspects)
    if "participant" in suspects:
        titles = [f"{unit.capitalize()} {owner}" for owner in suspects["participant"]]
    items = []
    told = suspects.rename_axis("row").reset_index().to_dict("records")
    sources = thumbnails(X, suspects.index, _IMAGE_SIZE)
    for source, one in zip(sources, told, strict=True):
        probability = f"{one['probability']:.3f}"
        facts = {"label": str(one["label"]), "probability of 1": probability}
        items.append(GalleryItem(source, {**facts, "image": names[one["row"]]}))
    return Gallery.by_title(titles, items)
