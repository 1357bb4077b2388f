"""What was predicted of a polygon, and how viewers show it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BORDERLINE", "PREDICTED", "Verdict"]


class Verdict(NamedTuple):
    """The class of a polygon, its colour and the probability that it rests on."""

    name: str
    colour: tuple[int, int, int]
    probability: float


# The prefix keeps predictions from being read as labels later.
PREDICTED = (
    ("predicted_non_globally_sclerotic_glomeruli", (0, 114, 178)),
    ("predicted_globally_sclerotic_glomeruli", (213, 94, 0)),
)
BORDERLINE = ("predicted_borderline_glomeruli", (240, 228, 66))
