"""Curves: ROC and precision-recall with bands, reliability, confusion matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...evaluation.curves import Band, evaluation_curves
from ..blocks import Section
from ..displays.curves import (
    PrecisionRecallBandDisplay,
    ReliabilityDisplay,
    RocBandDisplay,
)
from ..evaluated_model import EvaluatedModel
from ..pictures import Picture


def curves_section(model: EvaluatedModel) -> Section:
    """Draw curves with bands, or say why there are none; reliability; confusion."""
    found = evaluation_curves(model.y, model.y_score, **model.resampled_as)
    drawn = (
        ("ROC curve", found.roc, RocBandDisplay),
        ("Precision-recall curve", found.precision_recall, PrecisionRecallBandDisplay),
    )
    curves: list[Any] = [_curve(model, *one) for one in drawn]
    if None in curves:
        curves = [
            f"All {len(model.y)} labels are {model.y[0]}, and ROC and precision-recall "
            "curves need both classes: there are none."
        ]
    reliability = Picture(
        ReliabilityDisplay(found.reliability).on,
        caption="Reliability: share of class 1 against predicted probability. The "
        "dashed line is perfect calibration; bars are "
        f"{model.evaluation.level} intervals over {model.units}.",
        name="reliability",
    )
    return Section("Curves", [*curves, reliability, _confusion(model)])


def _curve(
    model: EvaluatedModel, title: str, band: Band | None, display: Any
) -> Picture | None:
    if band is None:
        return None
    caption = (
        f"{title}. The shade is the pointwise {model.evaluation.level} band from "
        f"{model.evaluation.n_bootstrap} bootstrap replicates over {model.units}, "
        "stratified by the classes they have."
    )
    if not np.isfinite(band.low).all():
        caption += " Where there is none, one participant has all of a class."
    return Picture(
        display(band).on,
        caption=caption,
        name=title.casefold().replace("-", "_").replace(" ", "_"),
    )


def _confusion(model: EvaluatedModel) -> Picture:
    from sklearn.metrics import ConfusionMatrixDisplay

    has_many = np.ndim(model.threshold)  # one a fold
    cut = "the threshold of each fold" if has_many else f"threshold {model.threshold:g}"
    (tn, fp), (fn, tp) = model.evaluation.confusion_matrix.tolist()
    display = ConfusionMatrixDisplay(
        model.evaluation.confusion_matrix,
        display_labels=["0\nother", "1\nglobally\nsclerotic"],
    )
    return Picture(
        lambda figure: display.plot(
            cmap="Blues", colorbar=False, ax=figure.subplots(), values_format="d"
        ),
        caption=f"Confusion matrix at {cut}: {fn} of {fn + tp} sclerotic glomeruli are "
        f"missed, {fp} of {fp + tn} others are called sclerotic.",
        name="confusion_matrix",
    )
