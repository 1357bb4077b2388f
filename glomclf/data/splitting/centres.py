"""Each centre left out once: participants kept whole, centres too."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import LeaveOneGroupOut

from ...errors import SplitError
from .group_table import check_test_sides, tabulate


def leave_one_centre_out(
    manifest: pd.DataFrame,
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Leave each centre out once: what a model is worth at a site it never saw.

    Parameters
    ----------
    manifest : DataFrame of n_samples rows
        With columns ``centre``, ``participant`` and ``label``, as `read_manifest`
        returns it.

    Returns
    -------
    splits : list of (train, test)
        Row numbers, one pair a centre in sorted order of the centres' names. It serves
        as `cv` in all of scikit-learn; the name of a split's centre is
        ``manifest["centre"].iloc[test[0]]``.

    Raises
    ------
    SplitError
        If a column or a centre's name is missing, there is one centre only, a
        participant occurs in several centres (which would leak), or the other centres
        lack a class.

    Warns
    -----
    SplitWarning
        If a centre lacks a class.

    Examples
    --------
    >>> import pandas as pd
    >>> from glomclf.data.splitting import leave_one_centre_out
    >>> manifest = pd.DataFrame(
    ...     {
    ...         "label": [0, 1, 0, 1, 1],
    ...         "participant": ["a", "a", "b", "b", "c"],
    ...         "centre": ["Lyon", "Lyon", "Graz", "Graz", "Graz"],
    ...     }
    ... )
    >>> for train, test in leave_one_centre_out(manifest):
    ...     print(manifest["centre"].iloc[test[0]], train, test)
    Graz [0 1] [2 3 4]
    Lyon [2 3 4] [0 1]
    """
    _check_centres(manifest)
    table = tabulate(manifest["label"], manifest["centre"], of="centre")
    check_test_sides(
        {
            f"centre {name!r}": counts
            for name, counts in zip(table.groups, table.counts, strict=True)
        },
        table,
    )
    return list(LeaveOneGroupOut().split(table.codes, groups=table.codes))


def _check_centres(manifest: pd.DataFrame) -> None:
    """Refuse a manifest whose centres cannot be left out one at a time."""
    needed = ("centre", "participant", "label")
    absent = [name for name in needed if name not in manifest]
    if absent:
        raise SplitError(
            f"the manifest has no column {', '.join(absent)}; "
            f"leaving a centre out needs {', '.join(needed)}"
        )
    n_centres = manifest.groupby("participant")["centre"].nunique()
    if straddling := sorted(map(str, n_centres.index[n_centres > 1])):
        raise SplitError(
            f"{len(straddling)} participants occur in several centres, so that leaving "
            f"one centre out would leak: {', '.join(straddling)}; give the centres one "
            "name, or the participants two if they are different people"
        )
