"""Several readers: how far they agree, and a model with them."""

from __future__ import annotations

from ...evaluation.agreement import ReaderAgreement
from ..blocks import Caution, Section, Table, estimate_row, number, sentence

_TITLES = {
    "percent_agreement": "Share of pairs of readings that agree",
    "fleiss_kappa": "Fleiss' kappa",
    "gwet_ac1": "Gwet's AC1",
    "mean_kappa": "Cohen's kappa, mean over pairs of readers",
    "icc": "Intraclass correlation of the percentage, ICC(A,1)",
    "model_mean_kappa": "Cohen's kappa of the model, mean over readers",
    "model_difference": "That less the mean over pairs of readers",
}


def readers_section(agreement: ReaderAgreement) -> Section:
    """Make a section of a report of how far readers agree.

    Parameters
    ----------
    agreement : ReaderAgreement
        As from `glomclf.evaluation.reader_agreement`.

    Returns
    -------
    section : Section
        To be passed to a report as one of its ``sections``.

    Examples
    --------
    >>> from glomclf.evaluation import reader_agreement
    >>> from glomclf.report import readers_section
    >>> agreement = reader_agreement([[0, 0], [0, 1], [1, 1], [1, 1]])
    >>> readers_section(agreement).title
    'Readers'
    """
    caution = Caution(sentence(agreement.caution))
    of_all = {k: title for k, title in _TITLES.items() if k in agreement.scores}
    pairs = {k: k.removeprefix("kappa ") for k in agreement.scores if k not in of_all}
    tables = [
        _table(agreement, of_all),
        _table(agreement, pairs, "Cohen's kappa of each two"),
    ]
    counts = [
        [name, n_read, number(100 * n_ones / n_read, 1)]
        for name, (n_read, n_ones) in agreement.counts.items()
    ]
    read = Table(["reader", "patches read", "% sclerotic"], counts)
    return Section("Readers", [_summary(agreement), caution, *tables, read])


def _table(
    agreement: ReaderAgreement, titles: dict[str, str], caption: str = ""
) -> Table:
    rows = [
        [*estimate_row(agreement, name, title), agreement.notes.get(name, "")]
        for name, title in titles.items()
    ]
    return Table(["", "value", f"{agreement.level} interval", "note"], rows, caption)


def _summary(agreement: ReaderAgreement) -> str:
    """Tell in words what was compared, and how the model stands among readers."""
    told = f"{agreement.n_samples} patches were read by two readers or more."
    if not agreement.has_model:
        return told
    low, high = agreement.interval("model_difference")
    if low > 0:
        verdict = "better than these agree with each other"
    elif high < 0:
        verdict = "less than these agree with each other"
    elif low == low:
        verdict = "about as they agree with each other; the interval holds 0"
    else:
        return told
    return f"{told} The model agrees with the readers {verdict}."
