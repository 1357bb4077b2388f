"""Pictures, in scikit-learn's manner: Display classes.

Each leaves ``ax_`` and ``figure_`` to the user. Matplotlib is imported when something
is drawn.
"""

from .approaches import ApproachesDisplay
from .biopsies import (
    BiopsyIntervalsDisplay,
    BiopsyPercentageDisplay,
    BlandAltmanDisplay,
)
from .curves import PrecisionRecallBandDisplay, ReliabilityDisplay, RocBandDisplay
from .pairs import LeakyPairsDisplay
from .thresholds import DecisionCurveDisplay, ThresholdsDisplay
from .training import ClassProportionsDisplay, HistoryDisplay, SyntheticImagesDisplay

__all__ = [
    "ApproachesDisplay",
    "BiopsyIntervalsDisplay",
    "BiopsyPercentageDisplay",
    "BlandAltmanDisplay",
    "ClassProportionsDisplay",
    "DecisionCurveDisplay",
    "HistoryDisplay",
    "LeakyPairsDisplay",
    "PrecisionRecallBandDisplay",
    "ReliabilityDisplay",
    "RocBandDisplay",
    "SyntheticImagesDisplay",
    "ThresholdsDisplay",
]
