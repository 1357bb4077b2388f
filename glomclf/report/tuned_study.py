"""A study, and what is known beside it: what the sections on tuning tell of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..evaluation.evaluation import Evaluation
from ..tuning.trials import best_trials, finished_trials, objective_names, trials_in

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

STATES = {"COMPLETE": "ended", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True)
class TunedStudy:
    """A study, and what is known beside it; see `glomclf.report.tuning_report`."""

    study: Study
    best: int | None = None
    settings: Mapping[str, Any] | None = None
    evaluation: Evaluation | None = None
    nested: Any = None
    storage: str | None = None
    command: Sequence[str] | None = None
    resume: Sequence[str] | None = None

    @cached_property
    def names(self) -> list[str]:
        """Names of the objectives."""
        return objective_names(self.study)

    @cached_property
    def trials(self) -> list[FrozenTrial]:
        """Finished trials."""
        return finished_trials(self.study)

    @cached_property
    def ended(self) -> list[FrozenTrial]:
        """Complete trials."""
        return trials_in(self.study, "COMPLETE")

    @cached_property
    def chosen(self) -> FrozenTrial | None:
        """The trial that was chosen; None where there is none."""
        if self.best is not None:
            return next(t for t in self.trials if t.number == self.best)
        return next(iter(best_trials(self.study)), None)

    @property
    def counts(self) -> str:
        """How many trials came out which way, in words."""
        states = [STATES[trial.state.name] for trial in self.trials]
        counts = [(states.count(told), told) for told in STATES.values()]
        return ", ".join(f"{n} {told}" for n, told in counts if n) or "none yet"


def title_of(name: str) -> str:
    """Write the name of a score at the beginning of a line."""
    title = score_title(name)
    return f"{title[:1].upper()}{title[1:]}"


def fold_scores(trial: FrozenTrial, name: str) -> list[float]:
    """Return the scores of a trial's folds, the lowest first; none if not known."""
    return sorted((trial.user_attrs.get("fold_scores") or {}).get(name, ()))


def setting_text(value: Any) -> str:
    """Write the value of a setting.

    Examples
    --------
    >>> from glomclf.report.tuned_study import setting_text
    >>> setting_text(0.00123456), setting_text(None), setting_text("smote")
    ('0.00123', 'none', 'smote')
    """
    if isinstance(value, float):
        return f"{value:.3g}"
    return "none" if value is None else str(value)


def score_title(name: str) -> str:
    """Write the name of a score as it is read.

    Examples
    --------
    >>> from glomclf.report.tuned_study import score_title
    >>> score_title("average_precision"), score_title("roc_auc")
    ('average precision', 'ROC AUC')
    """
    return {"roc_auc": "ROC AUC", "f1": "F1"}.get(name, name.replace("_", " "))
