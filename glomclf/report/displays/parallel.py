"""Picture of the settings of all trials of an Optuna study, and what they got."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ...tuning.trials import (
    best_trials,
    finished_trials,
    kind_of,
    objective_names,
    objective_place,
    partial_value,
    varied_settings,
)
from .canvas import legend_below, say_instead
from .tuning import score_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from optuna import Study
    from optuna.trial import FrozenTrial

__all__ = ["ParallelCoordinatesDisplay", "parallel_height"]

_STYLES: dict[str, dict[str, Any]] = {
    "ended": {"color": "#4c78a8", "linewidth": 1.0},
    "unfit": {"color": "#9c6fb0", "linewidth": 1.0, "alpha": 0.5},
    "pruned": {"color": "#8b949e", "linewidth": 0.8, "linestyle": "--", "alpha": 0.6},
    "failed": {"color": "#c5362f", "linewidth": 0.8, "linestyle": ":"},
    "best": {"color": "#e4873c", "linewidth": 2.4, "alpha": 1.0},
}
_LABELS = {
    "ended": "ended; stronger is better",
    "unfit": "misses the constraint",
    "pruned": "pruned",
    "failed": "failed",
    "best": "best",
}
_UNUSED = "not used"
_SLOT = 0.26  # of the width, for trials that do without a setting
_ROOM = 26  # characters that fit on one line of a narrow picture

_Scale: TypeAlias = tuple[str, float, float] | list[Any]


class ParallelCoordinatesDisplay:
    """Each trial as a line through its settings, down to its score.

    Settings stand below each other, so that many of them can be read on a narrow page.
    A trial that does without a setting passes it at "not used". Pruned and failed
    trials end above the score.

    Parameters
    ----------
    trials : sequence of mapping
        Of each trial: ``settings`` (a mapping), ``value`` (NaN where it has none),
        ``kind`` as of `OptimizationHistoryDisplay`, and ``is_best``.
    scales : mapping of str to (tuple or list), default=None
        By setting ``("linear" or "log", low, high)``, or the list of its values. None:
        those of the values that trials had.
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
    >>> from glomclf.report.displays import ParallelCoordinatesDisplay
    >>> trials = [
    ...     {"settings": {"units": n}, "value": n / 9, "kind": kind, "is_best": n > 2}
    ...     for n, kind in ((1, "ended"), (2, "pruned"), (3, "ended"))
    ... ]
    >>> display = ParallelCoordinatesDisplay(trials).plot(ax=Figure().subplots())
    >>> [text.get_text() for text in display.ax_.get_yticklabels()]
    ['units', 'score']
    """

    ax_: Axes
    figure_: Figure

    def __init__(
        self,
        trials: Sequence[Mapping[str, Any]],
        *,
        scales: Mapping[str, _Scale] | None = None,
        score_name: str = "score",
        maximize: bool = True,
    ):
        self.trials = trials
        self.scales = scales
        self.score_name = score_name
        self.maximize = maximize

    @classmethod
    def from_study(
        cls,
        study: Study,
        *,
        objective: int | str = 0,
        params: Sequence[str] | None = None,
        ax: Axes | None = None,
    ) -> ParallelCoordinatesDisplay:
        """Draw the trials of a study that are over.

        Parameters
        ----------
        study : optuna.Study
        objective : int or str, default=0
            Place or name of the objective on the lowest line.
        params : sequence of str, default=None
            Settings to show, in order. None: all that differ among trials.
        ax : matplotlib Axes, default=None
            By default a new figure, high enough for the settings.

        Returns
        -------
        display : ParallelCoordinatesDisplay

        Raises
        ------
        ValueError
            If the study has no such objective, or no trial has one of `params`.
        """
        place = objective_place(study, objective)
        name, over = objective_names(study)[place], finished_trials(study)
        shown = _checked(params, over) if params is not None else varied_settings(study)
        best = {trial.number for trial in best_trials(study)}
        trials = [
            {
                "settings": {k: one.params[k] for k in shown if k in one.params},
                "value": partial_value(one, name, place),
                "kind": kind_of(one),
                "is_best": one.number in best,
            }
            for one in over
        ]
        return cls(
            trials,
            scales={setting: _scale_in(over, setting) for setting in shown},
            score_name=name,
            maximize=study.directions[place].name == "MAXIMIZE",
        ).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> ParallelCoordinatesDisplay:
        """Draw one line a trial.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            By default a new figure, high enough for the settings.

        Returns
        -------
        display : ParallelCoordinatesDisplay
        """
        names = self._settings()
        if ax is None:
            from matplotlib import pyplot

            size = (6.4, parallel_height(len(names)))
            ax = pyplot.subplots(figsize=size, layout="constrained")[1]
        ended = [
            one["value"] for one in self.trials if one["kind"] in ("ended", "unfit")
        ]
        if names and ended:
            rows = [self._row(name) for name in names]
            self._draw(ax, names, [*rows, _Row(("linear", min(ended), max(ended)))])
        else:
            same = "All trials had the same settings."
            say_instead(ax, same if ended else "No trial ended.")
        self.ax_, self.figure_ = ax, ax.figure  # type: ignore[assignment, unused-ignore]
        return self

    def _settings(self) -> list[str]:
        drawn = dict.fromkeys(k for one in self.trials for k in one["settings"])
        return [name for name in self.scales or drawn if name in drawn]

    def _row(self, name: str) -> _Row:
        values = [one["settings"].get(name, _UNUSED) for one in self.trials]
        used = [value for value in values if value is None or value != _UNUSED]
        scale = (self.scales or {}).get(name)
        if scale is None and all(isinstance(value, int | float) for value in used):
            scale = ("linear", min(used), max(used))
        start = _SLOT if len(used) < len(values) else 0.0
        return _Row(scale or list(dict.fromkeys(used)), start)

    def _draw(self, ax: Axes, names: list[str], rows: list[_Row]) -> None:
        for number, trial in enumerate(self.trials):
            self._draw_trial(ax, number, trial, names, rows)
        for level, row in enumerate(rows):
            row.draw(ax, level)
        ax.set_yticks(range(len(rows)), [*names, score_title(self.score_name)])
        ax.set(xlim=(-0.03, 1.03), ylim=(len(rows) - 0.4, -0.4), xticks=[])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        self._draw_legend(ax)

    def _draw_trial(
        self,
        ax: Axes,
        number: int,
        trial: Mapping[str, Any],
        names: list[str],
        rows: list[_Row],
    ) -> None:
        aside = 0.025 * ((number * 0.618) % 1 - 0.5)  # lines of equal settings apart
        settings = trial["settings"]
        places = [
            row.place(settings.get(name, _UNUSED)) + aside
            for name, row in zip(names, rows, strict=False)
        ]
        style = dict(_STYLES["best" if trial["is_best"] else trial["kind"]])
        if trial["kind"] in ("ended", "unfit"):
            score = rows[-1].place(trial["value"])
            places.append(score)
            style.setdefault("alpha", self._strength(score))
        order = 4 if trial["is_best"] else 2
        ax.plot(places, range(len(places)), **style, zorder=order)

    def _strength(self, score: float) -> float:
        return 0.12 + 0.75 * (score if self.maximize else 1 - score) ** 2

    def _draw_legend(self, ax: Axes) -> None:
        from matplotlib.lines import Line2D

        counts = Counter(
            "best" if one["is_best"] else one["kind"] for one in self.trials
        )
        lines = [
            Line2D(
                [],
                [],
                **{**_STYLES[kind], "alpha": 1},
                label=f"{label} ({counts[kind]})",
            )
            for kind, label in _LABELS.items()
            if counts[kind]
        ]
        legend_below(ax, ncols=2, handles=lines, bbox_to_anchor=(0.5, 0.0))


class _Row:
    """Where the values of one setting lie between 0 and 1."""

    def __init__(self, scale: _Scale, start: float = 0.0):
        self.scale = scale
        self.start = start

    def place(self, value: Any) -> float:
        """Return the place of a value; of a trial without one, the left end."""
        if isinstance(value, str) and value == _UNUSED:
            return 0.0
        return self.start + (1 - self.start) * self._share(value)

    def _share(self, value: Any) -> float:
        if isinstance(self.scale, list):
            return self.scale.index(value) / max(1, len(self.scale) - 1)
        kind, low, high = self.scale
        bend = np.log if kind == "log" else float
        span = bend(high) - bend(low)
        return 0.5 if span == 0 else float((bend(value) - bend(low)) / span)

    def draw(self, ax: Axes, level: int) -> None:
        """Draw the line of the setting, with its values at it."""
        from matplotlib.patheffects import withStroke

        ax.plot([self.start, 1], [level, level], color="0.5", linewidth=1, zorder=1)
        choices = self.scale if isinstance(self.scale, list) else self.scale[1:]
        texts = {self.place(value): _tick_text(value) for value in choices}
        if self.start:
            texts[0.0] = _UNUSED
        crowded = sum(map(len, texts.values())) > _ROOM
        for number, (place, text) in enumerate(sorted(texts.items())):
            is_above = crowded and number % 2 == 1
            ax.text(
                place,
                level + (-0.06 if is_above else 0.06),
                text,
                ha="left" if place == 0 else "right" if place == 1 else "center",
                va="bottom" if is_above else "top",
                fontsize="small",
                zorder=5,
                path_effects=[withStroke(linewidth=2.5, foreground=_behind_text())],
            )


def _behind_text() -> str:
    """Return the colour of a page on which text has matplotlib's present colour."""
    from matplotlib import rcParams
    from matplotlib.colors import to_rgb

    return "#15181c" if sum(to_rgb(rcParams["text.color"])) > 1.5 else "#ffffff"


def parallel_height(n_settings: int) -> float:
    """Return the height in inches of a readable picture of so many settings.

    Examples
    --------
    >>> from glomclf.report.displays.parallel import parallel_height
    >>> parallel_height(4) > parallel_height(3)
    True
    """
    return 1.4 + 0.55 * (n_settings + 1)


def _tick_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "none" if value is None else str(value)


def _checked(params: Sequence[str], trials: Sequence[FrozenTrial]) -> list[str]:
    known = list(dict.fromkeys(name for trial in trials for name in trial.params))
    unknown = [name for name in params if name not in known]
    if unknown:
        raise ValueError(
            f"No trial has {', '.join(map(repr, unknown))}; the settings of the study "
            f"are {', '.join(known) or 'none yet'}."
        )
    return list(params)


def _scale_in(trials: Sequence[FrozenTrial], name: str) -> _Scale:
    """Tell the range that a setting was drawn from; of several, all of them."""
    drawn: list[Any] = [
        one.distributions[name] for one in trials if name in one.distributions
    ]
    if any(hasattr(one, "choices") for one in drawn):
        values = [one.params[name] for one in trials if name in one.params]
        choices = [choice for one in drawn for choice in getattr(one, "choices", ())]
        return list(dict.fromkeys([*choices, *values]))
    kind = "log" if all(getattr(one, "log", False) for one in drawn) else "linear"
    return kind, min(one.low for one in drawn), max(one.high for one in drawn)
