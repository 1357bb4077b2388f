"""The pictures of the report of an evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..evaluation.biopsy import BiopsySummary
from ..evaluation.curves import precision_recall_band, roc_band
from ..evaluation.reliability import reliability_bins
from .blocks import (
    Block,
    Caution,
    Gallery,
    GalleryItem,
    Paragraph,
    Picture,
    Section,
    Table,
    number,
    sentence,
    span,
)
from .pictures import draw_picture, thumbnail
from .run import Run

__all__ = [
    "biopsies_section",
    "curves_section",
    "mistakes_section",
    "training_section",
]

_BIOPSY_SCORES = {
    "mean_absolute_error": ("Mean absolute error, percentage points", 1),
    "bias": ("Bias (predicted less true), percentage points", 1),
    "lower_limit": ("Lower limit of agreement, percentage points", 1),
    "upper_limit": ("Upper limit of agreement, percentage points", 1),
    "icc": ("Intraclass correlation, ICC(A,1)", 3),
}
_IMAGE_SIZE = 160  # pixels a side in the gallery


def curves_section(run: Run) -> Section:
    """Draw curves with bands, or say why there are none; reliability; confusion."""
    if len(np.unique(run.y)) == 2:
        return Section("Curves", [*_curves(run), _reliability(run), _confusion(run)])
    why = (
        f"All {len(run.y)} labels are {run.y[0]}, and ROC and precision-recall curves "
        "need both classes: there are none."
    )
    return Section("Curves", [Paragraph(why), _reliability(run), _confusion(run)])


def _curves(run: Run) -> list[Picture]:
    from .displays import PrecisionRecallBandDisplay, RocBandDisplay

    band = (
        f"The shade is the pointwise {run.evaluation.level} band from "
        f"{run.evaluation.n_bootstrap} bootstrap replicates over {run.units}, "
        "stratified by the classes they have."
    )
    pictures = []
    for name, compute, display in (
        ("ROC curve", roc_band, RocBandDisplay),
        ("Precision-recall curve", precision_recall_band, PrecisionRecallBandDisplay),
    ):
        computed = compute(run.y, run.y_score, **_bootstrap(run))
        shown = display(computed, prevalence=float(run.y.mean()))
        alt, caption = f"{name}, area {number(computed.area)}", f"{name}. {band}"
        if not np.isfinite(computed.low).all():
            caption += " Where there is none, one participant has all of a class."
        pictures.append(draw_picture(_on_axes(shown), alt=alt, caption=caption))
    return pictures


def _on_axes(display: Any) -> Any:
    return lambda figure: display.plot(figure.subplots())


def _bootstrap(run: Run) -> dict[str, Any]:
    return {
        "groups": run.groups,
        "n_bootstrap": run.evaluation.n_bootstrap,
        "confidence": run.evaluation.confidence,
    }


def _reliability(run: Run) -> Block:
    from .displays import ReliabilityDisplay

    bins = reliability_bins(run.y, run.y_score, **_bootstrap(run))
    return draw_picture(
        _on_axes(ReliabilityDisplay(bins)),
        alt="Reliability diagram: share of class 1 against predicted probability",
        caption="Reliability. On the dashed line probabilities mean what they say; "
        f"bars are {run.evaluation.level} intervals over {run.units}.",
    )


def _confusion(run: Run) -> Block:
    from sklearn.metrics import ConfusionMatrixDisplay

    (tn, fp), (fn, tp) = run.evaluation.confusion_matrix.tolist()
    display = ConfusionMatrixDisplay(
        run.evaluation.confusion_matrix,
        display_labels=["0\nother", "1\nglobally\nsclerotic"],
    )
    return draw_picture(
        lambda figure: display.plot(
            cmap="Blues", colorbar=False, ax=figure.subplots(), values_format="d"
        ),
        alt=f"Confusion matrix: {tn} true and {fp} false of class 0, {tp} found and "
        f"{fn} missed of class 1",
        caption=f"Confusion matrix at {run.cut}: {fn} of {fn + tp} "
        f"sclerotic glomeruli are missed, {fp} of {fp + tn} others are called so.",
    )


def biopsies_section(run: Run) -> Section | None:
    """Draw percentages, their differences, and say how well they agree."""
    from .displays import BiopsyPercentageDisplay, BlandAltmanDisplay

    if run.biopsies is None:
        return None
    summary = run.biopsies
    level = summary.level
    blocks: list[Block] = [
        draw_picture(
            _on_axes(BiopsyPercentageDisplay(summary)),
            alt="Predicted against true percentage of each biopsy",
            caption="Globally sclerotic glomeruli of each biopsy, in percent. Dotted: "
            "the cut-offs by which biopsies are judged.",
        ),
        draw_picture(
            _on_axes(BlandAltmanDisplay(summary)),
            alt="Bland-Altman plot of predicted and true percentages",
            caption="Bland-Altman plot: bias and limits of agreement, with their "
            f"{level} intervals over biopsies. Those of the limits are too narrow: in "
            "simulations they held the truth less often than they claim, even with 50 "
            "biopsies.",
        ),
        _agreement_table(summary),
        _biopsy_table(summary),
    ]
    if summary.caution:
        blocks.insert(0, Caution(sentence(summary.caution)))
    return Section("Percentage per biopsy", blocks)


def _biopsy_table(summary: BiopsySummary) -> Table:
    rows = [
        [str(name), str(int(n_glomeruli)), *(f"{share:.1f}" for share in shares)]
        for name, n_glomeruli, *shares in summary.table.itertuples()
    ]
    columns = ["biopsy", "patches", "true %", "called %", "off by"]
    return Table(columns, rows, f"Each of the {len(rows)} biopsies", folded=True)


def _agreement_table(summary: BiopsySummary) -> Table:
    shown = dict(_BIOPSY_SCORES)
    for cut_off in summary.cut_offs:
        for name in ("recall", "specificity", "accuracy"):
            title = f"{name.capitalize()} for biopsies above {cut_off:g} %"
            shown[f"{name}_above_{cut_off:g}"] = (title, 3)
    rows = [
        [
            title,
            number(summary.scores[name], digits),
            span(summary.interval(name), digits),
        ]
        for name, (title, digits) in shown.items()
    ]
    return Table(["agreement", "value", f"{summary.level} interval"], rows)


def mistakes_section(run: Run) -> Section:
    """Show the worst mistakes of either kind, or that there is none."""
    from .displays import worst_mistakes
    from .displays.mistakes import images_of

    title = "Worst mistakes"
    table = worst_mistakes(
        run.y,
        run.y_score,
        groups=run.groups,
        threshold=run.threshold,
        n_mistakes=run.n_mistakes,
    )
    if table.empty:
        return Section(title, [Paragraph("No patch was judged wrongly.")])
    if run.X is None:
        return Section(title, [Table.from_frame(table.drop(columns="label"))])
    images = images_of(run.X, table.index, _IMAGE_SIZE)
    items: dict[str, list[GalleryItem]] = {}
    for image, (row, mistake) in zip(images, table.iterrows(), strict=True):
        item = _gallery_item(run, image, int(str(row)), mistake)
        items.setdefault(mistake["kind"], []).append(item)
    text = "Those whose probability lies farthest from the threshold."
    titles = {
        "missed": "Sclerotic, but missed",
        "false alarm": "Called sclerotic, but not",
    }
    galleries = [Gallery(titles[kind], found) for kind, found in items.items()]
    return Section(title, [Paragraph(text), *galleries])


def _gallery_item(run: Run, image: Any, row: int, mistake: pd.Series) -> GalleryItem:
    facts = {
        "probability": f"{mistake['probability']:.3f}",
        "label": str(mistake["label"]),
    }
    if "participant" in mistake and run.unit != "image":
        facts[run.unit] = str(mistake["participant"])
    name = f"row {row}" if run.named is None else run.named[row]
    facts["image"] = name
    alt = f"{mistake['kind']}: {name}, probability {facts['probability']}"
    return GalleryItem(thumbnail(image), alt, facts)


def training_section(run: Run) -> Section | None:
    """Draw loss, accuracy and whatever else was noted of each epoch."""
    from .displays import HistoryDisplay

    if not run.history:
        return None
    n_epochs, display = len(run.history["loss"]), HistoryDisplay(run.history)
    told = ", ".join(name.replace("_", " ") for name in display.panels)
    picture = draw_picture(
        lambda figure: display.plot(
            figure.subplots(len(display.panels), 1, sharex=True)
        ),
        alt="Loss and accuracy of each epoch",
        caption=f"{n_epochs} epochs: {told}, of the training rows (after the sampler, "
        "with dropout and any augmentation and label smoothing) and of the validation "
        "rows (without all of these).",
        figsize=(5.2, 2.7 * len(display.panels)),
    )
    return Section("Training", [picture])
