"""One label a patch from the labels of several readers, to train on."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from numpy.typing import ArrayLike

from .readings import checked_readers


def combine_readings(
    readers: pd.DataFrame | Mapping[str, ArrayLike] | ArrayLike,
) -> pd.DataFrame:
    """Combine the labels of several readers into one label and one weight a patch.

    The label is the majority's [1]_. Where as many readers say 0 as 1, or nobody has
    read the patch, there is none: `fit` refuses such rows, so leave them out, or let
    the readers meet.

    Parameters
    ----------
    readers : DataFrame, mapping or array-like of shape (n_samples, n_readers)
        One column a reader, at least two: 0, 1, or NaN where a patch was not read.

    Returns
    -------
    combined : DataFrame of shape (n_samples, 3)
        With the index of `readers`: ``label`` (Int64: 0, 1, or NA where there is no
        majority), ``weight`` (float in [0, 1]) and ``n_readers`` (int, those who have
        read the patch). The weight is the share of readers who say 1 less the share of
        those who say 0, without its sign: 1 where all agree, 1/3 for two against one.

    Raises
    ------
    ScoreError
        If an input cannot be used; the message names every fault.

    Notes
    -----
    To train on the majority's labels, leave the weights alone. To have patches count by
    how far readers agree, pass them as ``sample_weight``; samplers that mix rows, such
    as SMOTE, take no weights.

    Soft labels are commonly given to a classifier as two copies of each row, one of
    either label, weighted by the readers who chose it [1]_. That is not done here. The
    copies of a patch could stand on two sides of a split by row, scores and percentages
    would count each patch twice, and what a sampler makes would have no label. One row
    with the difference of the two weights pulls the classifier the same way.

    References
    ----------
    .. [1] Sheng VS, Provost F, Ipeirotis PG. Get another label? Improving data quality
       and data mining using multiple, noisy labelers. KDD 2008:614-622.

    See Also
    --------
    reader_agreement : Tells how far the readers agree.

    Examples
    --------
    >>> from glomclf.evaluation import combine_readings
    >>> combined = combine_readings(
    ...     {"A": [1, 0, 1, 0], "B": [1, 1, 0, None], "C": [1, 0, None, None]}
    ... )
    >>> combined.round(2)
       label  weight  n_readers
    0      1    1.00          3
    1      0    0.33          3
    2   <NA>    0.00          2
    3      0    1.00          1
    >>> kept = combined["label"].notna()
    >>> combined[kept]["label"].astype(int).tolist()
    [1, 0, 0]
    """
    table = checked_readers(readers)
    n_readers, n_ones = table.count(axis=1), (table == 1).sum(axis=1)
    lead = 2 * n_ones - n_readers  # of those who say 1
    return pd.DataFrame(
        {
            "label": (lead > 0).astype("Int64").mask(lead == 0),
            "weight": lead.abs() / n_readers.clip(lower=1),
            "n_readers": n_readers,
        }
    )
