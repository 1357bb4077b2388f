"""One way to open a model file, whichever kind of classifier is in it."""

from __future__ import annotations

import os
from typing import Any

from ..data.archive import read_header, read_model, rebuilt, writer_of
from ..errors import ModelFileError
from .classifier import GlomeruliClassifier
from .ensemble import FoldEnsembleClassifier

_CLASSES: dict[str, Any] = {
    cls.__name__: cls for cls in (GlomeruliClassifier, FoldEnsembleClassifier)
}


def read_classifier(
    path: str | os.PathLike[str],
) -> GlomeruliClassifier | FoldEnsembleClassifier:
    """Read whatever classifier a model file holds; it predicts as when it was saved.

    Parameters
    ----------
    path : str or Path
        A file that ``save`` or ``glomclf train`` wrote.

    Returns
    -------
    GlomeruliClassifier or FoldEnsembleClassifier
        Fitted.

    Raises
    ------
    ModelFileError
        If the file is truncated, changed or foreign, or holds a kind of model that
        this glomclf does not know.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from glomclf import make_classifier, make_glomeruli, read_classifier
    >>> X, y, groups = make_glomeruli(
    ...     40, n_participants=8, sclerotic_fraction=0.3, image_size=32, random_state=0
    ... )
    >>> classifier = make_classifier(
    ...     "features",
    ...     network__backbone="cnn",
    ...     network__weights=None,
    ...     network__epochs=1,
    ...     image_size=32,
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "model.glomclf")
    ...     classifier.fit(X, y, groups=groups).save(file)
    ...     type(read_classifier(file)).__name__
    'GlomeruliClassifier'
    """
    header, arrays = read_model(path)
    kind = str(header["kind"])
    if kind not in _CLASSES:
        raise ModelFileError(
            f"{path} holds a {kind!r}; this glomclf reads {' and '.join(_CLASSES)}. "
            f"Install the glomclf that wrote it: {writer_of(header)}."
        )
    return rebuilt(path, _CLASSES[kind]._from_parts, header, arrays)


def file_takes_features(path: str | os.PathLike[str]) -> bool:
    """Tell at once, before a model is loaded, whether it was trained on features.

    Parameters
    ----------
    path : str or Path
        A file that ``save`` or ``glomclf train`` wrote.

    Returns
    -------
    bool
        False also for a file that `read_classifier` will refuse.

    Raises
    ------
    ModelFileError
        If the file is missing, foreign or of a later version.
    """
    header: Any = read_header(path)
    if isinstance(members := header.get("members"), list) and members:
        header = members[0].get("header") if isinstance(members[0], dict) else None
    return isinstance(header, dict) and header.get("n_features") is not None
