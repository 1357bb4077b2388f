"""To repeat it: command, seeds, settings, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..blocks import Block, Code, Paragraph, Section, Table
from ..environment import command_text, library_versions
from ..evaluated_model import EvaluatedModel

__all__ = ["command_blocks", "repetition_section", "versions_table"]


def repetition_section(model: EvaluatedModel) -> Section:
    """Tell command, seeds, settings and versions."""
    seed = model.settings.get("random_state", "not known")
    blocks: list[Block] = [
        *command_blocks("The command of this run:", model.command),
        Paragraph(f"Seed of the training: {seed}. Seed of the bands: 0."),
    ]
    if model.settings:
        blocks.append(_pairs("setting", "value", "Settings", model.settings))
    return Section("To repeat it", [*blocks, versions_table()])


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
    return _pairs("library", "version", "Versions", library_versions())


def _pairs(first: str, second: str, caption: str, pairs: Mapping[str, str]) -> Table:
    rows = [[name, value] for name, value in pairs.items()]
    return Table([first, second], rows, caption, folded=True)
