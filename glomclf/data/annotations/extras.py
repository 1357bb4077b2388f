"""The packages of the extra ``slides``, imported on first use."""

from __future__ import annotations

import importlib
from typing import Any

from ...errors import SlideError


def needed(module: str) -> Any:
    """Import a module of the extra ``slides``.

    Raises
    ------
    SlideError
        If it is not installed, or its library cannot be loaded.

    Examples
    --------
    >>> from glomclf.data.annotations.extras import needed
    >>> needed("shapely").Point(1, 2).x
    1.0
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:
        raise SlideError(
            f"Slides and polygons need {module.partition('.')[0]}, which cannot be "
            f"imported ({error}). Install what is missing: python -m pip install "
            "'glomclf[slides]'"
        ) from error
