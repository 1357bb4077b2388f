"""Reporting checklists for studies of prediction models, filled as far as a run knows.

CLAIM [1]_ is for artificial intelligence in medical imaging, TRIPOD+AI [2]_ for
prediction models, STARD-AI [3]_ for diagnostic accuracy. Items are told in our own
short words; what an article must say is in the sources, and a filled item is a start
for it, not the whole answer.

References
----------
.. [1] Tejani AS, Klontzas ME, Gatti AA, et al. Checklist for Artificial Intelligence in
   Medical Imaging (CLAIM): 2024 update. Radiology: Artificial Intelligence
   2024;6:e240300.
.. [2] Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement: updated guidance for
   reporting clinical prediction models that use regression or machine learning methods.
   BMJ 2024;385:e078378.
.. [3] Sounderajah V, Guni A, Liu X, et al. The STARD-AI reporting guideline for
   diagnostic accuracy studies using artificial intelligence. Nature Medicine
   2025;31:3283-3289.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ...evaluation.scores import SCORES
from ...evaluation.subgroups import Subgroups
from ..blocks import Section, Table, estimate_row, number
from ..evaluated_model import EvaluatedModel
from .repetition import library_versions
from .scores import CARDS

_TEMPLATES = Path(__file__).parents[1] / "templates"
_TEXTS = tomllib.loads((_TEMPLATES / "checklist_facts.toml").read_text("utf-8"))


# The name of each and of the file of its items; what it is from is in the texts.
CHECKLISTS = {
    "claim": ("CLAIM 2024", "claim_2024.csv"),
    "tripod_ai": ("TRIPOD+AI", "tripod_ai.csv"),
    "stard_ai": ("STARD-AI", "stard_ai.csv"),
}


def checklist_items(key: str) -> pd.DataFrame:
    """Return the items of a checklist, in the order of its source.

    Parameters
    ----------
    key : str
        Of `CHECKLISTS`.

    Returns
    -------
    items : DataFrame
        Columns ``item``, its number in the source; ``section``, where in an article it
        belongs; ``asks``, what is to be reported, in our words; and ``fact``, the name
        of the fact that answers it, empty where a run knows none.

    Examples
    --------
    >>> from glomclf.report.sections.checklists import checklist_items
    >>> len(checklist_items("claim"))
    44
    """
    path = _TEMPLATES / CHECKLISTS[key][1]
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def checklists_section(model: EvaluatedModel) -> Section:
    """Fill the checklists as far as the run knows; the rest is listed as open."""
    facts = known_facts(model)
    intro = (
        "What the run knows is filled in, as a start for an article; open items are "
        "for its authors. Items are told in our own short words."
    )
    tables = [filled_checklist(key, facts) for key in CHECKLISTS]
    return Section("Reporting checklists", [intro, *tables])


def filled_checklist(key: str, facts: Mapping[str, str]) -> Table:
    """Put facts beside the items that they answer; facts nobody asks for are left out.

    Parameters
    ----------
    key : str
        Of `CHECKLISTS`.
    facts : mapping of str to str
        By name.

    Returns
    -------
    table : Table
    """
    items = checklist_items(key)
    answers = [facts.get(fact, "open") for fact in items.pop("fact")]
    n_open = answers.count("open")
    told = f"{CHECKLISTS[key][0]}: {len(items) - n_open} filled, {n_open} open"
    rows = items.assign(answer=answers).to_numpy().tolist()
    reference = ["Source", "", _TEXTS["source"][key], ""]
    columns = ["item", "section", "asks", "this run"]
    return Table(columns, [*rows, reference], told, folded=True, texts=True)


def known_facts(model: EvaluatedModel) -> dict[str, str]:
    """Tell what the run knows, by the names that items ask for.

    Parameters
    ----------
    model : EvaluatedModel

    Returns
    -------
    facts : dict of str to str
    """
    known, settings = known_values(model), model.settings
    is_told = {
        "run": True,
        "trained": "n_samples" in model.record,
        "classifier": "sampler" in settings,
        "onnx": "encoder__file" in settings,
        "features": model.of_features,
        "network": "network__backbone" in settings and not model.of_features,
    }
    facts = {
        fact: text.format(**known)
        for part, is_known in is_told.items()
        if is_known
        for fact, text in _TEXTS[part].items()
    }
    if (parts := model.evaluation.subgroups) is not None:
        facts["subgroups"] = _subgroups(parts)
    if (shared := model.shared_participants) is not None:
        facts["disjoint"] = "Participant: none is in both training and test."
        if shared:
            owners = f"{len(shared)} {model.owners}"
            facts["disjoint"] = f"Not disjoint: {owners} are in training and test."
    return facts


def _subgroups(parts: Subgroups) -> str:
    """Tell recall and specificity of each value, and which is the worst."""
    told = "; ".join(
        f"{value}: recall {number(one.scores['recall'])}, specificity "
        f"{number(one.scores['specificity'])} in {one.n_samples} patches"
        for value, one in parts.evaluations.items()
    )
    worst = "" if parts.worst is None else f" Lowest balanced accuracy: {parts.worst}."
    return f"By {parts.column}: {told}.{worst}"


def known_values(model: EvaluatedModel) -> dict[str, Any]:
    """Return what the texts ask for: of the run, of its training, all settings."""
    versions, found = library_versions(), model.evaluation
    scores = [estimate_row(found, name, SCORES[name].title) for name in CARDS]
    settings = {k: "none" if v == "None" else v for k, v in model.settings.items()}
    weights = settings.get("network__weights")
    agreement = ", and agreement of the Percentage per biopsy"
    mean = (
        f"Mean of {len(model.members)} classifiers, one a fold of the training rows, "
        "each trained without its fold."
    )
    is_best = settings.get("network__patience") != "none"
    n_epochs = sorted({len(one.get("loss", ())) for one in model.histories}) or [0]
    return {
        **(model.first_record.get("weights") or {}),
        **settings,
        "model": model,
        "run": found,
        "matrix": found.confusion_matrix.tolist(),
        "versions": versions,
        "software": ", ".join(f"{name} {each}" for name, each in versions.items()),
        "agreement": "" if model.biopsies is None else agreement,
        "performance": ", ".join(f"{name} {n} ({ends})" for name, n, ends in scores),
        "n_aside": model.record.get("n_validation_samples", 0),
        "n_test": len(model.y),
        "partition": _partition(model),
        "ensemble": mean if model.members else "None: one classifier.",
        "weights": "fixed random weights" if weights == "none" else weights,
        "n_epochs": " to ".join(map(str, dict.fromkeys([n_epochs[0], n_epochs[-1]]))),
        "best": "epoch with the lowest validation loss" if is_best else "last epoch",
    }


def _partition(model: EvaluatedModel) -> str:
    """Say which rows were set aside in training, of an ensemble by its first member."""
    record = model.first_record
    n_aside = record.get("n_validation_samples", 0)
    if not n_aside:
        return "No validation rows were set aside in training."
    unit = "participants" if record.get("n_participants") else "rows"
    is_drawn = len(getattr(model.networks[0], "validation_indices_", ()))
    how = f"{unit} drawn at random, stratified by class" if is_drawn else "given apart"
    of = "each classifier's" if model.members else "the"
    share = n_aside / (n_aside + record["n_samples"])
    return f"{share:.0%} of {of} training patches were set aside: {how}."
