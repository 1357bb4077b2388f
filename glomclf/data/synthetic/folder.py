"""Patches as a folder: two folders of images and a csv, complete or not there."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from PIL import Image

from ...errors import ManifestError
from ..image_folders import CLASS_FOLDERS
from .cohort import Patch
from .drawing import draw_patch


def write_folder(
    patches: Sequence[Patch], sizes: tuple[int, int], directory: Path
) -> pd.DataFrame:
    """Write the patches and their csv; leave nothing where that fails."""
    _check_free(directory)
    target = directory.resolve()  # renaming would replace a link, not its folder
    # An empty folder that is there, perhaps a mounted one, is filled.
    beside = target if target.exists() else target.parent
    partial = beside / f".{target.name}.{uuid.uuid4().hex}.partial"
    try:
        _write(patches, sizes, partial)
        if beside == target:
            _move_up(partial)
        else:
            partial.rename(target)
    except BaseException:
        made = [target / name for name in CLASS_FOLDERS] if beside == target else []
        for folder in (partial, *made):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return pd.DataFrame(
        {
            "path": [str(directory / patch.relative_path) for patch in patches],
            "label": [patch.label for patch in patches],
            "slide": [patch.slide.name for patch in patches],
            "participant": [patch.slide.participant for patch in patches],
        }
    )


def _move_up(folder: Path) -> None:
    """Move what is in a folder beside it; the csv comes last, when all is there."""
    for path in sorted(folder.iterdir(), key=lambda path: path.suffix):
        path.rename(folder.parent / path.name)
    folder.rmdir()


def _check_free(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise ManifestError(
            f"make_glomeruli writes a folder, but {str(directory)!r} is a file: pass "
            "another directory."
        )
    if directory.is_dir() and any(directory.iterdir()):
        raise ManifestError(
            f"make_glomeruli overwrites nothing, but {str(directory)!r} is not empty: "
            "pass a directory that is empty or does not exist."
        )


def _write(patches: Sequence[Patch], sizes: tuple[int, int], folder: Path) -> None:
    for name in CLASS_FOLDERS:
        (folder / name).mkdir(parents=True)
    for patch in patches:
        image = Image.fromarray(draw_patch(patch, sizes))
        image.putalpha(255)
        image.save(folder / patch.relative_path, compress_level=1)
    rows = [
        (patch.file_name, patch.label, patch.slide.name, patch.slide.participant)
        for patch in patches
    ]
    columns = ["name", "ground truth", "slide", "participant"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "public.csv", index=False)
