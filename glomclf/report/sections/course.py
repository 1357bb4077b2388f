"""The course of a study, and what decides its scores, as Optuna draws them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...tuning.trials import varied_settings
from ..blocks import Section
from ..displays.canvas import legend_below
from ..pictures import LIGHT_INK, Picture
from ..tuned_study import TunedStudy, score_title, title_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MIN_TRIALS = 10  # for importances
_N_TOP = 5  # best trials that PED-ANOVA should have at least


def course_section(run: TunedStudy) -> Section:
    """Draw the trials in their order and, of several objectives, the trade-offs."""
    pictures: list[Any] = [_history(run, place) for place in range(len(run.names))]
    if len(run.names) > 1:
        pictures.append(_front(run))
    told = pictures if run.ended else ["No trial ended."]
    return Section("Course of the study", told)


def importance_section(run: TunedStudy) -> Section:
    """Draw how much each setting matters."""
    title, n_ended = "Importance of each setting", len(run.ended)
    varied = varied_settings(run.study)
    if not varied:
        same = "All trials had the same settings." if n_ended else "No trial ended."
        return Section(title, [same])
    if n_ended < _MIN_TRIALS:
        few = f"Importances of settings need {_MIN_TRIALS} trials that ended; "
        return Section(title, [f"{few}{n_ended} did."])
    text = (
        "Importances are PED-ANOVA's: how differently a setting is distributed among "
        "the best trials and among all that ended. They tell what the search found "
        "worth choosing, not that other values cannot work."
    )
    return Section(title, [text, _importances(run, varied)])


def _history(run: TunedStudy, place: int) -> Picture:
    title = title_of(run.names[place])
    return Picture(
        _drawn(run, "plot_optimization_history", **_target(run, place)),
        caption=f"{title} of each trial that ended, and the best so far; grey ones "
        "miss the constraint, where there is one.",
        name="history" if place == 0 else f"history_{run.names[place]}",
    )


def _front(run: TunedStudy) -> Picture:
    first, second = map(title_of, run.names[:2])
    options = {"targets": lambda trial: trial.values[:2]}
    return Picture(
        _drawn(run, "plot_pareto_front", target_names=[first, second], **options),
        caption=f"{first} and {second}: no trial is better than a best one in all "
        "objectives.",
        name="pareto_front",
    )


def _importances(run: TunedStudy, varied: list[str]) -> Picture:
    from optuna.importance import PedAnovaImportanceEvaluator

    share = max(0.1, _N_TOP / len(run.ended))
    options = _target(run, 0)
    if len(run.names) > 1:  # PED-ANOVA takes low values of a target for good ones
        options["target"] = lambda trial: -trial.values[0]
    options["evaluator"] = PedAnovaImportanceEvaluator(target_quantile=share)
    return Picture(
        _drawn(run, "plot_param_importances", params=varied, **options),
        caption=f"Importance of each setting for a good {score_title(run.names[0])}; "
        "they add up to 1.",
        name="importances",
    )


def _target(run: TunedStudy, place: int) -> dict[str, Any]:
    """Name an objective and, where there are several, say which is meant."""
    options: dict[str, Any] = {"target_name": score_title(run.names[place])}
    if len(run.names) > 1:
        options["target"] = lambda trial: trial.values[place]
    return options


def _drawn(run: TunedStudy, plot: str, **options: Any) -> Callable[[Any], Figure]:
    """Let Optuna draw, and take its colours of text and page away."""

    def draw(_: Figure) -> Figure:
        from matplotlib import pyplot, rc_context
        from matplotlib.text import Text
        from matplotlib.ticker import MaxNLocator
        from optuna.visualization import matplotlib as plots

        # It sets a style for good, is experimental, and remarks on rare settings.
        with rc_context({"figure.figsize": (5.6, 4.2)}), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            axes = getattr(plots, plot)(run.study, **options)
        pyplot.close(axes.figure)
        if plot == "plot_optimization_history":  # there is no half a trial
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        for side in ("left", "center", "right"):
            axes.set_title("", loc=side)
        if legend := axes.get_legend():
            labels = [text.get_text() for text in legend.texts]
            legend_below(axes, ncols=2, handles=legend.legend_handles, labels=labels)
        for ax in axes.figure.axes:
            ax.set_facecolor("none")
            ax.tick_params(colors=LIGHT_INK)
        for text in axes.figure.findobj(Text):
            text.set_color(LIGHT_INK)
        left = 0.3 if plot == "plot_param_importances" else 0.14
        axes.figure.set_layout_engine("none")  # others do not suit all of these plots
        axes.figure.subplots_adjust(left=left, right=0.96, bottom=0.24, top=0.94)
        return axes.figure

    return draw
