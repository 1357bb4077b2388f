"""What is estimated, and Folds: of an ensemble that is judged out of fold."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from ..blocks import Section, Table
from ..evaluated_model import EvaluatedModel

_ESTIMATE = (
    "These are scores of single members: each patch is judged by the one that was "
    "trained without its fold. They estimate what one such member is worth on "
    "new participants. The model that was saved is the mean of all members. Its Brier "
    "score is no worse than theirs, up to chance; other scores are mostly a little "
    "better, which nothing guarantees. ROC AUC and average precision of all folds "
    "together also rank probabilities of different members among each other, which "
    "lowers them; those of single folds are below. To score the ensemble, evaluate it "
    "on participants that no member has seen (`glomclf split` before training, then "
    "`glomclf evaluate test.csv --model FILE`)."
)
_CROSS_FITTED = (
    "Each fold is judged at the threshold that is best on the other folds, because a "
    "score is too good on the rows that its threshold was chosen on. New images are "
    "cut at {threshold:g}, chosen on all rows."
)


def estimate_section(model: EvaluatedModel) -> Section:
    """Say what scores out of fold estimate, and how they were judged."""
    fitted = _CROSS_FITTED.format(threshold=model.classifier.threshold_)
    told = [_ESTIMATE, fitted if np.ndim(model.threshold) else None]
    return Section("What is estimated", told)


def folds_section(model: EvaluatedModel) -> Section:
    """List what each fold left out, and how its member did there."""
    ensemble = model.classifier
    rows = []
    for fold in range(len(ensemble.estimators_)):
        inside = ensemble.oof_fold_ == fold
        y, score = model.y[inside], model.y_score[inside]
        owners = None if model.groups is None else len(set(model.groups[inside]))
        auc = roc_auc_score(y, score) if 0 < y.mean() < 1 else None
        cut = float(ensemble.oof_threshold_[inside][0])
        rows.append([fold + 1, len(y), int(y.sum()), owners, cut, auc])
    columns = ["fold", "patches", "class 1", f"{model.unit}s", "threshold", "ROC AUC"]
    return Section("Folds", [Table(columns, rows)])
