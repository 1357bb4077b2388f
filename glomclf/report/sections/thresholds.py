"""Thresholds: what each brings, the decision curve, and advice on 0.5."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...evaluation.net_benefit import threshold_table
from ...evaluation.thresholds import even_odds
from ..blocks import Caution, Section, Table, number, span
from ..displays.thresholds import DecisionCurveDisplay, ThresholdsDisplay
from ..evaluated_model import EvaluatedModel
from ..pictures import Picture

_SHOWN = np.arange(1, 20) / 20


def thresholds_section(model: EvaluatedModel) -> Section | None:
    """Show what each threshold brings; None where a class is missing."""
    if len(set(model.y.tolist())) < 2:
        return None
    in_use = None if np.ndim(model.threshold) else float(model.threshold)
    extra = [] if in_use is None or not 0 < in_use < 1 else [in_use]
    cuts = np.unique([*np.arange(1, 100) / 100, *extra])
    table = threshold_table(
        model.y, model.y_score, thresholds=cuts, **model.resampled_as
    )
    how = (
        "What each threshold would bring on these patches. The net benefit counts "
        "patches rightly called sclerotic, less the false alarms times threshold / (1 "
        "- threshold): who cuts at 0.2 takes four false alarms for one that is found. "
        "A threshold chosen here looks too good here: choose on some participants, "
        "judge on others."
    )
    scores = Picture(
        ThresholdsDisplay(table, threshold=in_use).on,
        caption="Scores over thresholds. The error of the percentage is the mean over "
        "participants, as a share.",
        name="thresholds",
    )
    benefit = Picture(
        DecisionCurveDisplay(table, threshold=in_use).on,
        caption="Decision curve. A model is of use where its net benefit is above both "
        "that of calling all patches sclerotic and that of calling none. The shade is "
        f"the pointwise {model.evaluation.level} interval over {model.units}.",
        name="decision_curve",
    )
    advice = Caution(_advice_on_half(model))
    return Section("Thresholds", [advice, how, scores, benefit, _shown(table, in_use)])


def _advice_on_half(model: EvaluatedModel) -> str:
    """Say that 0.5 is not the threshold to use, where calibration says so.

    Other thresholds have an aim of their own, which calibration says nothing about.
    """
    if np.ndim(model.threshold) or model.threshold != 0.5:
        return ""
    found = even_odds(model.y, model.y_score, **model.resampled_as)
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


def _shown(table: pd.DataFrame, in_use: float | None) -> Table:
    columns: dict[str, Any] = {"recall": 2, "precision": 2, "f1": 2}  # and digits
    titles = ["threshold", "recall", "precision", "F1"]
    if "percentage_error" in table:
        columns["percentage_error"] = 1
        titles.append("error of the percentage, points")
    rows = []
    for cut, row in zip(table.index.to_numpy(), table.to_dict("records"), strict=True):
        if cut == in_use or np.isclose(_SHOWN, cut, atol=1e-9).any():
            told = [number(row[name], digits) for name, digits in columns.items()]
            ends = span((row["net_benefit_low"], row["net_benefit_high"]))
            told += [number(row["net_benefit"]), ends, number(row["net_benefit_all"])]
            rows.append([f"{cut:g}{' (in use)' if cut == in_use else ''}", *told])
    titles += ["net benefit", "interval", "of calling all sclerotic"]
    return Table(titles, rows, "What each threshold brings", folded=True)
