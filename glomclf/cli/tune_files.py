"""What ``glomclf tune`` leaves behind: tables, the report, and the best model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import note, print_table, typed_command
from .outputs import (
    drop_unwritten,
    save_model,
    write_csv,
    write_json,
    write_report,
    written_files,
)
from .tables import print_estimates, print_scores
from .training_files import keep_cut, write_out_of_fold

if TYPE_CHECKING:
    import pandas as pd
    from optuna import Study
    from optuna.trial import FrozenTrial

    from ..evaluation.evaluation import Evaluation
    from ..tuning import GlomeruliSearchCV, NestedResult

__all__ = ["TUNING_FILES", "StudyFiles", "words_to_resume"]

TUNING_FILES = (
    "trials.csv",
    "best.json",
    "model.glomclf",
    "cv_predictions.csv",
    "cv_scores.csv",
    "cv_scores.json",
    "history.png",
    "importances.png",
    "pareto_front.png",
    "nested_folds.csv",
    "nested_predictions.csv",
    "nested.json",
    "report.html",
)
_OF_THE_MODEL = ("best.json", "model.glomclf")


@dataclass
class StudyFiles:
    """The results of a search, written to a folder as they come.

    Parameters
    ----------
    search : GlomeruliSearchCV
        Fitted, or stopped while it was.
    folder : Path
    resume : sequence of str or None
        Words of the command that goes on with the study.
    evaluation : Evaluation or None
        Of the best settings' predictions of all folds, once they are there.
    nested : NestedResult or None
        What nested cross-validation found.
    """

    search: GlomeruliSearchCV
    folder: Path
    resume: Sequence[str] | None
    evaluation: Evaluation | None = None
    nested: NestedResult | None = None

    def __post_init__(self) -> None:
        """Know of a study in memory that nobody can go on with it."""
        from ..tuning.storage import in_memory

        if in_memory(self.search.storage):
            self.search.set_params(storage=None)
            self.resume = None

    @property
    def study(self) -> Study:
        """The study, as it was at the end."""
        return self.search.study_

    @property
    def best(self) -> FrozenTrial:
        """The trial whose settings the model has."""
        number = self.search.cv_results_["trial"][self.search.best_index_]
        return self.study.get_trials(deepcopy=False)[number]

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
        from ..tuning.trials import trials_table

        write_csv(trials_table(self.study), self.folder / "trials.csv", index=True)

    def write_best(self, rows: Any, manifest: pd.DataFrame, folds: list[Any]) -> None:
        """Write trials, the model with the best settings, and what these are worth."""
        self.write_trials()
        keep_cut(self.search.best_estimator_, manifest)
        save_model(self.search.best_estimator_, self.folder / "model.glomclf")
        write_json(self._summary(), self.folder / "best.json")
        note("Predicting each fold with the best settings, for intervals.")
        self.evaluation, _ = write_out_of_fold(
            self.search.best_estimator_, rows, manifest, folds, self.folder
        )

    def write_nested(self, nested: NestedResult) -> None:
        """Write what nested cross-validation found."""
        self.nested = nested
        write_csv(nested.folds, self.folder / "nested_folds.csv", index=True)
        write_csv(nested.predictions, self.folder / "nested_predictions.csv")
        write_json(nested.to_dict(), self.folder / "nested.json")

    def _summary(self) -> dict[str, Any]:
        from ..tuning.objective import describe_settings
        from ..tuning.storage import shown
        from ..tuning.trials import finished_trials, objective_names

        states = [trial.state.name for trial in finished_trials(self.study)]
        names = objective_names(self.study)
        return {
            "study": self.study.study_name,
            "storage": shown(self.search.storage),
            "trial": self.best.number,
            "scores": dict(zip(names, self.best.values, strict=True)),
            "fold_scores": self.best.user_attrs["fold_scores"],
            "at_least": self.search.constraint or {},
            "tuned": self.best.params,
            "settings": describe_settings(_settings(self.search.best_estimator_)),
            "trials": {state: states.count(state) for state in sorted(set(states))},
        }

    def write_report(self) -> None:
        """Write the report; of a study without a best trial, why there is none."""
        from ..report import tuning_report

        has_best = hasattr(self.search, "best_estimator_")
        report = tuning_report(
            self.study,
            best=self.best.number if has_best else None,
            settings=_settings(self.search.best_estimator_) if has_best else None,
            evaluation=self.evaluation,
            nested=self.nested,
            storage=self.search.storage,
            command=typed_command(),
            resume=self.resume,
        )
        write_report(report, self.folder, TUNING_FILES)

    def print_best(self) -> None:
        """Print the best settings, their scores, and how far to believe them."""
        from ..report.tuned_study import score_title, setting_text
        from ..report.tuning import OPTIMISM
        from ..tuning.trials import finished_trials, objective_names, tuned_settings

        n_trials, trial = len(finished_trials(self.study)), self.best
        rows = []
        for name, value in zip(objective_names(self.study), trial.values, strict=True):
            scores = trial.user_attrs["fold_scores"][name]
            ends = f"{min(scores):.3f}", f"{max(scores):.3f}"
            rows.append((score_title(name), f"{value:.3f}", *ends))
        title = f"Trial {trial.number}, best of {n_trials}"
        print_table(title, ("score", "mean", "lowest", "highest"), rows)
        told = [(key, setting_text(v)) for key, v in tuned_settings(trial).items()]
        print_table("Its settings", ("setting", "value"), told)
        if self.evaluation is not None:
            print_scores("Its predictions of all folds", self.evaluation)
        if self.nested is None:
            note(f"Caution: {OPTIMISM.format(n=n_trials)}")
        else:
            _print_nested(self.nested)


def words_to_resume() -> list[str] | None:
    """Return the words of the command that goes on with this one; None outside."""
    words = typed_command()
    if words is None or "--resume" in words:
        return words
    return [*words, "--resume"]


def _settings(classifier: Any) -> dict[str, Any]:
    """Return what changes a score; no parts that have settings, no folders of files."""
    from ..model.parts import WITHOUT_EFFECT

    parameters = classifier.get_params(deep=True)
    kept = {
        name.replace("__", "."): value
        for name, value in parameters.items()
        if name.rpartition("__")[2] not in WITHOUT_EFFECT
        and not hasattr(value, "get_params")
    }
    for name in kept:
        if name.endswith("weights") and kept[name] is not None:
            kept[name] = Path(kept[name]).name
    return kept


def _print_nested(nested: NestedResult) -> None:
    """Print the score to report, the optimism, and what tuning is worth."""
    from ..report.tuned_study import score_title

    print_scores("Nested: report these", nested.evaluation)
    note(
        f"The best {score_title(nested.scoring)} of a study was "
        f"{nested.best_score:.3f}; on participants that no trial saw, it was "
        f"{nested.test_score:.3f} (means of the outer folds)."
    )
    if nested.comparison is not None:
        names = dict.fromkeys([nested.scoring, "roc_auc", "recall", "precision"])
        told = {n: score_title(n) for n in names if n in nested.comparison.scores}
        print_estimates(
            "Tuned less the recipe, same participants", nested.comparison, told
        )
