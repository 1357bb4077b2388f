"""Next validation: how many participants intervals of a given width take."""

from __future__ import annotations

import numpy as np

from ...evaluation.participant_numbers import MIN_PARTICIPANTS
from ...evaluation.sample_size import plan_validation
from ...evaluation.scores import SCORES
from ..blocks import Section, Table, number
from ..evaluated_model import EvaluatedModel

_TITLES = {
    "observed_expected_ratio": "Observed over expected sclerotic patches",
    "standardized_net_benefit": "Standardised net benefit",
}


def planning_section(model: EvaluatedModel) -> Section | None:
    """Plan from these patches; None where participants or a class are too few."""
    cut = model.threshold
    if model.groups is None or model.unit != "participant":
        return None
    n_participants, n_classes = len(set(model.groups)), len(set(model.y.tolist()))
    if n_participants < MIN_PARTICIPANTS or n_classes < 2 or not 0 < cut < 1:
        return None
    level = model.evaluation.confidence
    table = plan_validation(
        model.y, model.y_score, model.groups, threshold=float(cut), confidence=level
    )
    how = (
        f"How many participants a further validation needs for "
        f"{model.evaluation.level} intervals of these widths (Riley 2024), if scores, "
        f"prevalence and the {len(model.y) / n_participants:.1f} patches a participant "
        "are as here. The design effect, seen here, says by how much it counts that "
        "patches of one participant are alike; from few participants it is rough. "
        "Where the model may do worse, plan for more. Of a score close to 1 the "
        f"formula asks for too few; fewer than {MIN_PARTICIPANTS} participants never "
        "suffice."
    )
    rows = [
        [
            _TITLES.get(str(name)) or SCORES[str(name)].title,
            number(row["expected"], 2),
            f"{row['width']:g}",
            _count(row["n_patches"]),
            number(row["design_effect"], 1),
            _count(np.maximum(row["n_participants"], MIN_PARTICIPANTS)),
        ]
        for name, row in table.iterrows()
    ]
    columns = ["score", "expected", "width", "patches, were they independent"]
    columns += ["design effect", "participants"]
    return Section("Next validation", [how, Table(columns, rows)])


def _count(number_of: float) -> str:
    return "–" if np.isnan(number_of) else f"{number_of:.0f}"
