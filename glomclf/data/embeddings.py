"""Embeddings that are there already: one row of features an image, from a file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._runtime import counted, short_names, user_path
from ..errors import EmbeddingsError
from .embedding_files import place_keys, read_rows
from .table_files import COLUMNS
from .user_files import Faults

_BY_CHANCE = 10  # in fewer rows a feature may be the label by chance


def read_embeddings(
    file: str | os.PathLike[str], manifest: pd.DataFrame
) -> NDArray[np.float32]:
    """Read embeddings of the images of a manifest, in its order.

    Parameters
    ----------
    file : str or path-like
        Known by its ending:

        - ``.h5``, ``.hdf5``: ``features`` of shape (n, d) with the names of the images
          as a dataset of text, or, as TRIDENT writes it for one slide, with ``coords``
          of shape (n, 2); or one vector an image, called by its name;
        - ``.npz``, ``.safetensors``, ``.pt``, ``.pth``: the same as named arrays.
          Nothing is unpickled;
        - ``.csv``, ``.parquet``: a column ``name``, and one column a feature or one
          column of lists. Columns that the manifest has too are no features, nor are
          label, slide, participant and centre. Parquet needs the extra ``embeddings``.

        Or a folder with one HDF5 file a slide, called ``<slide>.h5``.
    manifest : DataFrame of shape (n_images, n_columns)
        As from :func:`read_manifest`, which needs no images with ``images=False``.
        Where a file knows its rows by ``coords``, the manifest has columns ``x`` and
        ``y`` of the same numbers. A file may hold more images than the manifest.

    Returns
    -------
    ndarray of shape (n_images, n_features), float32

    Raises
    ------
    EmbeddingsError
        If the file cannot be read, or does not fit the manifest. The message lists all
        images that are missing, that the file has twice or that share one row, all
        rows that are not finite, and features that tell the label.

    Notes
    -----
    A name in the file is that of the image in the manifest, with or without its first
    folders and its ending: ``slide1/a.png``, ``a.png`` and ``a`` all are
    ``/data/slide1/a.png``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import pandas as pd
    >>> from glomclf import read_embeddings
    >>> manifest = pd.DataFrame({"path": ["a.png", "b.png"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "features.npz")
    ...     features = np.array([[3.0, 4.0], [1.0, 2.0]])
    ...     np.savez(file, features=features, names=["b", "a"])
    ...     read_embeddings(file, manifest)
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    source = user_path(file)
    faults = Faults(source, EmbeddingsError)
    manifest = manifest.reset_index(drop=True)
    read = _read_slides if source.is_dir() else _read_file
    values = read(source, manifest, faults)
    _refuse_values(values, manifest, faults)
    faults.raise_if_any()
    return values


def _read_slides(
    folder: Path, manifest: pd.DataFrame, faults: Faults
) -> NDArray[np.float32]:
    """Read one file a slide."""
    if "slide" not in manifest:
        raise EmbeddingsError(f"{folder} is a folder, and the manifest has no 'slide'.")
    slides = manifest["slide"].unique()
    missing = [str(one) for one in slides if not (folder / f"{one}.h5").is_file()]
    faults.add("slides without a file <slide>.h5", missing)
    faults.raise_if_any()
    groups = dict(list(manifest.groupby("slide", sort=False)))
    parts = [_read_file(folder / f"{one}.h5", groups[one], faults) for one in slides]
    widths = [part.shape[1] for part in parts]
    if len(set(widths)) > 1:
        of = zip(slides, widths, strict=True)
        told = [f"{slide}.h5: {width} features" for slide, width in of]
        faults.add("files of different numbers of features", told)
        faults.raise_if_any()
    order = np.concatenate([groups[one].index for one in slides])
    return np.concatenate(parts)[np.argsort(order)]


def _read_file(
    path: Path, manifest: pd.DataFrame, faults: Faults
) -> NDArray[np.float32]:
    """Return the rows of one file in the manifest's order; 0 where there is none."""
    found = read_rows(path, {*COLUMNS, *manifest.columns})
    if found.are_places:
        keys, wanted = found.keys, _places_of(manifest, path)
    else:
        keys, wanted = _keys_of_names(found.keys, manifest["path"])
    images = pd.Index(manifest["path"].map(str), dtype=object)
    rows = _rows_of(keys, pd.Series(wanted, images, dtype=object), faults)
    values = np.zeros((len(rows), found.values.shape[1]), dtype=np.float32)
    values[rows >= 0] = found.values[rows[rows >= 0]]
    return values


def _rows_of(keys: list[str], wanted: pd.Series, faults: Faults) -> NDArray[np.integer]:
    """Find the row of each image, -1 where it has none, and note what does not fit."""
    places = pd.Series(range(len(keys)), pd.Index(keys, dtype=object))
    n_rows = wanted.map(places.groupby(level=0).size()).fillna(0).astype(int)
    missing = list(n_rows.index[n_rows == 0])
    if len(missing) == len(wanted) > 1:
        told = "', '".join(dict.fromkeys(keys[:3]))
        missing = [f"all {len(wanted)}; the rows of the file are called '{told}', ..."]
    told = "images without an embedding; add them to the file or leave them out"
    faults.add(told, missing)
    twice = [f"{image}: {n} rows" for image, n in n_rows.items() if n > 1]
    faults.add("images that the file has more than once; keep one row each", twice)
    shared = wanted[wanted.duplicated(keep=False) & (n_rows > 0).to_numpy()].items()
    told = "images of which one row could be of several"
    faults.add(told, [f"{image}: {key}" for image, key in shared])
    first = places[~places.index.duplicated()]
    return wanted.map(first).fillna(-1).to_numpy(dtype=np.intp)


def _keys_of_names(
    names: list[str], paths: Iterable[str]
) -> tuple[list[str], list[str]]:
    """Return the names of the rows, and of each image the one that it has there.

    A name of another machine starts with folders that are not here: of such names only
    what tells them apart counts.
    """
    if any(PurePath(name).is_absolute() for name in names):
        names = short_names(names)
    known = set(names)
    wanted = [
        next((tail for tail in _tails(str(path)) if tail in known), str(path))
        for path in paths
    ]
    return names, wanted


def _tails(path: str) -> Iterable[str]:
    """Yield a path with ever fewer of its first folders, and without its ending."""
    parts = PurePath(path).parts
    for start in range(len(parts)):
        tail = PurePath(*parts[start:])
        yield tail.as_posix()
        if tail.suffix:
            yield tail.with_suffix("").as_posix()


def _places_of(manifest: pd.DataFrame, path: Path) -> list[str]:
    """Return the places of images as a file without names calls its rows."""
    slides = manifest["slide"].nunique() if "slide" in manifest else 1
    if not {"x", "y"} <= set(manifest.columns) or slides > 1:
        raise EmbeddingsError(
            f"{path} knows its rows by 'coords', which are of one slide. The manifest "
            f"needs columns 'x' and 'y', and it has {counted(slides, 'slide')}. Give a "
            "folder with one file <slide>.h5 a slide, or add the names of the images."
        )
    places = manifest[["x", "y"]].apply(pd.to_numeric, errors="coerce")
    return place_keys(places.to_numpy())


def _refuse_values(
    values: NDArray[np.float32], manifest: pd.DataFrame, faults: Faults
) -> None:
    """Note rows that are not finite, and features that are the label itself."""
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    told = [
        f"{manifest['path'][i]}: {(~np.isfinite(values[i])).sum()} of "
        f"{values.shape[1]} features"
        for i in bad
    ]
    faults.add("embeddings that are not finite numbers", told)
    if "label" not in manifest or len(manifest) < _BY_CHANCE:
        return
    label = manifest["label"].to_numpy(dtype=np.float32)[:, np.newaxis]
    is_label = (values == label).all(axis=0) | (values == 1 - label).all(axis=0)
    same = [f"feature {place}, counted from 0" for place in np.flatnonzero(is_label)]
    faults.add("features that are the label itself; leave them out", same)
