"""What predictions are worth: scores, intervals over participants, curves, thresholds.

Everything here takes labels, probabilities and participants; nothing knows of images.
"""

from .biopsy import BiopsySummary, biopsy_summary
from .curves import (
    Band,
    ReliabilityBins,
    precision_recall_band,
    reliability_bins,
    roc_band,
)
from .estimates import Estimates
from .evaluation import Comparison, Evaluation, compare_scores, evaluate
from .prevalence import (
    adjust_threshold,
    adjust_to_prevalence,
    estimate_prevalence,
)
from .scores import SCORE_NAMES
from .thresholds import RecallAtLeast, choose_threshold, cross_fitted_thresholds

__all__ = [
    "SCORE_NAMES",
    "Band",
    "BiopsySummary",
    "Comparison",
    "Estimates",
    "Evaluation",
    "RecallAtLeast",
    "ReliabilityBins",
    "adjust_threshold",
    "adjust_to_prevalence",
    "biopsy_summary",
    "choose_threshold",
    "compare_scores",
    "cross_fitted_thresholds",
    "estimate_prevalence",
    "evaluate",
    "precision_recall_band",
    "reliability_bins",
    "roc_band",
]
