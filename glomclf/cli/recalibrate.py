"""``glomclf recalibrate``: a model made right for a new site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import (
    InputError,
    check_inputs,
    check_output,
    list_files,
    note,
    output,
    print_table,
    say,
)
from .inputs import check_model, labelled_manifest, load_model, rows_of
from .options import (
    PATH,
    csv_argument,
    embeddings_option,
    images_option,
    overwrite_option,
    quiet_option,
    reading_options,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["command"]

_GAIN = {"f1": ("F1", 3), "error": ("error", 1)}  # titles, digits
_WHEN = ("before", "after")
_LEAST_FOR_GAIN = 3  # participants


@click.command()
@click.argument("model", type=PATH)
@csv_argument
@click.option(
    "--output",
    "-o",
    "target",
    type=PATH,
    required=True,
    metavar="FILE",
    help="Model to write.",
)
@images_option
@reading_options
@embeddings_option
@click.option(
    "--method",
    type=click.Choice(["auto", "intercept", "temperature", "logistic", "isotonic"]),
    default="auto",
    help="What is learned of the map from the model's probability to that of the site. "
    "auto: as much as so many participants can teach.",
)
@overwrite_option
@quiet_option
def command(
    model: Path,
    csv: Path,
    target: Path,
    images: Path | None,
    reading: dict[str, Any],
    embeddings: Path | None,
    method: Any,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Make the probabilities of MODEL right for a site, by labelled patches in CSV.

    CSV has the columns `name`, `ground truth` and `participant`, of a few participants
    of the site whom MODEL was not trained on. The model that is written is for that
    site. The threshold stays the number that it is.

    With three participants or more, a table says what as many as these are worth: some
    are drawn, and the others judged.

    Example: glomclf recalibrate mine.glomclf site.csv --output here.glomclf
    """
    from ..model.binary import recalibrate_by, scores_as_trained

    inputs = [path for path in (model, csv, embeddings) if path]
    check_output(target, inputs, overwrite=overwrite)
    check_inputs(inputs)
    check_model(model, embeddings)
    manifest = labelled_manifest(
        csv, images, to_train=False, embeddings=embeddings, **reading
    )
    _refuse_unknown_people(csv, manifest)
    rows = rows_of(manifest, embeddings)
    classifier = load_model(model, None, quiet)
    site = (manifest["label"].to_numpy(), scores_as_trained(classifier, rows))
    people = manifest["participant"].to_numpy()
    recalibrate_by(classifier, *site, people, method)
    with output(target) as temporary:
        classifier.save(temporary)
    _tell(classifier, *site, people, method)
    list_files()


def _tell(
    classifier: Any, y: np.ndarray, scores: np.ndarray, people: np.ndarray, method: Any
) -> None:
    """Say what was learned, and what it is worth on other participants of the site."""
    import numpy as np

    from .._runtime import counted
    from ..model.recalibration_curve import recalibration_gain

    learned, cut = classifier.recalibration_, classifier.threshold_
    say(f"Recalibrated on {learned}.")
    if not 0 < learned.n_positive < learned.n_samples:
        note(
            f"There is one label alone, in {counted(learned.n_samples, 'patch')}. "
            "Participants with both classes tell more."
        )
    if learned.n_participants < _LEAST_FOR_GAIN:
        note(
            "What this is worth cannot be measured on "
            f"{counted(learned.n_participants, 'participant')}; {_LEAST_FOR_GAIN} are "
            "needed."
        )
        return
    gain = recalibration_gain(y, scores, people, method=method, threshold=cut)
    titles = [f"{title} {when}" for title, _ in _GAIN.values() for when in _WHEN]
    rows = []
    for number, row in gain.iterrows():
        cells = [
            "" if np.isnan(row[f"{name}_{when}"]) else f"{row[f'{name}_{when}']:.{n}f}"
            for name, (_, n) in _GAIN.items()
            for when in _WHEN
        ]
        rows.append([str(number), *cells])
    head = f"Worth at threshold {cut:g}, by participants recalibrated on"
    note("Means over draws. Error: of a participant's percentage, in points.")
    print_table(head, ["participants", *titles], rows)


def _refuse_unknown_people(csv: Path, manifest: pd.DataFrame) -> None:
    from ..data.participants import participant_kind

    kind = participant_kind(manifest)
    if kind == "image":
        raise InputError(
            f"{csv} does not say whose the patches are, and the number of participants "
            "decides what can be learned. Add a column 'participant'."
        )
    if kind != "participant":
        note(f"{csv} names no participants: a slide counts as one.")
