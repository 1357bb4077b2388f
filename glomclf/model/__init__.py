"""The classifiers, their recipes, ensembles, folds and model files."""

from .approach_comparison import ApproachComparison, compare_approaches
from .approaches import APPROACHES, Approach
from .classifier import GlomeruliClassifier
from .ensemble import FoldEnsembleClassifier
from .explanation import Explanation, explain
from .folds import predict_folds
from .linear_probe import LinearProbe
from .model_files import read_classifier
from .recalibration import Recalibration, fit_recalibration, recalibration_gain
from .recipes import RECIPES, make_classifier
from .reference import TrainingReference, training_reference

__all__ = [
    "APPROACHES",
    "RECIPES",
    "Approach",
    "ApproachComparison",
    "Explanation",
    "FoldEnsembleClassifier",
    "GlomeruliClassifier",
    "LinearProbe",
    "Recalibration",
    "TrainingReference",
    "compare_approaches",
    "explain",
    "fit_recalibration",
    "make_classifier",
    "predict_folds",
    "read_classifier",
    "recalibration_gain",
    "training_reference",
]
