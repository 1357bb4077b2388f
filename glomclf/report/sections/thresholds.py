"""Thresholds: what each brings, the decision curve, and advice on 0.5."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...evaluation.net_benefit import threshold_table
from ...evaluation.thresholds import even_odds
from ..blocks import Block, Caution, Paragraph, Section, Table, number, span
from ..evaluated_model import EvaluatedModel
from ..pictures import Picture, draw_picture

__all__ = ["advice_on_half", "thresholds_section"]

_SHOWN = np.arange(1, 20) / 20


def thresholds_section(model: EvaluatedModel) -> Section | None:
    """Show what each threshold brings; None where a class is missing."""
    if len(set(model.y.tolist())) < 2:
        return None
    in_use = None if np.ndim(model.threshold) else float(model.threshold)
    extra = [] if in_use is None or not 0 < in_use < 1 else [in_use]
    cuts = np.unique([*np.arange(1, 100) / 100, *extra])
    table = threshold_table(model.y, model.y_score, thresholds=cuts, **_known(model))
    how = (
        "What each threshold would bring on these patches. The net benefit counts "
        "patches rightly called sclerotic, less the false alarms times threshold / (1 "
        "- threshold): who cuts at 0.2 takes four false alarms for one that is found. "
        "A threshold chosen here looks too good here: choose on some participants, "
        "judge on others."
    )
    blocks: list[Block] = [Paragraph(how), *_pictures(model, table, in_use)]
    if advice := advice_on_half(model):
        blocks.insert(0, Caution(advice))
    return Section("Thresholds", [*blocks, _shown(table, in_use)])


def advice_on_half(model: EvaluatedModel) -> str:
    """Say that 0.5 is not the threshold to use, where calibration says so.

    Other thresholds have an aim of their own, which calibration says nothing about.
    """
    if np.ndim(model.threshold) or model.threshold != 0.5:
        return ""
    found = even_odds(model.y, model.y_score, **_known(model))
    low, high = found.interval("threshold")
    if np.isnan(low) or low <= 0.5 <= high:
        return ""
    share = found.scores["share_at_half"]
    return (
        f"0.5 is not the threshold to use here: of the patches with a probability of "
        f"0.5, {100 * share:.0f} % are sclerotic by the calibration of the model. "
        f"Either class is as frequent at {number(found.scores['threshold'], 2)} "
        f"({found.level}: {span((low, high), 2)}). Choose a threshold, or calibrate, "
        "on other labelled participants like these."
    )


def _known(model: EvaluatedModel) -> dict[str, Any]:
    return {
        "groups": model.groups,
        "n_bootstrap": model.evaluation.n_bootstrap,
        "confidence": model.evaluation.confidence,
    }


def _pictures(
    model: EvaluatedModel, table: pd.DataFrame, in_use: float | None
) -> list[Picture]:
    from ..displays import DecisionCurveDisplay, ThresholdsDisplay

    scores = ThresholdsDisplay(table, threshold=in_use)
    benefit = DecisionCurveDisplay(table, threshold=in_use)
    return [
        draw_picture(
            lambda figure: scores.plot(figure.subplots()),
            alt="Recall, precision and F1 over thresholds",
            caption="Scores over thresholds. The error of the percentage is the mean "
            "over participants, as a share.",
            name="thresholds",
        ),
        draw_picture(
            lambda figure: benefit.plot(figure.subplots()),
            alt="Decision curve: net benefit over thresholds",
            caption="Decision curve. A model is of use where its net benefit is above "
            "both that of calling all patches sclerotic and that of calling none. The "
            f"shade is the pointwise {model.evaluation.level} interval over "
            f"{model.units}.",
            name="decision_curve",
        ),
    ]


def _shown(table: pd.DataFrame, in_use: float | None) -> Table:
    cuts = table.index.to_numpy()
    shown = [
        cut for cut in cuts if cut == in_use or np.isclose(_SHOWN, cut, atol=1e-9).any()
    ]
    rows = [_row(table.loc[cut], cut, cut == in_use) for cut in shown]
    has_error = "percentage_error" in table
    columns = ["threshold", "recall", "precision", "F1"]
    columns += ["error of the percentage, points"] if has_error else []
    columns += ["net benefit", "interval", "of calling all sclerotic"]
    return Table(columns, rows, "What each threshold brings", folded=True)


def _row(values: pd.Series, cut: float, is_in_use: bool) -> list[str]:
    told = [number(values[name], 2) for name in ("recall", "precision", "f1")]
    if "percentage_error" in values:
        told.append(number(values["percentage_error"], 1))
    ends = span((values["net_benefit_low"], values["net_benefit_high"]))
    benefits = [number(values["net_benefit"]), ends, number(values["net_benefit_all"])]
    return [f"{cut:g}{' (in use)' if is_in_use else ''}", *told, *benefits]
