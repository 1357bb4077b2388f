"""A study, and what is known beside it: what the sections on tuning tell of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..evaluation.evaluation import Evaluation
from ..tuning.trials import (
    best_trials,
    finished_trials,
    objective_names,
    trials_in,
)

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

__all__ = ["STATES", "TunedStudy", "score_title", "setting_text"]

_NAMES = {"average_precision": "average precision", "roc_auc": "ROC AUC", "f1": "F1"}
STATES = {"COMPLETE": "ended", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True)
class TunedStudy:
    """A study, and what is known beside it."""

    study: Study
    best_number: int | None
    settings: Mapping[str, Any] | None
    evaluation: Evaluation | None
    nested: Any
    storage: str | None
    command: Sequence[str] | None
    resume: Sequence[str] | None

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
    def best(self) -> FrozenTrial | None:
        """The trial that was chosen; None where there is none."""
        if self.best_number is not None:
            return next(t for t in self.trials if t.number == self.best_number)
        return next(iter(best_trials(self.study)), None)

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many trials came out which way."""
        states = [trial.state.name for trial in self.trials]
        return {told: states.count(s) for s, told in STATES.items() if s in states}

    def title_of(self, name: str) -> str:
        """Write the name of a score at the beginning of a line."""
        title = score_title(name).replace("_", " ")
        return f"{title[:1].upper()}{title[1:]}"


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
    >>> score_title("average_precision"), score_title("my_score")
    ('average precision', 'my_score')
    """
    return _NAMES.get(name, name)
