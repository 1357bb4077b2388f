"""Files of embeddings: each kind read as rows of numbers, and what names the rows.

Sizes are taken from headers and bounded before anything is decoded. Nothing is
unpickled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import EmbeddingsError
from .hdf5_files import hdf5_fault
from .table_files import column_name
from .tensor_files import read_tensors
from .user_files import needed

MAX_BYTES = 8 * 1024**3
"""Largest size of the numbers of a file: a million rows of 2048 features."""


class EmbeddingRows(NamedTuple):
    """What a file holds: one row an image.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features), float32
    keys : list of str of length n_rows
        Names of the images, or the places where they lie on their slide.
    are_places : bool, default=False
    """

    values: NDArray[np.float32]
    keys: list[str]
    are_places: bool = False


def read_rows(path: Path, known: Collection[str] = ()) -> EmbeddingRows:
    """Read a file of embeddings, whatever its kind.

    Parameters
    ----------
    path : Path
    known : collection of str, default=()
        Columns that are no features where a table has them.

    Returns
    -------
    EmbeddingRows

    Raises
    ------
    EmbeddingsError
        If the file is missing, damaged, too large, of another kind, or does not say
        which row is which image.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise EmbeddingsError(f"{path} is not a file. Expected a file of embeddings.")
    if suffix not in _READERS:
        raise EmbeddingsError(
            f"{path} ends in {suffix!r}. Embeddings are read from "
            f"{', '.join(EMBEDDING_SUFFIXES)}."
        )
    try:
        content = _READERS[suffix](path)
        if isinstance(content, pd.DataFrame):
            return _rows_of_table(content, known)
        return _rows_of_arrays(content)
    except EmbeddingsError as error:
        raise EmbeddingsError(f"{path}: {error}") from error.__cause__
    except Exception as error:  # whatever a damaged file makes of a reader
        raise EmbeddingsError(
            f"{path} cannot be read as {suffix} ({type(error).__name__}: {error}). It "
            "is damaged, a file of another kind, or holds Python objects in place of "
            "numbers and text."
        ) from error


# -- what each kind of file holds -----------------------------------------------------


def _read_hdf5(path: Path) -> dict[str, Any]:
    import h5py

    if fault := hdf5_fault(path):
        raise EmbeddingsError(f"{fault}. Write the embeddings into the file.")
    found: dict[str, Any] = {}
    with h5py.File(path, "r") as file:
        file.visititems(found.__setitem__)
        sets = {k: one for k, one in found.items() if isinstance(one, h5py.Dataset)}
        _refuse_large(sum(one.nbytes for one in sets.values()))
        return {name: one[()] for name, one in sets.items()}


def _read_npz(path: Path) -> dict[str, Any]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        _refuse_large(sum(member.file_size for member in arrays.zip.infolist()))
        return dict(arrays)


def _read_csv(path: Path) -> pd.DataFrame:
    _refuse_large(path.stat().st_size)
    titles = pd.read_csv(path, encoding="utf-8-sig", nrows=0).columns
    names = {title: str for title in titles if column_name(title) == "name"}
    return pd.read_csv(path, encoding="utf-8-sig", low_memory=False, dtype=names)


def _read_parquet(path: Path) -> pd.DataFrame:
    parquet = needed("pyarrow.parquet", "embeddings", EmbeddingsError)
    file = parquet.ParquetFile(path)
    about = file.metadata
    groups = [about.row_group(i).total_byte_size for i in range(about.num_row_groups)]
    _refuse_large(max(sum(groups), 4 * about.num_rows * about.num_columns))
    table = file.read().to_pandas()
    return table if isinstance(table.index, pd.RangeIndex) else table.reset_index()


_READERS: dict[str, Callable[[Path], Any]] = {
    **dict.fromkeys((".h5", ".hdf5"), _read_hdf5),
    **{".npz": _read_npz, ".parquet": _read_parquet, ".csv": _read_csv},
    **dict.fromkeys((".safetensors", ".pt", ".pth"), read_tensors),
}
EMBEDDING_SUFFIXES = tuple(_READERS)
"""Endings, in lower case, of the files that `read_embeddings` understands."""


def _refuse_large(n_bytes: int) -> None:
    if n_bytes > MAX_BYTES:
        raise EmbeddingsError(
            f"holds {n_bytes / 1e9:.1f} GB; at most {MAX_BYTES / 1e9:.1f} GB are read. "
            "Keep the images of the manifest alone."
        )


# -- which row is which image ---------------------------------------------------------


def _rows_of_arrays(arrays: Mapping[str, Any]) -> EmbeddingRows:
    """Tell features, names and coordinates apart by name, type and shape."""
    shapes = ", ".join(f"{key!r} {array.shape}" for key, array in arrays.items())
    numbers = {k: a for k, a in arrays.items() if a.dtype.kind in "fiu" and a.ndim}
    places = numbers.pop("coords", None)
    two_d = [name for name, array in numbers.items() if array.ndim == 2]
    name = "features" if "features" in numbers else two_d[0] if len(two_d) == 1 else ""
    if not name:  # one vector an image, that is called by it
        lengths = {array.shape for array in numbers.values()}
        if len(lengths) != 1 or len(lengths.pop()) != 1:
            raise EmbeddingsError(
                "holds no embeddings that are known by their image. Its arrays are "
                f"{shapes or 'none'}. Expected 'features' of shape (n_images, "
                "n_features) with the names of the images, or one vector an image, all "
                "of one length, called by its name."
            )
        return EmbeddingRows(np.stack([*numbers.values()]).astype("f4"), list(numbers))
    features = numbers[name]
    if features.ndim != 2 or 0 in features.shape:
        raise EmbeddingsError(
            f"has {name!r} of shape {features.shape}. Expected one row an image: "
            "(n_images, n_features)."
        )
    values = features.astype(np.float32)
    if (names := _only_names(arrays, len(values))) is not None:
        return EmbeddingRows(values, names)
    if places is not None and places.shape == (len(values), 2):
        return EmbeddingRows(values, place_keys(places), are_places=True)
    raise EmbeddingsError(
        f"does not say which row is which image. Its arrays are {shapes}. Add the "
        "names of the images as an array of text, or 'coords' of shape (n_images, 2)."
    )


def place_keys(places: NDArray) -> list[str]:
    """Write coordinates, shape (n, 2), as text that equal ones have alike."""
    return [f"{x:.12g}, {y:.12g}" for x, y in places.astype(np.float64)]


def _only_names(arrays: Mapping[str, Any], n_rows: int) -> list[str] | None:
    """Return the one array of text, or of several the one that is called names."""
    texts = [k for k, a in arrays.items() if a.dtype.kind in "SUO"]
    texts = [name for name in texts if arrays[name].shape == (n_rows,)]
    called = [name for name in texts if name in ("names", "name", "paths", "path")]
    chosen = called if len(called) == 1 else texts
    if len(chosen) > 1:
        raise EmbeddingsError(
            f"has several arrays of text, one entry a row: {', '.join(chosen)}. Call "
            "that with the names of the images 'names'."
        )
    if not chosen:
        return None
    cells = arrays[chosen[0]].tolist()
    return [cell.decode() if isinstance(cell, bytes) else str(cell) for cell in cells]


def _rows_of_table(table: pd.DataFrame, known: Collection[str]) -> EmbeddingRows:
    """Take the column of names, and all that is no column of the manifest."""
    titles = [column_name(str(title)) for title in table.columns]
    if titles.count("name") != 1:
        raise EmbeddingsError(
            f"has {titles.count('name')} columns 'name'; one was expected, with the "
            "name of the image. Its columns are "
            f"{', '.join(map(repr, table.columns[:20]))}."
        )
    names = table.iloc[:, titles.index("name")].astype(str).tolist()
    features = table.loc[:, [title not in ("name", *known) for title in titles]]
    if not features.shape[1]:
        raise EmbeddingsError(
            "has no columns of features: the manifest has all of them. Name images and "
            "labels in one csv, and keep the features in another."
        )
    if features.shape[1] == 1 and features.dtypes.iloc[0].kind == "O":
        lists = [np.asarray(cell, dtype=np.float32) for cell in features.iloc[:, 0]]
        return EmbeddingRows(np.vstack(lists), names)
    text = [str(c) for c in features if not pd.api.types.is_numeric_dtype(features[c])]
    if text:
        raise EmbeddingsError(
            f"has columns that are not numbers: {', '.join(map(repr, text))}. Features "
            "are numbers; leave other columns out, or put them into the manifest."
        )
    return EmbeddingRows(features.to_numpy(dtype=np.float32), names)
