"""``glomclf extract``: patches from slides and the polygons that are drawn on them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options
from .console import InputError, print_table
from .outputs import check_outputs, list_files, remember

if TYPE_CHECKING:
    import pandas as pd

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
    def command(**given: Any) -> Any:
        cut = {name: given.pop(name) for name in ("mpp", "scale", "margin", "outside")}
        cut["classes"] = dict(given.pop("classes"))
        return function(cut=cut, **given)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@click.argument("slide", type=options.PATH)
@click.argument("annotations", type=options.PATH, required=False)
@options.output("folder", "Folder for the patches and patches.csv.", default="patches")
@cut_options
@click.option("--participant", metavar="NAME", help="Whose slide it is.")
@click.option("--centre", metavar="NAME", help="Where the slide was made.")
@options.images
@options.overwrite
@options.quiet
def command(
    slide: Path,
    annotations: Path | None,
    folder: Path,
    cut: dict[str, Any],
    images: Path | None,
    overwrite: bool,
    quiet: bool,
    **own: str | None,
) -> None:
    """Cut the polygons in ANNOTATIONS out of SLIDE.

    ANNOTATIONS is GeoJSON of QuPath, JSON of Digital Slide Archive or XML of Aperio
    ImageScope. For many slides, give a csv or an Excel file as SLIDE, with the columns
    slide and annotations and, where they are known, participant, centre and mpp. An
    interrupted run is continued by the same command.

    Example: glomclf extract biopsy.svs biopsy.geojson --output patches/
    """
    from ..data.annotations import DEFAULT_LABELS
    from ..data.extraction import PATCHES_CSV, extract_patches

    labels = {**DEFAULT_LABELS, **cut.pop("classes")}
    told = {"mpp": cut.pop("mpp"), **own}
    given = {name: value for name, value in told.items() if value is not None}
    pairs = _pairs(slide, annotations, images, given)
    inputs = [slide, *map(Path, pairs["slide"]), *map(Path, pairs["annotations"])]
    check_outputs([folder / PATCHES_CSV], inputs, overwrite=overwrite)
    manifest = extract_patches(pairs, folder, labels, **cut, verbose=int(not quiet))
    remember(folder / PATCHES_CSV)
    _print(manifest)
    list_files()


def _pairs(
    slide: Path, annotations: Path | None, images: Path | None, given: dict[str, Any]
) -> pd.DataFrame:
    """Return a row for each slide and its polygons."""
    import pandas as pd

    from ..data.slide_pairs import read_pairs
    from ..data.table_files import TABLE_SUFFIXES

    if slide.suffix.lower() in TABLE_SUFFIXES and annotations is None:
        if single := [name for name in ("participant", "centre") if name in given]:
            raise InputError(
                f"--{single[0]} belongs to one slide. In a table, make it a column."
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
    classes = (0, 1) if "label" in manifest else ()
    rows = []
    for name, own in manifest.groupby("slide", sort=False):
        rows.append([name, len(own), *((own["label"] == one).sum() for one in classes)])
    columns = ("slide", "patches", *(f"class {one}" for one in classes))
    print_table("Patches", columns, rows)
