"""Labels of several readers, counted under any weights of the participants.

Fleiss' kappa and Gwet's AC1 allow for blanks, as Gwet defines them [1]_: patches with
two readings tell of agreement, those with one of how often a class is named as well.
For two readers, Cohen's kappa is taken over the patches that both have read.

References
----------
.. [1] Gwet KL. Computing inter-rater reliability and its variance in the presence of
   high agreement. British Journal of Mathematical and Statistical Psychology
   2008;61:29-48.
.. [2] McGraw KO, Wong SP. Forming inferences about some intraclass correlation
   coefficients. Psychological Methods 1996;1:30-46.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ScoreError
from .predictions import FloatArray, sum_by_group


@dataclass(frozen=True)
class Readings:
    """Labels of several readers by participant, to be counted under any weights.

    Parameters
    ----------
    labels : ndarray of shape (n_samples, n_readers), dtype float64
        One column a reader; NaN where a patch was not read.

    codes : ndarray of shape (n_samples,), dtype int
        The participant of each row, in [0, n_groups).

    categories : tuple of float, default=(0.0, 1.0)
        The labels there are.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation.readings import Readings
    >>> labels = np.array([[0, 0], [0, 1], [1, 1], [1, 1.0]])
    >>> readings = Readings(labels, np.arange(4))
    >>> readings.cohen(np.ones((1, 4)), 0, 1)
    array([0.5])
    """

    labels: FloatArray
    codes: NDArray[np.intp]
    categories: tuple[float, ...] = (0.0, 1.0)

    @property
    def strata(self) -> NDArray[np.intp]:
        """Which labels each participant was given, of the first two there are."""
        has = (self.labels[:, :, None] == self.categories[:2]).any(axis=1)
        return ((sum_by_group(has, self.codes) > 0) @ [1, 2]).astype(np.intp)

    @property
    def n_compared(self) -> FloatArray:
        """Each participant's patches with two readings or more: (n_groups,)."""
        return sum_by_group(np.isfinite(self.labels).sum(axis=1) > 1, self.codes)

    def together(self, weights: FloatArray) -> dict[str, FloatArray]:
        """Compute what is about all readers at once, for each row of weights.

        Parameters
        ----------
        weights : ndarray of shape (n_replicates, n_groups)

        Returns
        -------
        scores : dict of str to ndarray of shape (n_replicates,)
            ``percent_agreement`` (of two readings of a patch, in [0, 1]),
            ``fleiss_kappa`` and ``gwet_ac1``.
        """
        counts = (self.labels[:, :, None] == np.array(self.categories)).sum(axis=1)
        n_read = counts.sum(axis=1)
        pairs = n_read * (n_read - 1)
        agreeing = (counts * (counts - 1)).sum(axis=1)
        columns = [agreeing / np.maximum(pairs, 1), pairs > 0, n_read > 0]
        shares = counts / np.maximum(n_read, 1)[:, None]
        by_row = np.column_stack([*columns, shares])
        totals = weights @ sum_by_group(by_row, self.codes)
        observed, named = totals[:, 0] / totals[:, 1], totals[:, 3:] / totals[:, [2]]
        spread = (named * (1 - named)).sum(axis=1)
        return {
            "percent_agreement": observed,
            "fleiss_kappa": _beyond_chance(observed, 1 - spread),
            "gwet_ac1": _beyond_chance(observed, spread / (len(self.categories) - 1)),
        }

    def cohen(self, weights: FloatArray, a: int, b: int) -> FloatArray:
        """Compute Cohen's kappa of two readers, over patches that both have read.

        Parameters
        ----------
        weights : ndarray of shape (n_replicates, n_groups)
        a, b : int
            Columns of `labels`.

        Returns
        -------
        kappa : ndarray of shape (n_replicates,)
            NaN where both call every patch the same.
        """
        size = len(self.categories)
        is_a, is_b = (
            self.labels[:, [reader]] == np.array(self.categories) for reader in (a, b)
        )
        cells = (is_a[:, :, None] & is_b[:, None, :]).reshape(len(self.labels), -1)
        tables = weights @ sum_by_group(cells, self.codes)
        tables = tables.reshape(-1, size, size)
        tables = tables / tables.sum(axis=(1, 2), keepdims=True)
        observed = np.trace(tables, axis1=1, axis2=2)
        return _beyond_chance(
            observed, (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1)
        )

    def percentages(self) -> FloatArray:
        """Return the percentage of label 1 of each participant and reader.

        Returns
        -------
        percentages : ndarray of shape (n_groups, n_readers)
            Over the patches that all have read; NaN where there are none.
        """
        complete = np.asarray(np.isfinite(self.labels).all(axis=1))[:, None]
        ones = sum_by_group((self.labels == 1) & complete, self.codes)
        with np.errstate(invalid="ignore"):  # none of a participant's was read by all
            return 100 * ones / sum_by_group(complete, self.codes)


def icc(percentages: FloatArray, weights: FloatArray) -> FloatArray:
    """Compute the intraclass correlation for absolute agreement, ICC(A,1) [2]_.

    Parameters
    ----------
    percentages : ndarray of shape (n_groups, n_readers)
        Participants with NaN are left out.

    weights : ndarray of shape (n_replicates, n_groups)
        How often each participant counts.

    Returns
    -------
    icc : ndarray of shape (n_replicates,)

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation.readings import icc
    >>> table = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6.0]])
    >>> icc(table, np.ones((1, 4))).round(3)
    array([0.261])
    """
    complete = np.isfinite(percentages).all(axis=1)
    table, weights = percentages[complete], weights[:, complete]
    k, n = table.shape[1], weights.sum(axis=1)
    middle = table.mean(axis=1)
    means = weights @ table / n[:, None]
    grand = means.mean(axis=1)
    rows = k * (weights @ middle**2 - n * grand**2) / (n - 1)
    columns = n * ((means - grand[:, None]) ** 2).sum(axis=1) / (k - 1)
    within = weights @ ((table - middle[:, None]) ** 2).sum(axis=1)
    error = (within - (k - 1) * columns) / ((n - 1) * (k - 1))
    return (rows - error) / (rows + (k - 1) * error + k * (columns - error) / n)


def readers_table(
    readers: pd.DataFrame | Mapping[str, ArrayLike] | ArrayLike,
) -> pd.DataFrame:
    """Return one column a reader, called by numbers where they have no names."""
    return pd.DataFrame(cast(Any, readers)).rename(columns=str)


def checked_readers(
    readers: pd.DataFrame | Mapping[str, ArrayLike] | ArrayLike,
    faults: Sequence[str] = (),
) -> pd.DataFrame:
    """Return one column a reader, and refuse what are no labels of readers.

    Parameters
    ----------
    readers : DataFrame, mapping or array-like of shape (n_samples, n_readers)

    faults : sequence of str, default=()
        What was found wrong with other inputs, to be told in the same message.

    Returns
    -------
    table : DataFrame of shape (n_samples, n_readers), dtype float64
        With the index of `readers`; the columns of an array are numbered.

    Raises
    ------
    ScoreError
        If anything is wrong; the message names every fault.

    Examples
    --------
    >>> from glomclf.evaluation.readings import checked_readers
    >>> checked_readers({"A": [0, 1], "B": [None, 2]})
    Traceback (most recent call last):
        ...
    glomclf.errors.ScoreError: reader 'B' has 1 labels other than 0 and 1, as 2.0
    """
    table, faults = readers_table(readers), list(faults)
    if table.shape[1] < 2 or table.empty:
        faults.append(f"readers must have rows and two columns, got {table.shape}")
    for name, column in table.items():
        strange = column[~(column.isin((0, 1)) | column.isna())]
        if len(strange):
            faults.append(
                f"reader {name!r} has {len(strange)} labels other than 0 and 1, as "
                f"{strange.tolist()[0]!r}"
            )
        elif column.isna().all():
            faults.append(f"reader {name!r} has read no patch")
    if faults:
        raise ScoreError("\n".join(faults))
    return table.astype(np.float64)


def _beyond_chance(observed: FloatArray, by_chance: FloatArray) -> FloatArray:
    return np.where(by_chance < 1, (observed - by_chance) / (1 - by_chance), np.nan)


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
