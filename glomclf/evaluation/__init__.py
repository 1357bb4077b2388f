"""What predictions are worth: scores, intervals over participants, curves, thresholds.

Everything here takes labels, probabilities and participants; nothing knows of images.
"""

from .abstention import Abstention, choose_abstention
from .agreement import ReaderAgreement, reader_agreement
from .biopsy import BiopsyAgreement, biopsy_agreement
from .biopsy_estimates import BiopsyEstimates, is_borderline, summarize_biopsies
from .biopsy_record import OutOfFoldRecord
from .curves import Band, Curves, ReliabilityBins, evaluation_curves
from .estimates import Estimates
from .evaluation import Comparison, Evaluation, compare_scores, evaluate
from .net_benefit import threshold_table
from .prevalence import adjust_to_prevalence, estimate_prevalence
from .readings import combine_readings
from .sample_size import plan_validation, validation_sample_size
from .scores import SCORES, Score
from .subgroups import Subgroups
from .suspects import suspect_labels
from .thresholds import (
    RecallAtLeast,
    choose_threshold,
    cross_fitted_thresholds,
    even_odds,
)

__all__ = [
    "SCORES",
    "Abstention",
    "Band",
    "BiopsyAgreement",
    "BiopsyEstimates",
    "Comparison",
    "Curves",
    "Estimates",
    "Evaluation",
    "OutOfFoldRecord",
    "ReaderAgreement",
    "RecallAtLeast",
    "ReliabilityBins",
    "Score",
    "Subgroups",
    "adjust_to_prevalence",
    "biopsy_agreement",
    "choose_abstention",
    "choose_threshold",
    "combine_readings",
    "compare_scores",
    "cross_fitted_thresholds",
    "estimate_prevalence",
    "evaluate",
    "evaluation_curves",
    "even_odds",
    "is_borderline",
    "plan_validation",
    "reader_agreement",
    "summarize_biopsies",
    "suspect_labels",
    "threshold_table",
    "validation_sample_size",
]
