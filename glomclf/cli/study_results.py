"""What a study leaves behind: tables, pictures, report, and the best model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from .console import (
    drop_unwritten,
    note,
    output,
    print_table,
    typed_command,
    written_files,
)
from .pictures import new_figure, write_report
from .tables import print_scores, write_csv
from .training_files import write_out_of_fold

if TYPE_CHECKING:
    import pandas as pd
    from optuna import Study
    from optuna.trial import FrozenTrial

    from ..evaluation.estimates import Estimates
    from ..evaluation.evaluation import Evaluation
    from ..model.classifier import GlomeruliClassifier
    from ..tuning import GlomeruliSearchCV, NestedResult

__all__ = ["TUNING_FILES", "StudyResults"]

TUNING_FILES = (
    "trials.csv",
    "best.json",
    "model.glomclf",
    "cv_predictions.csv",
    "cv_scores.csv",
    "cv_scores.json",
    "history.png",
    "importances.png",
    "parallel_coordinates.png",
    "pareto_front.png",
    "nested_folds.csv",
    "nested_predictions.csv",
    "nested.json",
    "report.html",
)
_OF_THE_MODEL = ("best.json", "model.glomclf")
_WITHOUT_EFFECT = ("cache_dir", "checkpoint_dir", "engine", "n_jobs", "verbose")


@dataclass
class StudyResults:
    """The results of a search, written to a folder as they come.

    Parameters
    ----------
    search : GlomeruliSearchCV
        Fitted, or stopped while it was.
    folder : Path
    n_samples : int
        Rows that are tuned on.
    resume : sequence of str or None
        Words of the command that goes on with the study.
    evaluation : Evaluation or None
        Of the best settings' predictions of all folds, once they are there.
    nested : NestedResult or None
        What nested cross-validation has found so far.
    """

    search: GlomeruliSearchCV
    folder: Path
    n_samples: int
    resume: Sequence[str] | None
    evaluation: Evaluation | None = None
    nested: NestedResult | None = None

    @property
    def study(self) -> Study:
        """The study, as it was at the end."""
        return self.search.study_

    @property
    def best(self) -> FrozenTrial:
        """The trial whose settings the model has."""
        number = self.search.cv_results_["trial"][self.search.best_index_]
        return self.study.get_trials(deepcopy=False)[number]

    def settings(self) -> dict[str, Any]:
        """Return all settings of the model that change its scores."""
        return self._settings(self.search.best_estimator_)

    def _settings(self, classifier: GlomeruliClassifier) -> dict[str, Any]:
        """Return what changes a score, as the recipe has it; no folders of files."""
        recipe = classifier.resolve(self.n_samples)
        parameters = classifier.get_params(deep=False)
        parameters |= {"recipe": recipe.name, **recipe.parameters}
        kept = {k: v for k, v in parameters.items() if k not in _WITHOUT_EFFECT}
        if kept["weights"] is not None:
            kept["weights"] = Path(kept["weights"]).name
        return kept

    def drop_earlier(self) -> None:
        """Remove what an earlier study left in the folder, unless it goes on.

        A model stays until another takes its place: it took long to make.
        """
        if self.search.resume:
            return
        drop_unwritten(
            self.folder / name for name in TUNING_FILES if name not in _OF_THE_MODEL
        )
        earlier = set(_OF_THE_MODEL) - {path.name for path in written_files()}
        left = sorted(name for name in earlier if (self.folder / name).exists())
        if left:
            note(f"Caution: {' and '.join(left)} are of an earlier study.")

    def write_trials(self) -> None:
        """Write the table of all trials."""
        from ..tuning.reading import trials_table

        write_csv(trials_table(self.study), self.folder / "trials.csv", index=True)

    def write_best(self, manifest: pd.DataFrame, folds: list[Any]) -> None:
        """Write trials, the model with the best settings, and what these are worth."""
        self.write_trials()
        self._write_model()
        note("Predicting each fold with the best settings, for intervals.")
        self.evaluation = write_out_of_fold(
            self.search.best_estimator_, manifest, manifest, folds, self.folder
        )

    def _write_model(self) -> None:
        with output(self.folder / "model.glomclf") as temporary:
            self.search.best_estimator_.save(temporary)
        text = json.dumps(self._summary(), indent=2, allow_nan=False)
        with output(self.folder / "best.json") as temporary:
            temporary.write_text(f"{text}\n", encoding="utf-8")

    def _summary(self) -> dict[str, Any]:
        from ..tuning.reading import objective_names, trials_over
        from ..tuning.storages import shown

        states = [trial.state.name for trial in trials_over(self.study)]
        names = objective_names(self.study)
        return {
            "study": self.study.study_name,
            "storage": shown(self.search.storage),
            "trial": self.best.number,
            "scores": dict(zip(names, self.best.values, strict=True)),
            "fold_scores": self.best.user_attrs["fold_scores"],
            "at_least": self.search.constraint or {},
            "tuned": self.best.params,
            "settings": {name: _plain(v) for name, v in self.settings().items()},
            "trials": {state: states.count(state) for state in sorted(set(states))},
        }

    def write_pictures(self) -> None:
        """Draw the course of the study, importances, settings and trade-offs."""
        from ..report import displays as plots
        from ..report.displays.parallel import parallel_height
        from ..tuning.reading import objective_names, varied_settings

        names = objective_names(self.study)
        size = (5.6 * len(names), 4.4)
        with new_figure(self.folder / "history.png", figsize=size) as figure:
            panels = np.atleast_1d(figure.subplots(1, len(names)))
            for name, ax in zip(names, panels, strict=True):
                plots.OptimizationHistoryDisplay.from_study(
                    self.study, objective=name, ax=ax
                )
        n_settings = len(varied_settings(self.study))
        displays: dict[str, Any] = {
            "importances": (plots.ParameterImportancesDisplay, 4.4),
            "parallel_coordinates": (
                plots.ParallelCoordinatesDisplay,
                parallel_height(max(3, n_settings)),
            ),
        }
        if len(names) > 1:
            displays["pareto_front"] = (plots.ParetoFrontDisplay, 4.4)
        for stem, (display, height) in displays.items():
            size = (6.4, height)
            with new_figure(self.folder / f"{stem}.png", figsize=size) as figure:
                display.from_study(self.study, ax=figure.subplots())

    def write_nested(self, nested: NestedResult) -> None:
        """Write what the outer folds that are done have found."""
        self.nested = nested
        write_csv(nested.to_frame(), self.folder / "nested_folds.csv", index=True)
        write_csv(nested.predictions, self.folder / "nested_predictions.csv")
        text = json.dumps(nested.to_dict(), indent=2, allow_nan=False)
        with output(self.folder / "nested.json") as temporary:
            temporary.write_text(f"{text}\n", encoding="utf-8")

    def write_report(self) -> None:
        """Write the report; of a study without a best trial, why there is none."""
        from ..report import tuning_report

        has_best = hasattr(self.search, "best_estimator_")
        report = tuning_report(
            self.study,
            best=self.best.number if has_best else None,
            settings=self.settings() if has_best else None,
            evaluation=self.evaluation,
            nested=self.nested,
            default=None
            if self.nested is None
            else self._settings(self.search.estimator),
            storage=self.search.storage,
            command=typed_command(),
            resume=self.resume,
        )
        write_report(report, self.folder)

    def print_best(self) -> None:
        """Print the best settings, their scores, and how far to believe them."""
        from ..report.tuning import OPTIMISM, setting_text
        from ..tuning.reading import objective_names, trials_over

        n_trials, trial = len(trials_over(self.study)), self.best
        rows = []
        for name, value in zip(objective_names(self.study), trial.values, strict=True):
            scores = trial.user_attrs["fold_scores"][name]
            ends = f"{min(scores):.3f}", f"{max(scores):.3f}"
            rows.append((name, f"{value:.3f}", *ends))
        title = f"Trial {trial.number}, best of {n_trials}"
        print_table(title, ("score", "mean", "lowest", "highest"), rows)
        told = [(name, setting_text(value)) for name, value in trial.params.items()]
        print_table("Its settings", ("setting", "value"), told)
        if self.evaluation is not None:
            print_scores("Its predictions of all folds", self.evaluation)
        if self.nested is None:
            note(f"Caution: {OPTIMISM.format(n=n_trials)}")
        else:
            _print_nested(self.nested)

    def print_dashboard(self) -> None:
        """Print the command that opens the study in Optuna's dashboard."""
        from ..report.environment import command_text
        from ..report.tuning import dashboard_command

        click.echo("\nTo look into the study (pip install optuna-dashboard):")
        click.echo(f"  {command_text(dashboard_command(self.search.storage))}")


def _print_nested(nested: NestedResult) -> None:
    """Print the score to report, the optimism, and what tuning is worth."""
    titles = {
        "best": "best of a study (too good)",
        "nested": "nested: to be reported",
        "optimism": "difference",
    }
    rows = [
        (shown, f"{nested.optimism.scores[key]:.3f}", _ends(nested.optimism, key))
        for key, shown in titles.items()
    ]
    title = f"Nested cross-validation, {len(nested.folds)} outer folds"
    print_table(title, (nested.scoring, "value", "95 % interval"), rows)
    for key, why in nested.optimism.notes.items():
        note(f"{titles[key]}: {why}.")
    comparison = nested.comparison
    if comparison is not None:
        rows = [
            (name, f"{comparison.scores[name]:+.3f}", _ends(comparison, name))
            for name in dict.fromkeys(
                (nested.scoring, "roc_auc", "recall", "precision")
            )
            if name in comparison.scores
        ]
        columns = ("score", "difference", "95 % interval")
        print_table("Tuned less default settings, same participants", columns, rows)


def _ends(estimates: Estimates, name: str) -> str:
    low, high = estimates.interval(name)
    return "" if low != low else f"{low:.3f} to {high:.3f}"


def _plain(value: Any) -> Any:
    """Return what JSON can hold."""
    is_plain = value is None or isinstance(value, str | int | float | bool)
    return value if is_plain else repr(value)
