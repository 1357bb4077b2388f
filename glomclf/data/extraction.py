"""Patches from slides: each polygon is cut out, at one scale for all slides."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from sklearn.utils._param_validation import validate_params

from .._runtime import progress, user_path, written_whole
from ..errors import AnnotationError, ParameterError, SlideError
from .annotations.reading import DEFAULT_LABELS, Labels, read_checked
from .annotations.shapes import Annotation, UnusableShape
from .images import MAX_PIXELS
from .manifest import read_manifest
from .patch_cuts import CUT_CONSTRAINTS, PatchCut
from .slides import Box, Slide, open_slide
from .table_files import as_cell
from .user_files import Faults, needed

PATCHES_CSV = "patches.csv"
_PLAIN_ID = re.compile(r"[a-z0-9-]{1,64}")
_BAND = 1_000_000  # pixels that are looked up at once: the mask takes 17 bytes for each
_SETTINGS = "glomclf"  # the key in a patch's PNG for what it was cut out by


class _Crop(NamedTuple):
    """One patch to be: where it lies, how large it becomes, and its row of the csv."""

    geometry: Any
    box: Box
    size: tuple[int, int]
    settings: str
    row: dict[str, Any]


@validate_params(
    {
        "pairs": [pd.DataFrame],
        "folder": [str, os.PathLike],
        "labels": [Mapping, None],
        **CUT_CONSTRAINTS,
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def extract_patches(
    pairs: pd.DataFrame,
    folder: str | os.PathLike[str],
    labels: Labels = DEFAULT_LABELS,
    *,
    scale: float = 0.5,
    margin: float = 15.0,
    outside: str = "keep",
    verbose: int = 0,
) -> pd.DataFrame:
    """Cut the polygons of slides out, one patch each.

    A patch is the rectangle around its polygon, with a margin. Where it reaches over
    the border of the slide, it is white. A slide is read patch by patch, from the
    smallest stored size that has the detail: memory does not depend on its size.

    Parameters
    ----------
    pairs : DataFrame of shape (n_pairs, n_columns)
        A row for each slide and a file of its polygons: `slide` and `annotations`
        (paths), and, where they are known, `participant`, `centre`, and `mpp`:
        micrometres per pixel of the slide, in place of what the slide says itself.
    folder : str or path-like
        Gets the patches, as PNG, and `patches.csv`. Patches of an interrupted run are
        kept if they were cut out of the same slide in the same way.
    labels : mapping of str to {0, 1, None, "skip"}, or None
        As in :func:`glomclf.read_annotations`.
    scale : float, default=0.5
        Micrometres per pixel of the patches.
    margin : float, default=15.0
        Micrometres around the polygon.
    outside : {"keep", "white"}, default="keep"
        What becomes of pixels whose centre does not lie in the polygon.
    verbose : int, default=0
        1 shows a bar of progress.

    Returns
    -------
    manifest : DataFrame of shape (n_polygons, n_columns)
        As :func:`glomclf.read_manifest` reads `patches.csv`: `path`, `label` (where
        there are labels), `slide` and `participant`, then `centre` (where it is given),
        `annotation_id`, `area_um2`, the area of the polygon in square micrometres, and
        `patch_scale`, `patch_margin` and `patch_outside`, as given here.

    Raises
    ------
    AnnotationError
        If polygons cannot be used, lie outside of the slide or are too large, or if
        only some have a label. All slides are checked before the first patch is
        written, and the message lists all faults.
    ParameterError
        If `pairs` lacks a column.
    SlideError
        If a slide cannot be read or does not say its scale, or the extra ``slides`` is
        not installed.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from PIL import Image
    >>> from glomclf import extract_patches
    >>> outline = [[[20, 20], [40, 20], [40, 30], [20, 20]]]
    >>> feature = {
    ...     "type": "Feature",
    ...     "id": "a1",
    ...     "geometry": {"type": "Polygon", "coordinates": outline},
    ...     "properties": {"classification": "globally_sclerotic_glomeruli"},
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     slide, polygons = Path(folder, "s1.png"), Path(folder, "s1.geojson")
    ...     Image.new("RGB", (100, 80), "pink").save(slide)
    ...     _ = polygons.write_text(json.dumps(feature))
    ...     pair = {"slide": slide, "annotations": polygons, "mpp": 1.0}
    ...     pairs = pd.DataFrame([{**pair, "participant": "P1"}])
    ...     patches = extract_patches(pairs, Path(folder, "patches"), margin=5)
    ...     with Image.open(patches["path"][0]) as patch:
    ...         print(patch.size)
    (60, 40)
    >>> patches[["label", "slide", "participant", "annotation_id", "area_um2"]]
       label slide participant annotation_id  area_um2
    0      1    s1          P1            a1     100.0
    """
    target = user_path(folder)
    _check_pairs(pairs)
    cut = PatchCut(float(scale), float(margin), outside)
    plan = _plan(pairs, labels, cut)
    rows = [crop.row for crops in plan for crop in crops]
    _check_rows(rows)
    target.mkdir(parents=True, exist_ok=True)
    # While patches change, no csv may say that they are complete.
    (target / PATCHES_CSV).unlink(missing_ok=True)
    with progress("cutting out", len(rows), enabled=verbose > 0) as advance:
        for pair, crops in zip(pairs.to_dict("records"), plan, strict=True):
            with open_slide(pair["slide"]) as slide:
                for crop in crops:
                    _write(slide, crop, cut, target)
                    advance()
    table = pd.DataFrame(rows).dropna(axis=1, how="all")
    with written_whole(target / PATCHES_CSV) as temporary:
        table.map(as_cell).to_csv(temporary, index=False)
    # As text, also where all identifiers look like numbers.
    return read_manifest(target / PATCHES_CSV).assign(
        annotation_id=table["annotation_id"].to_list()
    )


def _check_pairs(pairs: pd.DataFrame) -> None:
    needed_columns = ["slide", "annotations"]
    are_there = set(needed_columns) <= set(pairs.columns) and len(pairs) > 0
    if not are_there or pairs[needed_columns].isna().any(axis=None):
        raise ParameterError(
            f"pairs has {len(pairs)} rows and columns {', '.join(map(str, pairs))}; "
            "'slide' and 'annotations', filled in every row, were expected."
        )


def _plan(pairs: pd.DataFrame, labels: Labels, cut: PatchCut) -> list[list[_Crop]]:
    """Say for each pair what is cut out; raise one error for all that cannot be."""
    plan, errors = [], []
    for pair in pairs.to_dict("records"):
        try:
            with open_slide(pair["slide"]) as slide:
                plan.append(_Cutter(pair, slide, cut).crops(labels))
        except (AnnotationError, SlideError) as error:
            errors.append(error)
    if errors:
        kind = AnnotationError if len(errors) > 1 else type(errors[0])
        raise kind("\n".join(dict.fromkeys(map(str, errors)))) from errors[0]
    return plan


class _Cutter:
    """Plans what is cut out of one slide."""

    def __init__(self, pair: Mapping[Any, Any], slide: Slide, cut: PatchCut):
        self.pair, self.slide, self.cut = pair, slide, cut
        self.path = user_path(pair["slide"])
        self.mpp = self._scale()

    def _scale(self) -> tuple[float, float]:
        """Return micrometres per pixel, as given or as the slide says."""
        given = float(self.pair.get("mpp", math.nan))
        mpp = self.slide.mpp if math.isnan(given) else (given, given)
        if mpp is None or not 0 < mpp[0] < math.inf:
            why = "does not say its scale" if mpp is None else f"has mpp={given:g}"
            raise SlideError(
                f"{self.pair['slide']} {why}. Give its micrometres per pixel, a number "
                "above 0: mpp=NUMBER."
            )
        return mpp

    def crops(self, labels: Labels) -> list[_Crop]:
        """Return a crop for each polygon."""
        annotations = user_path(self.pair["annotations"])
        return list(map(self._crop, read_checked(annotations, labels, self._check)))

    def _check(self, polygon: Annotation) -> None:
        """Refuse a polygon that is not on the slide, or is too large for a patch."""
        box, size = self._frame(polygon)
        whole = needed("shapely").box(0, 0, *self.slide.size)
        if not whole.intersects(polygon.geometry):
            width, height = self.slide.size
            kind = f"polygons outside of the {width} x {height} pixels of {self.path}"
            raise UnusableShape(kind, f"around {box.left}, {box.top}")
        if max(math.prod(size), self.slide.n_pixels_read(box, size)) > MAX_PIXELS:
            kind = f"polygons that take more than {MAX_PIXELS:,} pixels to cut out"
            raise UnusableShape(kind, f"{box.width} x {box.height} pixels")

    def _frame(self, polygon: Annotation) -> tuple[Box, tuple[int, int]]:
        """Return the rectangle around a polygon, and its size as a patch."""
        x_low, y_low, x_high, y_high = polygon.geometry.bounds
        x_margin, y_margin = (self.cut.margin / one for one in self.mpp)
        left, top = math.floor(x_low - x_margin), math.floor(y_low - y_margin)
        width = math.ceil(x_high + x_margin) - left
        height = math.ceil(y_high + y_margin) - top
        sides = np.multiply((width, height), self.mpp) / self.cut.scale
        across, down = (max(2, round(side)) for side in sides)  # read_image asks for 2
        return Box(left, top, width, height), (across, down)

    def _crop(self, polygon: Annotation) -> _Crop:
        stat, geometry = self.path.stat(), polygon.geometry
        # Two patches with the same text have the same pixels.
        slide = [self.path.name, stat.st_size, stat.st_mtime_ns]
        settings = json.dumps([1, slide, geometry.wkb_hex, self.mpp, self.cut])
        plain = _PLAIN_ID.fullmatch(polygon.id)
        name = polygon.id if plain else _digest(polygon.id)[:16]
        row = {
            "name": f"{self.path.stem}_{name}.png",
            "label": polygon.label,
            "slide": self.path.stem,
            "participant": self.pair.get("participant"),
            "centre": self.pair.get("centre"),
            "annotation_id": polygon.id,
            "area_um2": round(geometry.area * math.prod(self.mpp), 3),
        }
        frame = self._frame(polygon)
        return _Crop(geometry, *frame, _digest(settings), row | self.cut.columns())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _check_rows(rows: list[dict[str, Any]]) -> None:
    """Refuse patches that would overwrite each other, or that have labels in part."""
    faults = Faults(Path(PATCHES_CSV), AnnotationError)
    times = Counter(row["name"].casefold() for row in rows)
    faults.add(
        "patches of one name: two slides of one name, or two files with one identifier",
        [f"{name}: {n} times" for name, n in times.items() if n > 1],
    )
    bare = [row["name"] for row in rows if row["label"] is None]
    if len(bare) < len(rows):
        faults.add("patches without a label beside labelled ones", bare)
    faults.raise_if_any()


def _write(slide: Slide, crop: _Crop, cut: PatchCut, folder: Path) -> None:
    """Write a patch, unless it is there."""
    path = folder / crop.row["name"]
    if _settings_of(path) == crop.settings:
        return
    pixels = slide.crop(crop.box, crop.size)
    if cut.outside == "white":
        pixels = _whitened(pixels, crop)
    notes = PngImagePlugin.PngInfo()
    notes.add_text(_SETTINGS, crop.settings)
    with written_whole(path) as temporary:
        Image.fromarray(pixels).save(temporary, "PNG", pnginfo=notes)


def _settings_of(path: Path) -> str | None:
    """Return what an existing patch was cut out by."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, PngImagePlugin.PngImageFile(file) as image:
            return image.info.get(_SETTINGS)
    except Exception:  # on a damaged file Pillow raises nearly every error
        return None


def _whitened(pixels: NDArray[np.uint8], crop: _Crop) -> NDArray[np.uint8]:
    """Make the pixels white whose centre does not lie in the polygon."""
    shapely = needed("shapely")
    shapely.prepare(crop.geometry)
    box, (width, height) = crop.box, crop.size
    x = box.left + (np.arange(width) + 0.5) * (box.width / width)
    y = box.top + (np.arange(height) + 0.5) * (box.height / height)
    white = pixels.copy()
    step = max(1, _BAND // width)
    for rows in (slice(top, top + step) for top in range(0, height, step)):
        is_inside = shapely.contains_xy(crop.geometry, x[None, :], y[rows, None])
        white[rows][~is_inside] = 255
    return white
