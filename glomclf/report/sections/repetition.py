"""To repeat it: command, seeds, settings, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..blocks import Block, Code, Paragraph, Section, Table
from ..environment import command_text, library_versions
from ..evaluated_model import EvaluatedModel
from ..tuned_study import setting_text

__all__ = [
    "command_blocks",
    "repetition_section",
    "settings_table",
    "versions_table",
]


_OF_IMAGES = (
    "encoder",
    "image_size",
    "resize",
    "sampling_space",
    "stain_normalizer",
    "predict_views",
    "network__backbone",
    "network__weights",
    "network__normalization",
    "network__trainable_layers",
    "network__augmentation",
)


def repetition_section(model: EvaluatedModel) -> Section:
    """Tell command, seeds, settings and versions."""
    seed = model.settings.get("random_state", "not known")
    blocks: list[Block] = [
        *command_blocks("The command of this run:", model.command),
        Paragraph(f"Seed of the training: {seed}. Seed of the bands: 0."),
    ]
    settings = {
        name: value
        for name, value in model.settings.items()
        if not (model.of_features and name in _OF_IMAGES)
    }
    if settings:
        blocks.append(settings_table(settings, "Settings"))
    if model.weights:
        blocks.append(_weights_table(model.weights))
    return Section("To repeat it", [*blocks, versions_table()])


def _weights_table(weights: Mapping[str, str | None]) -> Table:
    """Tell what the training began with; a licence may bind the model as well."""
    named = {"source": "source", "sha256": "SHA-256", "licence": "licence"}
    rows = [[named[key], weights.get(key) or "not known"] for key in named]
    if weights["source"] == "random":
        rows = rows[:1]
    return Table(["initial weights", ""], rows, "Initial weights", folded=True)


def command_blocks(text: str, words: Sequence[str] | None) -> list[Block]:
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
