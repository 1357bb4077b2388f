"""A folder of new biopsies: images at any depth, and whose they are."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

import pandas as pd

from .._runtime import as_text, user_path
from ..errors import ManifestError
from .image_folders import (
    CLASS_FOLDERS,
    LEAVING,
    Faults,
    images_in,
    is_inside,
    path_column,
    refuse_controls,
)
from .images import IMAGE_SUFFIXES
from .participants import infer_participants

__all__ = ["biopsy_folder_manifest"]


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
    root = user_path(folder)
    if not root.is_dir():
        raise ManifestError(f"{root} is not a folder; a folder of images was expected.")
    faults = Faults(root)
    paths = sorted(_images_below(root, faults))
    if not paths and not faults.items:
        endings = ", ".join(IMAGE_SUFFIXES)
        faults.add(f"no images: no file ends in {endings}", [str(root)])
    leaving = [path for path in paths if not is_inside(path, root)]
    faults.add(LEAVING, [repr(str(path.relative_to(root))) for path in leaving])
    refuse_controls([str(path.relative_to(root)) for path in paths], faults)
    faults.raise_if_any()
    return pd.DataFrame(
        {
            "path": path_column(paths),
            "participant": _biopsies(root, paths, class_folders),
        }
    )


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
