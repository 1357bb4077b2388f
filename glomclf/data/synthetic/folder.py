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
from ..manifest import read_manifest
from .cohort import Patch
from .drawing import draw_patch

_CSV = "public.csv"


def write_folder(
    patches: Sequence[Patch], sizes: tuple[int, int], directory: Path
) -> pd.DataFrame:
    """Write the patches and their csv; leave nothing where that fails."""
    _check_free(directory)
    target = directory.resolve()  # renaming would replace a link, not its folder
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.partial")
    try:
        _write(patches, sizes, partial)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return read_manifest(directory / _CSV)


def _check_free(directory: Path) -> None:
    if directory.is_dir() and not any(directory.iterdir()):
        return
    if directory.exists():
        kind = "not empty" if directory.is_dir() else "a file"
        raise ManifestError(
            f"make_glomeruli overwrites nothing, but {str(directory)!r} is {kind}: "
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
    pd.DataFrame(rows, columns=columns).to_csv(folder / _CSV, index=False)
