"""How patches were cut out of slides, as columns of a table of patches say it."""

from __future__ import annotations

from numbers import Real
from typing import Any, NamedTuple

import pandas as pd
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

CUT_CONSTRAINTS: dict[str, list[Any]] = {
    "scale": [Interval(Real, 0, None, closed="neither")],
    "margin": [Interval(Real, 0, None, closed="left")],
    "outside": [StrOptions({"keep", "white"})],
}
"""What each field of a `PatchCut` may be."""


class PatchCut(NamedTuple):
    """How all patches are cut out."""

    scale: float
    margin: float
    outside: str

    def columns(self) -> dict[str, Any]:
        """Return what a table says of it in each row."""
        return {f"patch_{name}": value for name, value in self._asdict().items()}


def cut_of(manifest: pd.DataFrame) -> dict[str, Any] | None:
    """Tell how all patches of a table were cut out, by the columns `patch_...`.

    Parameters
    ----------
    manifest : DataFrame

    Returns
    -------
    dict or None
        ``scale``, ``margin`` and ``outside`` as `extract_patches` takes them. None: it
        is not known, or they differ.

    Examples
    --------
    >>> import pandas as pd
    >>> from glomclf.data.patch_cuts import cut_of
    >>> cut = {"patch_scale": 0.5, "patch_margin": 15, "patch_outside": "keep"}
    >>> cut_of(pd.DataFrame([cut, cut]))
    {'scale': 0.5, 'margin': 15.0, 'outside': 'keep'}
    >>> cut_of(pd.DataFrame([cut, {**cut, "patch_scale": 0.25}])) is None
    True
    """
    names = [f"patch_{name}" for name in PatchCut._fields]
    ways = manifest.reindex(columns=names).drop_duplicates().to_numpy(object).tolist()
    try:
        ((scale, margin, outside),) = ways
        cut = PatchCut(scale, margin, outside)._asdict()
        validate_parameter_constraints(CUT_CONSTRAINTS, cut, "a table")
    except ValueError:  # of several ways, too
        return None
    return cut | {"scale": float(scale), "margin": float(margin)}
