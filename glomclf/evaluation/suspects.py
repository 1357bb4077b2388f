"""Labels to look at again: those that out-of-fold probabilities speak against.

Confident learning [1]_: a label is suspect where the probability of the other class is
at least as high as it is, on average, in rows that bear the other label. Where that of
the label itself is as high as on average in its own rows, too, the higher one decides.
A rare class, of which the model is never sure, so is not suspect as a whole.

References
----------
.. [1] Northcutt C, Jiang L, Chuang I. Confident learning: estimating uncertainty in
   dataset labels. Journal of Artificial Intelligence Research 2021;70:1373-1411.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..errors import ScoreError
from .predictions import check_scores


def suspect_labels(
    y_true: ArrayLike, y_score: ArrayLike, *, groups: ArrayLike | None = None
) -> pd.DataFrame:
    """List the labels to look at again, the worst first and by participant.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, 0 or 1, as they were given.

    y_score : array-like of shape (n_samples,)
        Probabilities of class 1, in [0, 1], of a model that saw neither the row nor its
        participant, as from `glomclf.model.predict_folds`. One that was trained on the
        label agrees with it even where it is wrong.

    groups : array-like of shape (n_samples,), default=None
        The participant of each row. Rows of one stand together, that with the worst
        label first.

    Returns
    -------
    suspects : DataFrame
        Index ``row``, the place in the input; columns ``label``, ``probability`` (of
        class 1), ``support`` (the probability of the label itself) and, where known,
        ``participant``. Empty if no label is suspect.

    Raises
    ------
    ScoreError
        If an input cannot be used, or there is one class only.

    Examples
    --------
    >>> from glomclf.evaluation import suspect_labels
    >>> y_true = [0, 0, 0, 0, 1, 1, 1, 1]
    >>> y_score = [0.1, 0.2, 0.1, 0.9, 0.8, 0.9, 0.1, 0.9]
    >>> suspect_labels(y_true, y_score, groups=list("aabbccdd")).reset_index()
       row  label  probability  support participant
    0    3      0          0.9      0.1           b
    1    6      1          0.1      0.1           d
    """
    labels, scores, _ = check_scores(y_true, y_score, groups)
    if len(set(labels.tolist())) < 2:
        raise ScoreError("y_true has one class only; labels of both are needed")
    support = np.where(labels == 1, scores, 1 - scores)
    usual = np.array([support[labels == label].mean() for label in (0, 1)])
    against = 1 - support
    is_suspect = (against >= usual[1 - labels]) & (
        (support < usual[labels]) | (against > support)
    )
    table = pd.DataFrame({"label": labels, "probability": scores, "support": support})
    if groups is not None:
        table["participant"] = np.asarray(groups, dtype=object)
    suspects = table[is_suspect].rename_axis("row")
    suspects = suspects.sort_values("support", kind="stable")
    if groups is None:
        return suspects
    worst = suspects.groupby("participant")["support"].transform("min")
    order = np.lexsort([suspects["support"], suspects["participant"].map(str), worst])
    return suspects.iloc[order]
