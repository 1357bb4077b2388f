"""A folder of new biopsies: images at any depth, and whose they are."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

import pandas as pd

from .._runtime import as_text
from .image_folders import (
    CLASS_FOLDERS,
    LEAVING,
    folder_of,
    images_in,
    path_column,
    refuse_paths,
)
from .participants import infer_participants
from .user_files import Faults


def biopsy_folder_manifest(
    folder: str | os.PathLike[str], *, class_folders: Collection[str] = CLASS_FOLDERS
) -> pd.DataFrame:
    """List the images of a folder and its sub-folders; a sub-folder is a biopsy.

    Parameters
    ----------
    folder : str or path-like
        Hidden files and folders are passed over.
    class_folders : collection of str
        Names of folders that do not count.

    Returns
    -------
    manifest : DataFrame of shape (n_images, 2)
        ``path``, sorted, and ``participant``: the folder that an image lies in,
        relative to `folder`. Images that lie directly in
        `folder` belong to the participants that their names tell, where every name
        does (:func:`infer_participants`), else to one biopsy with the name of
        `folder`.

    Raises
    ------
    ManifestError
        If the folder is missing, holds no image, or a symbolic link leads out of it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from glomclf.data import biopsy_folder_manifest
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("left/a.png", "right/a.png", "right/b.png"):
    ...         Path(folder, name).parent.mkdir(exist_ok=True)
    ...         Path(folder, name).touch()
    ...     biopsy_folder_manifest(folder)["participant"].tolist()
    ['left', 'right', 'right']
    """
    root = folder_of(folder)
    faults = Faults(root)
    paths = sorted(_images_below(root, faults))
    refuse_paths(root, paths, faults)
    biopsies = _biopsies(root, paths, class_folders)
    return pd.DataFrame({"path": path_column(paths), "participant": biopsies})


def _images_below(root: Path, faults: Faults) -> Iterator[Path]:
    """Walk through the folders; links to other folders are faults, not followed."""
    for place, folders, _ in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [
            Path(place, name) for name in folders if Path(place, name).is_symlink()
        ]
        faults.add(LEAVING, [repr(str(link.relative_to(root))) for link in links])
        yield from images_in(Path(place))


def _biopsies(
    root: Path, paths: list[Path], class_folders: Collection[str]
) -> list[str]:
    """Name the biopsy of each image."""
    places = [
        "/".join(
            as_text(part)
            for part in path.parent.relative_to(root).parts
            if part not in class_folders
        )
        for path in paths
    ]
    loose = [path.name for path, place in zip(paths, places, strict=True) if not place]
    told = infer_participants(loose)
    names = iter(told if all(told) else [as_text(root.resolve().name)] * len(loose))
    return [place or str(next(names)) for place in places]
