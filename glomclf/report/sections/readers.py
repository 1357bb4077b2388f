"""Several readers: how far they agree, and a model with them."""

from __future__ import annotations

from ...evaluation.agreement import ReaderAgreement
from ..blocks import Block, Caution, Paragraph, Section, Table, number, sentence, span

__all__ = ["readers_section"]

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
    blocks: list[Block] = [Paragraph(_summary(agreement))]
    if agreement.caution:
        blocks.append(Caution(sentence(agreement.caution)))
    level = f"{agreement.level} interval"
    of_all = [one for one in _TITLES if one in agreement.scores]
    pairs = [one for one in agreement.scores if one not in _TITLES]
    names = {**_TITLES, **{one: one.removeprefix("kappa ") for one in pairs}}
    for caption, chosen in (("", of_all), ("Cohen's kappa of each two", pairs)):
        rows = [
            [
                names[one],
                number(agreement.scores[one]),
                span(agreement.interval(one)),
                agreement.notes.get(one, ""),
            ]
            for one in chosen
        ]
        blocks.append(Table(["", "value", level, "note"], rows, caption))
    counts = [
        [name, n_read, number(100 * n_ones / n_read, 1)]
        for name, (n_read, n_ones) in agreement.counts.items()
    ]
    blocks.append(Table(["reader", "patches read", "% sclerotic"], counts))
    return Section("Readers", blocks)


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
