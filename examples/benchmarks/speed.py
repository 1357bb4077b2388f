"""The tables of the page on speed: what is compared is measured in turn.

::

    python examples/benchmarks/speed.py startup
    python examples/benchmarks/speed.py cv public.csv --output docs/benchmarks

Ratios hold even while the machine has other work. Without a csv, synthetic patches are
drawn; with one, changes of the ROC AUC are those on your own patches.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import joblib
import pandas as pd
from speed_parts.cross_validation import (
    measure_cross_validation,
    measure_layers,
    measure_scores,
)
from speed_parts.engines import measure_engines
from speed_parts.figures import Figure, Setting
from speed_parts.processes import measure_memory, measure_startup
from speed_parts.throughput import measure_throughput
from speed_parts.training import measure_training

from glomclf import make_glomeruli, read_manifest
from glomclf.network.processor import processor_name

SECTIONS = {
    "startup": measure_startup,
    "engines": measure_engines,
    "training": measure_training,
    "memory": measure_memory,
    "cv": measure_cross_validation,
    "layers": measure_layers,
    "scores": measure_scores,
    "throughput": measure_throughput,
}
_NUMBERS = "images at which memory is measured; the last also of throughput"
_HEAD = """.. list-table::
   :header-rows: 1
   :widths: 50 15 25 10

   * - {section}
     - median
     - range
     - unit
"""


def table(section: str, figures: list[Figure]) -> str:
    """Return the figures of a section as a table in reStructuredText."""
    rows = [
        f"   * - {found.name}\n     - {number(found.value)}\n"
        f"     - {number(found.low)} to {number(found.high)}\n"
        f"     - {found.unit or '(none)'}\n"
        for found in figures
    ]
    notes = dict.fromkeys(found.note for found in figures if found.note)
    return "".join([_HEAD.format(section=section), *rows, "\n", ". ".join(notes), "\n"])


def number(value: float) -> str:
    """Write a figure with three digits."""
    if value and abs(value) < 1e-3:
        return f"{value:.1e}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def circumstances(n_patches: int) -> str:
    """Say by which command and on what was measured."""
    words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    packages = ("glomclf", "tensorflow", "keras", "openvino", "pillow")
    found = [f"{name} {v}" for name in packages if (v := version_of(name))]
    return (
        f"Made by ``python examples/benchmarks/speed.py {' '.join(words)}``.\n\n"
        f"Measured on {joblib.cpu_count()} cores ({processor_name()}) with "
        f"{n_patches} patches; Python {platform.python_version()}, {', '.join(found)}."
    )


def version_of(package: str) -> str | None:
    """Return the version of a package, None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def patches(options: argparse.Namespace, folder: Path) -> pd.DataFrame:
    """Read the csv that is given, or draw patches."""
    if options.csv is None:
        make_glomeruli(
            160,
            n_participants=20,
            sclerotic_fraction=0.3,
            image_size=224,
            directory=folder,
            random_state=0,
        )
    return read_manifest(options.csv or folder / "public.csv", options.images)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("section", choices=SECTIONS)
    add("csv", type=Path, nargs="?", help="patches; default: synthetic ones")
    add("--images", type=Path, help="folder of the images, if not beside the csv")
    add("--weights", help="of the network: imagenet or a file; default: random")
    add("--image-size", type=int, default=224)
    add("--repeats", type=int, default=3, help="times each thing is measured")
    add("--folds", type=int, default=5)
    add("--epochs", type=int, default=10)
    add("--memory-images", type=int, nargs=2, default=(200, 800), help=_NUMBERS)
    add("--output", type=Path, help="folder for speed_SECTION.inc; default: print")
    return parser


def main() -> None:
    """Measure a section and write its table."""
    options = parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="glomclf-speed-") as folder:
        setting = Setting(
            patches(options, Path(folder)),
            Path(folder),
            options.weights,
            options.image_size,
            options.repeats,
            options.folds,
            options.epochs,
            tuple(options.memory_images),
        )
        figures = list(SECTIONS[options.section](setting))
    text = (
        f"{table(options.section, figures)}\n{circumstances(len(setting.manifest))}\n"
    )
    if options.output is None:
        print(text)
    else:
        (options.output / f"speed_{options.section}.inc").write_text(text)


if __name__ == "__main__":
    main()
