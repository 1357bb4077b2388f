"""``glomclf bench``: what this machine does, and how long a study takes on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import check_output, list_files, note, output, print_table
from .options import images_option, quiet_option, seed_option, weights_option

if TYPE_CHECKING:
    import pandas as pd

    from ..benchmarks import Figure, Setting, Study

__all__ = ["command"]

# Those of glomclf.benchmarks, which is too heavy to import here; a test compares them.
_SECTIONS = (
    "startup",
    "loading",
    "engines",
    "training",
    "memory",
    "cv",
    "layers",
    "scores",
)
_POSITIVE = click.IntRange(min=1)


@click.command()
@click.argument("csv", type=click.Path(path_type=Path), required=False)
@click.option(
    "--only",
    type=click.Choice(_SECTIONS),
    multiple=True,
    show_default="all",
    help="Measure this alone; may be given several times.",
)
@images_option
@click.option(
    "--study-images",
    type=_POSITIVE,
    default=5758,
    help="Images of the study whose time is estimated.",
)
@click.option("--folds", type=click.IntRange(min=2), default=5, help="Its folds.")
@click.option("--epochs", type=_POSITIVE, default=10, help="Its epochs.")
@click.option("--trials", type=_POSITIVE, default=1, help="Its trials of tuning.")
@click.option("--repeats", type=_POSITIVE, default=3, help="Times each is measured.")
@click.option(
    "--patches",
    type=click.IntRange(min=40),
    default=160,
    help="Synthetic patches to measure on, where no CSV is given.",
)
@click.option(
    "--memory-images",
    type=click.IntRange(min=1),
    nargs=2,
    default=(200, 800),
    help="Numbers of images at which memory is measured.",
)
@click.option(
    "--image-size",
    type=click.IntRange(min=32),
    default=224,
    help="Side of the images in pixels, after resizing.",
)
@weights_option
@click.option(
    "--json",
    "file",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="File to write all figures to.",
)
@seed_option
@quiet_option
def command(
    csv: Path | None,
    images: Path | None,
    study_images: int,
    only: tuple[str, ...],
    repeats: int,
    patches: int,
    memory_images: tuple[int, int],
    image_size: int,
    weights: str | None,
    file: Path | None,
    seed: int,
    quiet: bool,
    **study: int,
) -> None:
    """Measure this machine, and estimate how long a study takes on it.

    Without CSV, synthetic patches are drawn; with it, changes of the ROC AUC are those
    on real patches. All that is compared is measured in turn, so that ratios hold even
    while the machine has other work.

    Example: glomclf bench --only engines --json engines.json
    """
    import tempfile

    from ..benchmarks import Setting, Study, measure
    from .preparation import participant_folds

    _check(csv, images, file, memory_images)
    planned = Study(images=study_images, **study)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="glomclf-bench-") as folder:
        manifest = _manifest(csv, images, Path(folder), patches, seed)
        setting = Setting(
            manifest,
            Path(folder),
            weights,
            image_size,
            repeats=repeats,
            folds=planned.folds,
            epochs=planned.epochs,
            memory_images=memory_images,
        )
        participant_folds(manifest, planned.folds, seed)  # or there are too few
        with _kept_if_interrupted(file, setting, figures, planned):
            for found in measure(setting, only or _SECTIONS):
                figures.append(found)
                if not quiet:
                    note(f"{found.section}: {found.name} {_number(found.value)}")
    _print(figures)
    estimate = _print_estimate(planned, figures)
    if file is not None:
        _write(file, setting, figures, planned, estimate)
        list_files()


def _check(
    csv: Path | None,
    images: Path | None,
    file: Path | None,
    memory_images: tuple[int, int],
) -> None:
    from .faults import InputError

    if csv is None and images is not None:
        raise InputError("--images belongs to a CSV, and none was given.")
    if file is not None:
        check_output(file, inputs=[] if csv is None else [csv])
    if memory_images[0] == memory_images[1]:
        raise InputError("--memory-images needs two numbers that differ.")


@contextmanager
def _kept_if_interrupted(
    file: Path | None, setting: Setting, figures: Sequence[Figure], planned: Study
) -> Iterator[None]:
    """If the user ends the block, write what was measured."""
    try:
        yield
    except KeyboardInterrupt:
        if file is not None:
            _write(file, setting, figures, planned, None)
        raise


def _manifest(
    csv: Path | None, images: Path | None, folder: Path, n_patches: int, seed: int
) -> pd.DataFrame:
    from .preparation import labelled_manifest

    if csv is None:
        from ..data.synthetic import make_glomeruli

        csv = folder / "public.csv"
        make_glomeruli(
            n_patches,
            n_participants=n_patches // 8,
            sclerotic_fraction=0.3,
            image_size=224,
            directory=folder,
            random_state=seed,
        )
    return labelled_manifest(csv, images)


def _print(figures: Sequence[Figure]) -> None:
    for section in dict.fromkeys(found.section for found in figures):
        rows = [
            (
                found.name,
                _number(found.value),
                f"{_number(found.low)} to {_number(found.high)}",
                found.unit,
            )
            for found in figures
            if found.section == section
        ]
        print_table(section, ["what", "median", "range", "unit"], rows)


def _number(value: float) -> str:
    """Write three digits, and no power of ten where a reader need not see one."""
    if 0 < abs(value) < 1e-4:
        return f"{value:.1e}"
    return f"{value:.4f}" if abs(value) < 0.1 else f"{value:.3g}"


def _print_estimate(study: Study, figures: Sequence[Figure]) -> dict[str, float] | None:
    from ..benchmarks import estimate_study

    estimate = estimate_study(study, figures)
    if estimate is None:
        note("No estimate: it needs the sections loading, engines and training.")
        return None
    title = (
        f"A study of {study.images} images, {study.folds} folds, {study.epochs} epochs "
        f"and {study.trials} trials, the head alone trained"
    )
    rows = [(name, _duration(taken)) for name, taken in estimate.items()]
    print_table(title, ["part", "time"], rows)
    return estimate


def _duration(taken: float) -> str:
    for unit, length in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if taken >= 1.5 * length:
            return f"{taken / length:.1f} {unit}"
    return f"{taken:.0f} s"


def _write(
    file: Path,
    setting: Setting,
    figures: Sequence[Figure],
    study: Study,
    estimate: dict[str, float] | None,
) -> None:
    import json
    from dataclasses import asdict

    content: dict[str, Any] = {
        "machine": _machine(),
        "patches": len(setting.manifest),
        "figures": [_without_nan(asdict(found)) for found in figures],
        "study": asdict(study),
        "estimate_s": estimate,
    }
    with output(file) as temporary:
        text = json.dumps(content, indent=1, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def _without_nan(values: dict[str, Any]) -> dict[str, Any]:
    return {name: None if v != v else v for name, v in values.items()}


def _machine() -> dict[str, Any]:
    """Name what the figures depend on, and nothing that names the user."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    import joblib

    from ..network.processor import processor_name

    def found(package: str) -> str | None:
        try:
            return version(package)
        except PackageNotFoundError:
            return None

    packages = ("glomclf", "tensorflow", "keras", "openvino", "nncf", "pillow")
    return {
        "processor": processor_name(),
        "cores": joblib.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: found(name) for name in packages},
    }
