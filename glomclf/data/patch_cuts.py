"""How patches were cut out of slides, as columns of a table of patches say it."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, NamedTuple

import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions

__all__ = ["CUT_CONSTRAINTS", "OUTSIDE", "PatchCut", "cut_of"]

OUTSIDE = ("keep", "white")
"""What may become of pixels outside of the polygon."""

CUT_CONSTRAINTS: dict[str, list[Any]] = {
    "scale": [Interval(Real, 0, None, closed="neither")],
    "margin": [Interval(Real, 0, None, closed="left")],
    "outside": [StrOptions({*OUTSIDE})],
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
    if not set(names) <= set(manifest):
        return None
    ways = manifest[names].drop_duplicates().to_numpy(object).tolist()
    if len(ways) != 1 or not all(isinstance(value, Real) for value in ways[0][:2]):
        return None
    cut = PatchCut(float(ways[0][0]), float(ways[0][1]), str(ways[0][2]))
    in_range = 0 < cut.scale < math.inf and 0 <= cut.margin < math.inf
    return cut._asdict() if in_range and cut.outside in OUTSIDE else None
