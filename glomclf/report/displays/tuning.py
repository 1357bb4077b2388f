"""Pictures of an Optuna study: its course, what decides it, its trade-offs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...tuning.trials import (
    best_trials,
    finished_trials,
    kind_of,
    objective_names,
    objective_place,
    partial_value,
    trials_in,
    varied_settings,
)
from .canvas import axes_or_new, legend_below, say_instead

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from optuna import Study
    from optuna.importance import BaseImportanceEvaluator
    from optuna.trial import FrozenTrial

__all__ = [
    "MIN_TRIALS",
    "OptimizationHistoryDisplay",
    "ParameterImportancesDisplay",
    "ParetoFrontDisplay",
    "score_title",
]

_ENDED, _BEST = "#4c78a8", "#e4873c"
_STYLES: dict[str, dict[str, Any]] = {
    "ended": {"marker": "o", "color": _ENDED, "label": "ended"},
    "unfit": {
        "marker": "D",
        "color": "#9c6fb0",
        "label": "misses the constraint",
        "markerfacecolor": "none",
    },
    "pruned": {
        "marker": "o",
        "color": "#8b949e",
        "label": "pruned",
        "markerfacecolor": "none",
    },
    "failed": {"marker": "x", "color": "#c5362f", "label": "failed"},
}
_POINT = {"linestyle": "none", "markersize": 5}
MIN_TRIALS = 10  # for importances
_N_TOP = 5  # best trials that PED-ANOVA should have at least
_NAMES = {"average_precision": "average precision", "roc_auc": "ROC AUC", "f1": "F1"}


class OptimizationHistoryDisplay:
    """The score of each trial in their order, and the best so far.

    Pruned trials are drawn at the mean score of the folds they got to. Failed trials,
    and pruned ones without a score, are marked at the lower edge. Trials that miss a
    constraint of the study are told apart, and are never the best.

    Parameters
    ----------
    numbers, values : array-like of shape (n_trials,)
        Number and score of each trial; NaN where it has none.
    kinds : sequence of str of length n_trials
        ``"ended"``, ``"unfit"`` (misses a constraint), ``"pruned"`` or ``"failed"``.
    score_name : str, default="score"
    maximize : bool, default=True
        Whether a higher score is better.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import OptimizationHistoryDisplay
    >>> kinds = ["ended", "pruned", "ended"]
    >>> display = OptimizationHistoryDisplay([0, 1, 2], [0.7, 0.4, 0.8], kinds)
    >>> display.plot(ax=Figure().subplots()).ax_.get_xlabel()
    'trial'
    """

    ax_: Axes
    figure_: Figure

    def __init__(
        self,
        numbers: Sequence[int],
        values: Sequence[float],
        kinds: Sequence[str],
        *,
        score_name: str = "score",
        maximize: bool = True,
    ):
        self.numbers = numbers
        self.values = values
        self.kinds = kinds
        self.score_name = score_name
        self.maximize = maximize

    @classmethod
    def from_study(
        cls, study: Study, *, objective: int | str = 0, ax: Axes | None = None
    ) -> OptimizationHistoryDisplay:
        """Draw the trials of a study that are over.

        Parameters
        ----------
        study : optuna.Study
        objective : int or str, default=0
            Place or name of the objective to draw.
        ax : matplotlib Axes, default=None
            By default a new figure.

        Returns
        -------
        display : OptimizationHistoryDisplay

        Raises
        ------
        ValueError
            If the study has no such objective.
        """
        place = objective_place(study, objective)
        name, trials = objective_names(study)[place], finished_trials(study)
        return cls(
            [trial.number for trial in trials],
            [partial_value(trial, name, place) for trial in trials],
            [kind_of(trial) for trial in trials],
            score_name=name,
            maximize=_is_maximized(study, place),
        ).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> OptimizationHistoryDisplay:
        """Draw points and the line of the best so far.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            By default a new figure.

        Returns
        -------
        display : OptimizationHistoryDisplay
        """
        from matplotlib.ticker import MaxNLocator

        ax = axes_or_new(ax)
        numbers = np.asarray(self.numbers, dtype=float)
        values, kinds = np.asarray(self.values, dtype=float), np.asarray(self.kinds)
        for kind, style in _STYLES.items():
            _draw_kind(ax, numbers, values, kinds == kind, style)
        self._draw_best(ax, numbers, values, kinds)
        ax.set(xlabel="trial", ylabel=score_title(self.score_name))
        ax.margins(y=0.12)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
        if len(numbers):
            legend_below(ax, ncols=2)
        else:
            say_instead(ax, "No trial is over yet.")
        self.ax_, self.figure_ = ax, ax.figure  # type: ignore[assignment, unused-ignore]
        return self

    def _draw_best(
        self, ax: Axes, numbers: np.ndarray, values: np.ndarray, kinds: np.ndarray
    ) -> None:
        ended = kinds == "ended"
        if not ended.any():
            return
        better = np.maximum if self.maximize else np.minimum
        best = better.accumulate(values[ended])
        places = np.append(numbers[ended], numbers.max())
        ax.plot(
            places,
            np.append(best, best[-1]),
            color=_BEST,
            drawstyle="steps-post",
            label=f"best so far: {best[-1]:.3f}",
        )


class ParameterImportancesDisplay:
    """How much each setting decides whether a trial is among the best.

    Importances are those of PED-ANOVA [1]_, Optuna's default: how differently a
    setting is distributed among the best trials and among all that ended. It reckons
    with settings that only some trials have [2]_. They add up to 1.

    Parameters
    ----------
    importances : mapping of str to float
        By setting; empty where they cannot be told.
    uncertain : collection of str, default=()
        Settings that few trials have, to be marked.
    remark : str, default=""
        What the importances are about, or why there are none.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    References
    ----------
    .. [1] Watanabe S, Bansal A, Hutter F. PED-ANOVA: efficiently quantifying
       hyperparameter importance in arbitrary subspaces. IJCAI 2023.
    .. [2] Conditional PED-ANOVA: hyperparameter importance in hierarchical & dynamic
       search spaces. arXiv:2601.20800.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import ParameterImportancesDisplay
    >>> display = ParameterImportancesDisplay({"sampler": 0.7, "dropout": 0.3})
    >>> ax = display.plot(ax=Figure().subplots()).ax_
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['sampler', 'dropout']
    """

    ax_: Axes
    figure_: Figure

    def __init__(
        self,
        importances: Mapping[str, float],
        uncertain: Sequence[str] = (),
        remark: str = "",
    ):
        self.importances = importances
        self.uncertain = uncertain
        self.remark = remark

    @classmethod
    def from_study(
        cls,
        study: Study,
        *,
        objective: int | str | None = None,
        evaluator: BaseImportanceEvaluator | None = None,
        ax: Axes | None = None,
    ) -> ParameterImportancesDisplay:
        """Draw the importances of a study's settings.

        Parameters
        ----------
        study : optuna.Study
        objective : int or str, default=None
            Place or name of the objective. None: the only one or, of several, being on
            the Pareto front.
        evaluator : optuna.importance.BaseImportanceEvaluator, default=None
            None: PED-ANOVA of the best tenth of the trials that ended, and of at least
            the best 5. Another one of Optuna's needs an `objective` where there are
            several.
        ax : matplotlib Axes, default=None
            By default a new figure.

        Returns
        -------
        display : ParameterImportancesDisplay
            With fewer than 10 trials that ended, or settings that never differ, it
            says so and has no importances.

        Raises
        ------
        ValueError
            If the study has no such objective.
        """
        place = None if objective is None else objective_place(study, objective)
        ended, varied = trials_in(study, "COMPLETE"), varied_settings(study)
        if len(ended) < MIN_TRIALS:
            few = f"Importances need {MIN_TRIALS} trials that ended;\n{len(ended)} did."
            return cls({}, remark=few).plot(ax=ax)
        if not varied:
            return cls({}, remark="All trials had the same settings.").plot(ax=ax)
        importances = _importances(study, place, evaluator, varied)
        rare = [name for name in varied if _is_rarely_used(name, ended)]
        return cls(importances, rare, _aim(study, place)).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> ParameterImportancesDisplay:
        """Draw one bar a setting, the most important at the top.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            By default a new figure.

        Returns
        -------
        display : ParameterImportancesDisplay
        """
        ax = axes_or_new(ax)
        ranked = sorted(self.importances.items(), key=lambda one: one[1], reverse=True)
        if ranked:
            names = [f"{k} *" if k in self.uncertain else k for k, _ in ranked]
            shares = [value for _, value in ranked]
            places = np.arange(len(names))
            bars = ax.barh(places, shares, 0.65, color=_ENDED)
            ax.bar_label(bars, [f"{share:.2f}" for share in shares], padding=3)
            ax.set_yticks(places, names)
            ax.set(ylim=(len(names) - 0.5, -0.5), xlim=(0, 1.15 * max(shares)))
            ax.set_xlabel(self._caption())
            ax.spines[["top", "right"]].set_visible(False)
        else:
            say_instead(ax, self.remark)
        self.ax_, self.figure_ = ax, ax.figure  # type: ignore[assignment, unused-ignore]
        return self

    def _caption(self) -> str:
        marked = any(name in self.uncertain for name in self.importances)
        rare = f"\n* of fewer than {MIN_TRIALS} trials" if marked else ""
        return f"{self.remark or 'importance'}{rare}"


class ParetoFrontDisplay:
    """The trade-off of two objectives: each trial a point, the best ones joined.

    No trial is better than one of the Pareto front in all objectives. Pruned trials
    are drawn at the mean scores of the folds they got to; trials without a score are
    only counted.

    Parameters
    ----------
    values : array-like of shape (n_trials, 2)
        NaN where a trial has none.
    kinds : sequence of str of length n_trials
        As of `OptimizationHistoryDisplay`.
    on_front : array-like of bool of shape (n_trials,)
    score_names : (str, str)
    maximize : (bool, bool), default=(True, True)
        Whether a higher score is better.
    is_joined : bool, default=True
        Whether the front is a line: it is, where there are no other objectives.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import ParetoFrontDisplay
    >>> display = ParetoFrontDisplay(
    ...     [[0.9, 0.6], [0.7, 0.8], [0.6, 0.7]],
    ...     ["ended"] * 3,
    ...     [True, True, False],
    ...     ("recall", "precision"),
    ... )
    >>> display.plot(ax=Figure().subplots()).ax_.get_xlabel()
    'recall'
    """

    ax_: Axes
    figure_: Figure

    def __init__(
        self,
        values: Sequence[Sequence[float]],
        kinds: Sequence[str],
        on_front: Sequence[bool],
        score_names: tuple[str, str],
        *,
        maximize: tuple[bool, bool] = (True, True),
        is_joined: bool = True,
    ):
        self.values = values
        self.kinds = kinds
        self.on_front = on_front
        self.score_names = score_names
        self.maximize = maximize
        self.is_joined = is_joined

    @classmethod
    def from_study(
        cls,
        study: Study,
        *,
        objectives: tuple[int | str, int | str] = (0, 1),
        ax: Axes | None = None,
    ) -> ParetoFrontDisplay:
        """Draw the trials of a study of several objectives.

        Parameters
        ----------
        study : optuna.Study
        objectives : pair of int or str, default=(0, 1)
            Places or names of the two to draw. The front is that of all objectives.
        ax : matplotlib Axes, default=None
            By default a new figure.

        Returns
        -------
        display : ParetoFrontDisplay

        Raises
        ------
        ValueError
            If the study has a single objective, or not those asked for.
        """
        names = objective_names(study)
        if len(names) < 2:
            raise ValueError(
                f"The study has a single objective, {names[0]}; a Pareto front needs "
                "two. Draw it with OptimizationHistoryDisplay."
            )
        first, second = (objective_place(study, one) for one in objectives)
        trials = finished_trials(study)
        front = {one.number for one in best_trials(study)}
        return cls(
            [
                [partial_value(one, names[place], place) for place in (first, second)]
                for one in trials
            ],
            [kind_of(one) for one in trials],
            [one.number in front for one in trials],
            (names[first], names[second]),
            maximize=(_is_maximized(study, first), _is_maximized(study, second)),
            is_joined=len(names) == 2,
        ).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> ParetoFrontDisplay:
        """Draw points and the front.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            By default a new figure.

        Returns
        -------
        display : ParetoFrontDisplay
        """
        ax = axes_or_new(ax)
        values = np.asarray(self.values, dtype=float).reshape(-1, 2)
        kinds, front = np.asarray(self.kinds), np.asarray(self.on_front, dtype=bool)
        for kind, style in _STYLES.items():
            rows = kinds == kind
            if rows.any():
                shown = {**_POINT, **style, "label": f"{style['label']} ({rows.sum()})"}
                ax.plot(*values[rows].T, **shown)
        if front.any():
            self._draw_front(ax, values[front])
        ax.set(xlabel=score_title(self.score_names[0]))
        ax.set(ylabel=score_title(self.score_names[1]))
        ax.margins(0.08)
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
        if len(values):
            legend_below(ax, ncols=2)
        else:
            say_instead(ax, "No trial is over yet.")
        self.ax_, self.figure_ = ax, ax.figure  # type: ignore[assignment, unused-ignore]
        return self

    def _draw_front(self, ax: Axes, values: np.ndarray) -> None:
        ranked = values[np.argsort(values[:, 0], kind="stable")]
        ax.plot(
            *ranked.T,
            "o-" if self.is_joined else "o",
            color=_BEST,
            markersize=7,
            # The border of what at least one trial reaches in both objectives.
            drawstyle="steps-pre" if self.maximize[0] else "steps-post",
            label=f"Pareto front ({len(ranked)})",
        )


def score_title(name: str) -> str:
    """Write the name of a score as it is read.

    Examples
    --------
    >>> from glomclf.report.displays.tuning import score_title
    >>> score_title("average_precision"), score_title("my_score")
    ('average precision', 'my_score')
    """
    return _NAMES.get(name, name)


def _draw_kind(
    ax: Axes, numbers: np.ndarray, values: np.ndarray, rows: np.ndarray, style: Any
) -> None:
    """Draw the trials of one kind; those without a score at the lower edge."""
    if not rows.any():
        return
    style = {**_POINT, **style, "label": f"{style['label']} ({rows.sum()})"}
    scored = rows & np.isfinite(values)
    ax.plot(numbers[scored], values[scored], **style)
    others = numbers[rows & ~scored]
    if len(others):  # an empty line would still take its place in the layout
        edge = {"transform": ax.get_xaxis_transform(), "clip_on": False}
        ax.plot(others, np.full(len(others), 0.02), **{**style, "label": None, **edge})


def _is_maximized(study: Study, place: int) -> bool:
    return study.directions[place].name == "MAXIMIZE"


def _importances(
    study: Study,
    place: int | None,
    evaluator: BaseImportanceEvaluator | None,
    settings: list[str],
) -> dict[str, float]:
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    n_ended = len(trials_in(study, "COMPLETE"))
    if evaluator is None:
        share = max(0.1, _N_TOP / n_ended)
        evaluator = PedAnovaImportanceEvaluator(target_quantile=share)
    target = None
    if place is not None and len(study.directions) > 1:
        sign = -1 if _is_maximized(study, place) else 1  # it takes low values for good

        def target(trial: FrozenTrial) -> float:
            return sign * trial.values[place]

    with warnings.catch_warnings():
        # Of settings that few trials have, which are marked; of the right sign.
        warnings.filterwarnings("ignore", message=r".*(Some regimes|low `target`)")
        found = get_param_importances(
            study, evaluator=evaluator, params=settings, target=target
        )
    return {name: float(value) for name, value in found.items()}


def _is_rarely_used(name: str, trials: Sequence[FrozenTrial]) -> bool:
    """Whether so few trials have a setting that its importance is mostly chance."""
    return sum(name in trial.params for trial in trials) < MIN_TRIALS


def _aim(study: Study, place: int | None) -> str:
    names = objective_names(study)
    if place is not None:
        return f"importance for a good {score_title(names[place])}"
    if len(names) > 1:
        return "importance for being on the Pareto front"
    return f"importance for a good {score_title(names[0])}"
