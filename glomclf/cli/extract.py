"""``glomclf extract``: patches from slides and the polygons that are drawn on them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import (
    InputError,
    check_output,
    list_files,
    print_table,
    written_files,
)
from .options import PATH, folder_option, images_option, overwrite_option, quiet_option

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["command", "cut_options"]

_LABELS = {"1": 1, "0": 0, "none": None, "skip": "skip"}


def label(text: str) -> tuple[str, Any]:
    """Take the name of a class and its label.

    Examples
    --------
    >>> from glomclf.cli.extract import label
    >>> label("GS=1"), label("tubule=skip")
    (('GS', 1), ('tubule', 'skip'))
    """
    name, _, value = text.rpartition("=")
    if not name.strip() or value.strip().lower() not in _LABELS:
        raise click.BadParameter(
            f"{text!r} is not of the form NAME=1, NAME=0, NAME=none or NAME=skip."
        )
    return name.strip(), _LABELS[value.strip().lower()]


_ABOVE_ZERO = click.FloatRange(0, min_open=True)
_OPTIONS = (
    click.option(
        "--label",
        "classes",
        type=label,
        metavar="NAME=1|0|none|skip",
        multiple=True,
        show_default=False,
        help="What a class, group or layer is: globally sclerotic (1), not (0), "
        "glomeruli without a label (none), or to be left out (skip). May be given more "
        "than once. globally_sclerotic_glomeruli is 1 and "
        "non_globally_sclerotic_glomeruli is 0; 'unclassified' means polygons without "
        "a class.",
    ),
    click.option(
        "--mpp",
        type=_ABOVE_ZERO,
        metavar="NUMBER",
        show_default="what the slide says",
        help="Micrometres per pixel of the slide.",
    ),
    click.option(
        "--scale",
        type=_ABOVE_ZERO,
        default=0.5,
        metavar="NUMBER",
        help="Micrometres per pixel of the patches.",
    ),
    click.option(
        "--margin",
        type=click.FloatRange(0),
        default=15.0,
        metavar="NUMBER",
        help="Micrometres around each polygon.",
    ),
    click.option(
        "--outside",
        type=click.Choice(["keep", "white"]),
        default="keep",
        help="What becomes of pixels outside of the polygon.",
    ),
)


def cut_options(function: Any) -> Any:
    """Give a command the options by which polygons are cut out.

    It gets them as one argument `cut`, a dict.
    """

    @functools.wraps(function)
    def command(
        classes: Any, mpp: Any, scale: Any, margin: Any, outside: Any, **more: Any
    ) -> Any:
        how = {"scale": scale, "margin": margin, "outside": outside}
        return function(cut={"classes": dict(classes), "mpp": mpp, **how}, **more)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@click.argument("slide", type=PATH)
@click.argument("annotations", type=PATH, required=False)
@folder_option("patches", "Folder for the patches and patches.csv.")
@cut_options
@click.option("--participant", metavar="NAME", help="Whose slide it is.")
@click.option("--centre", metavar="NAME", help="Where the slide was made.")
@images_option
@overwrite_option
@quiet_option
def command(
    slide: Path,
    annotations: Path | None,
    folder: Path,
    cut: dict[str, Any],
    participant: str | None,
    centre: str | None,
    images: Path | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Cut the polygons in ANNOTATIONS out of SLIDE.

    ANNOTATIONS is GeoJSON of QuPath, JSON of Digital Slide Archive or XML of Aperio
    ImageScope. For many slides, give a csv as SLIDE, with the columns slide and
    annotations and, where they are known, participant, centre and mpp. An interrupted
    run is continued by the same command.

    Example: glomclf extract biopsy.svs biopsy.geojson --output patches/
    """
    from ..data.annotations import DEFAULT_LABELS
    from ..data.extraction import PATCHES_CSV, extract_patches

    labels = {**DEFAULT_LABELS, **cut.pop("classes")}
    own = {"participant": participant, "centre": centre, "mpp": cut.pop("mpp")}
    given = {name: value for name, value in own.items() if value is not None}
    pairs = _pairs(slide, annotations, images, given)
    inputs = [slide, *map(Path, pairs["slide"]), *map(Path, pairs["annotations"])]
    check_output(folder / PATCHES_CSV, inputs, overwrite=overwrite)
    manifest = extract_patches(pairs, folder, labels, **cut, verbose=int(not quiet))
    written_files().append(folder / PATCHES_CSV)
    _print(manifest)
    list_files()


def _pairs(
    slide: Path,
    annotations: Path | None,
    images: Path | None,
    given: dict[str, Any],
) -> pd.DataFrame:
    """Return a row for each slide and its polygons."""
    import pandas as pd

    from ..data.slide_pairs import read_pairs

    if slide.suffix.lower() == ".csv" and annotations is None:
        for name in ("participant", "centre"):
            if name in given:
                raise InputError(
                    f"--{name} belongs to one slide. In a csv, make it a column."
                )
        return read_pairs(slide, images).assign(**given)
    if annotations is None:
        raise InputError(
            f"What is to be cut out of {slide}? Give the file of polygons after it: "
            f"glomclf extract {slide} ANNOTATIONS"
        )
    if images is not None:
        raise InputError("--images belongs to a csv of slides. Leave it out.")
    return pd.DataFrame([{"slide": slide, "annotations": annotations, **given}])


def _print(manifest: pd.DataFrame) -> None:
    """Show how many patches each slide gave."""
    columns = ("slide", "class 0", "class 1") if "label" in manifest else ("slide",)
    lines = []
    for name, rows in manifest.groupby("slide", sort=False):
        labels = rows["label"].to_list() if "label" in rows else []
        counts = [str(labels.count(one)) for one in (0, 1)[: len(columns) - 1]]
        lines.append((str(name), str(len(rows)), *counts))
    print_table("Patches", (columns[0], "patches", *columns[1:]), lines)
