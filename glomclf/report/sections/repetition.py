"""To repeat it: command, seeds, settings, versions."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

from ... import __version__
from ...tuning.passwords import without_password
from ..blocks import Code, Paragraph, Section, Table
from ..evaluated_model import EvaluatedModel
from ..tuned_study import setting_text

_OF_IMAGES = (  # that embeddings have as well, but without effect
    *("encoder", "image_size", "resize", "sampling_space", "stain_normalizer"),
    *("predict_views", "network__backbone", "network__weights"),
    *("network__normalization", "network__trainable_layers", "network__augmentation"),
)
_LIBRARIES = (
    "scikit-learn",
    "imbalanced-learn",
    "keras",
    "tensorflow",
    "scikeras",
    "optuna",
    "numpy",
    "pandas",
    "scipy",
    "pillow",
)


def repetition_section(model: EvaluatedModel) -> Section:
    """Tell command, seeds, settings and versions."""
    settings = {
        name: value
        for name, value in model.settings.items()
        if not (model.of_features and name in _OF_IMAGES)
    }
    seed = settings.get("random_state", "not known")
    seeds = f"Seed of the training: {seed}. Seed of the bands: 0."
    command = command_blocks("The command of this run:", model.command)
    told = settings_table(settings, "Settings") if settings else None
    weights = _weights_table(model.first_record.get("weights"))
    return Section("To repeat it", [*command, seeds, told, weights, versions_table()])


def _weights_table(weights: Mapping[str, str | None] | None) -> Table | None:
    """Tell what the training began with; a licence may bind the model as well."""
    if not weights:
        return None
    told = {"source": "source", "sha256": "SHA-256", "licence": "licence"}
    rows = [[title, weights.get(key) or "not known"] for key, title in told.items()]
    rows = rows[:1] if weights["source"] == "random" else rows
    return Table(["initial weights", ""], rows, "Initial weights", folded=True)


def command_blocks(text: str, words: Sequence[str] | None) -> list[Paragraph]:
    """Show a command below what it does; nothing where it is not known.

    Parameters
    ----------
    text : str
    words : sequence of str or None
        As they were typed.

    Returns
    -------
    blocks : list of blocks
    """
    return [] if words is None else [Paragraph(text), Code(command_text(words))]


def versions_table() -> Table:
    """List the versions of Python, glomclf and what it stands on."""
    versions = list(library_versions().items())
    return Table(["library", "version"], versions, "Versions", folded=True)


def settings_table(
    settings: Mapping[str, Any], caption: str, *, folded: bool = True
) -> Table:
    """List settings and their values."""
    rows = [[name, setting_text(value)] for name, value in settings.items()]
    return Table(["setting", "value"], rows, caption, folded)


@cache
def library_versions() -> Mapping[str, str]:
    """Return the versions of Python, glomclf and what it stands on; imports none.

    Returns
    -------
    versions : mapping of str to str

    Examples
    --------
    >>> from glomclf.report.sections.repetition import library_versions
    >>> list(library_versions())[:3]
    ['python', 'glomclf', 'scikit-learn']
    """
    python, installed = platform.python_version(), map(version, _LIBRARIES)
    libraries = dict(zip(_LIBRARIES, installed, strict=True))
    return MappingProxyType({"python": python, "glomclf": __version__, **libraries})


def command_text(words: Sequence[str]) -> str:
    """Write a command as it was typed, but without passwords in addresses.

    Parameters
    ----------
    words : sequence of str
        The program and its arguments.

    Returns
    -------
    text : str

    Examples
    --------
    >>> from glomclf.report.sections.repetition import command_text
    >>> command_text(["glomclf", "tune", "--storage", "mysql://me:secret@host/db"])
    'glomclf tune --storage mysql://me:***@host/db'
    """
    return " ".join(map(_quoted, words, without_password(words)))


def _quoted(word: str, shown: str) -> str:
    """Quote a word for a shell; three stars alone need no quotes to be read."""
    return shown if shlex.quote(word) == word else shlex.quote(shown)
