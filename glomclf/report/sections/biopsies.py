"""Percentage per biopsy: predicted against true, and how well they agree."""

from __future__ import annotations

from ..._runtime import counted
from ...evaluation.biopsy import BiopsyAgreement
from ..blocks import Caution, Section, Table, estimate_row, sentence
from ..displays.biopsies import BiopsyPercentageDisplay, BlandAltmanDisplay
from ..evaluated_model import EvaluatedModel
from ..pictures import Picture

# Title and digits of each score of agreement.
_AGREEMENT = {
    "mean_absolute_error": ("Mean absolute error, percentage points", 1),
    "bias": ("Bias (predicted minus true), percentage points", 1),
    "lower_limit": ("Lower limit of agreement, percentage points", 1),
    "upper_limit": ("Upper limit of agreement, percentage points", 1),
    "icc": ("Intraclass correlation, ICC(A,1)", 3),
}


def biopsies_section(model: EvaluatedModel) -> Section | None:
    """Draw percentages, their differences, and say how well they agree."""
    agreement = model.biopsies
    if agreement is None:
        return None
    caution = Caution(sentence(agreement.caution))
    share = Picture(
        BiopsyPercentageDisplay(agreement).on,
        caption="Globally sclerotic glomeruli of each biopsy, in percent. Dotted: the "
        "cut-offs by which biopsies are judged.",
        name="biopsies",
    )
    difference = Picture(
        BlandAltmanDisplay(agreement).on,
        caption="Bland-Altman plot. Above 0 the percentage is predicted too high. The "
        "bias is the mean difference; about 95 of 100 differences lie between the "
        f"limits of agreement. Bars at the right: {agreement.level} intervals over "
        "biopsies. Those of the limits are too narrow: in simulations they held the "
        "truth less often than they claim, even with 50 biopsies.",
        name="bland_altman",
    )
    tables = [_agreement_table(agreement), _biopsy_table(agreement)]
    return Section("Percentage per biopsy", [caution, share, difference, *tables])


def _agreement_table(agreement: BiopsyAgreement) -> Table:
    shown = dict(_AGREEMENT)
    for cut_off in agreement.cut_offs:
        for name in ("recall", "specificity", "accuracy"):
            title = f"{name.capitalize()} for biopsies above {cut_off:g} %"
            shown[f"{name}_above_{cut_off:g}"] = (title, 3)
    rows = [estimate_row(agreement, key, *told) for key, told in shown.items()]
    return Table(["agreement", "value", f"{agreement.level} interval"], rows)


def _biopsy_table(agreement: BiopsyAgreement) -> Table:
    rows = [
        [name, int(n_glomeruli), *(f"{share:.1f}" for share in shares)]
        for name, n_glomeruli, *shares in agreement.table.itertuples()
    ]
    columns = ["biopsy", "patches", "true %", "predicted %", "predicted minus true"]
    return Table(columns, rows, f"Each of {counted(len(rows), 'biopsy')}", folded=True)
