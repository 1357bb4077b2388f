"""``glomclf recalibrate``: a model made right for a new site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .._runtime import counted
from . import options
from .console import InputError, note, print_table, say
from .inputs import PatchTable, check_model, load_model
from .outputs import check_inputs, check_outputs, list_files, remember

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

# What is printed, and how.
_GAIN = {"F1 before": ".3f", "F1 after": ".3f"}
_GAIN |= {"error before": ".1f", "error after": ".1f"}
_LEAST_FOR_GAIN = 3  # participants


@click.command()
@click.argument("model", type=options.PATH)
@options.patches("images", "embeddings")
@options.output("target", "Model to write.", "FILE", required=True)
@click.option(
    "--method",
    type=click.Choice(["auto", "intercept", "temperature", "logistic", "isotonic"]),
    default="auto",
    help="What is learned of the map from the model's probability to that of the site. "
    "auto: as much as so many participants can teach.",
)
@options.overwrite
@options.quiet
def command(
    model: Path,
    patches: PatchTable,
    target: Path,
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

    inputs = [model, *patches.files]
    check_outputs([target], inputs, overwrite=overwrite)
    check_inputs(inputs)
    check_model(model, patches)
    manifest = patches.labelled(to_train=False)
    _refuse_unknown_people(patches.csv, manifest)
    rows = patches.rows_of(manifest)
    classifier = load_model(model, None, quiet)
    site = (manifest["label"].to_numpy(), scores_as_trained(classifier, rows))
    people = manifest["participant"].to_numpy()
    recalibrate_by(classifier, *site, people, method)
    classifier.save(target)
    remember(target)
    _tell(classifier, *site, people, method)
    list_files()


def _tell(
    classifier: Any, y: np.ndarray, scores: np.ndarray, people: np.ndarray, method: Any
) -> None:
    """Say what was learned, and what it is worth on other participants of the site."""
    from ..model.recalibration import recalibration_gain
    from .tables import number

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
    gain.columns = gain.columns.str.replace("_", " ").str.replace("f1", "F1")
    rows = [
        [n_participants, *(number(row[name], form, "") for name, form in _GAIN.items())]
        for n_participants, row in gain.iterrows()
    ]
    head = f"Worth at threshold {cut:g}, by participants recalibrated on"
    note("Means over draws. Error: of a participant's percentage, in points.")
    print_table(head, ["participants", *_GAIN], rows)


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
