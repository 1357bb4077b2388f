"""The course of a study, and what decides its scores, as Optuna draws them."""

from __future__ import annotations

import warnings
from typing import Any

from ...tuning.trials import varied_settings
from ..blocks import Paragraph, Section
from ..displays.canvas import legend_below
from ..pictures import _LIGHT_INK, Picture
from ..tuned_study import TunedStudy, score_title

__all__ = ["course_section", "importance_section"]

_MIN_TRIALS = 10  # for importances
_N_TOP = 5  # best trials that PED-ANOVA should have at least


def course_section(study: TunedStudy) -> Section:
    """Draw the trials in their order and, of several objectives, the trade-offs."""
    title = "Course of the study"
    if not study.ended:
        return Section(title, [Paragraph("No trial ended.")])
    pictures = [_history(study, place) for place in range(len(study.names))]
    fronts = [_front(study)] if len(study.names) > 1 else []
    return Section(title, [*pictures, *fronts])


def importance_section(study: TunedStudy) -> Section:
    """Draw how much each setting matters."""
    title, n_ended = "Importance of each setting", len(study.ended)
    varied = varied_settings(study.study)
    if not varied:
        same = "All trials had the same settings." if n_ended else "No trial ended."
        return Section(title, [Paragraph(same)])
    if n_ended < _MIN_TRIALS:
        few = f"Importances of settings need {_MIN_TRIALS} trials that ended; "
        return Section(title, [Paragraph(f"{few}{n_ended} did.")])
    text = (
        "Importances are PED-ANOVA's: how differently a setting is distributed among "
        "the best trials and among all that ended. They tell what the search found "
        "worth choosing, not that other values cannot work."
    )
    return Section(title, [Paragraph(text), _importances(study, varied)])


def _history(study: TunedStudy, place: int) -> Picture:
    title = study.title_of(study.names[place])
    return _drawn(
        "plot_optimization_history",
        study,
        alt=f"{title} of each trial, and the best so far",
        caption=f"{title} of each trial that ended, and the best so far; grey ones "
        "miss the constraint, where there is one.",
        name="history" if place == 0 else f"history_{study.names[place]}",
        **_target(study, place),
    )


def _front(study: TunedStudy) -> Picture:
    first, second = map(study.title_of, study.names[:2])
    return _drawn(
        "plot_pareto_front",
        study,
        alt=f"{first} against {second} of each trial, the best trade-offs marked",
        caption=f"{first} and {second}: no trial is better than a best one in all "
        "objectives.",
        name="pareto_front",
        targets=lambda trial: trial.values[:2],
        target_names=[first, second],
    )


def _importances(study: TunedStudy, varied: list[str]) -> Picture:
    from optuna.importance import PedAnovaImportanceEvaluator

    share = max(0.1, _N_TOP / len(study.ended))
    options = _target(study, 0)
    if len(study.names) > 1:  # PED-ANOVA takes low values of a target for good ones
        options["target"] = lambda trial: -trial.values[0]
    return _drawn(
        "plot_param_importances",
        study,
        alt="Importance of each setting as bars",
        caption=f"Importance of each setting for a good {score_title(study.names[0])}; "
        "they add up to 1.",
        name="importances",
        left=0.3,
        evaluator=PedAnovaImportanceEvaluator(target_quantile=share),
        params=varied,
        **options,
    )


def _target(study: TunedStudy, place: int) -> dict[str, Any]:
    """Name an objective and, where there are several, say which is meant."""
    options: dict[str, Any] = {"target_name": score_title(study.names[place])}
    if len(study.names) > 1:
        options["target"] = lambda trial: trial.values[place]
    return options


def _drawn(
    plot: str,
    study: TunedStudy,
    *,
    alt: str,
    caption: str,
    name: str,
    left: float = 0.14,
    **options: Any,
) -> Picture:
    """Let Optuna draw, and take its colours of text and page away."""
    from matplotlib import pyplot, rc_context
    from matplotlib.text import Text
    from matplotlib.ticker import MaxNLocator
    from optuna.visualization import matplotlib as plots

    # It sets a style for good, is experimental, and remarks on rare settings.
    with rc_context({"figure.figsize": (5.6, 4.2)}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        axes = getattr(plots, plot)(study.study, **options)
        figure = axes.figure
        pyplot.close(figure)
    if plot == "plot_optimization_history":  # there is no half a trial
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for side in ("left", "center", "right"):
        axes.set_title("", loc=side)
    if legend := axes.get_legend():
        labels = [text.get_text() for text in legend.texts]
        legend_below(axes, ncols=2, handles=legend.legend_handles, labels=labels)
    for ax in figure.axes:
        ax.set_facecolor("none")
        ax.tick_params(colors=_LIGHT_INK)
    for text in figure.findobj(Text):
        text.set_color(_LIGHT_INK)
    figure.set_layout_engine("none")  # others do not suit all of these plots
    figure.subplots_adjust(left=left, right=0.96, bottom=0.24, top=0.94)
    return Picture(figure, alt, caption, name)
