"""A picture of what approaches report, and what they get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...model.approach_comparison import ApproachComparison

__all__ = ["ApproachesDisplay"]

_SHOWN = ("f1", "recall", "precision", "roc_auc")
_NAMES = {
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "balanced_accuracy": "balanced accuracy",
}
_SIDES = {
    "reported": ("#d1495b", "o", "reported, on its own test set"),
    "untouched": ("#2e5e8c", "D", "got, on untouched participants"),
}
_APART = 0.16  # of the two scores of one approach, up and down


class ApproachesDisplay:
    """Reported scores of approaches beside what they get on untouched participants.

    Each approach has two points with intervals, and a line between them: the
    inflation.

    Parameters
    ----------
    table : DataFrame
        As `ApproachComparison.to_frame` of `glomclf.model` returns it.
    titles : mapping of str to str, default=None
        Titles by the names of approaches; None: the names.

    Attributes
    ----------
    axes_ : ndarray of Axes
        One a score.
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import ApproachesDisplay
    >>> columns = [
    ...     f"{side}{end}"
    ...     for side in ("reported", "untouched")
    ...     for end in ("", "_low", "_high")
    ... ]
    >>> table = pd.DataFrame(
    ...     [[0.92, 0.87, 0.95, 0.78, 0.68, 0.85]],
    ...     columns=columns,
    ...     index=pd.MultiIndex.from_tuples([("1", "f1")], names=["approach", "score"]),
    ... )
    >>> display = ApproachesDisplay(table).plot(["f1"], axes=Figure().subplots())
    >>> display.ax_.get_title()
    'F1'
    """

    axes_: np.ndarray
    ax_: Axes
    figure_: Figure

    def __init__(self, table: pd.DataFrame, titles: Mapping[str, str] | None = None):
        self.table = table
        self.titles = titles

    @classmethod
    def from_comparison(
        cls,
        comparison: ApproachComparison,
        scores: Sequence[str] = _SHOWN,
        *,
        axes: Any = None,
    ) -> ApproachesDisplay:
        """Draw what `glomclf.model.approach_comparison.compare_approaches` returned.

        Parameters
        ----------
        comparison : ApproachComparison
        scores : sequence of str, default=("f1", "recall", "precision", "roc_auc")
            One panel each, of `glomclf.model.approach_comparison.COMPARED_SCORES`.
        axes : matplotlib Axes, or array of them, default=None
            As many as scores; by default a new figure.

        Returns
        -------
        display : ApproachesDisplay
        """
        titles = {one.name: one.title for one in comparison.approaches}
        return cls(comparison.to_frame(), titles).plot(scores, axes=axes)

    def plot(
        self, scores: Sequence[str] = _SHOWN, *, axes: Any = None
    ) -> ApproachesDisplay:
        """Draw one panel a score.

        Parameters
        ----------
        scores : sequence of str, default=("f1", "recall", "precision", "roc_auc")
            Scores of the table.
        axes : matplotlib Axes, or array of them, default=None
            As many as scores; by default a new figure.

        Returns
        -------
        display : ApproachesDisplay

        Raises
        ------
        ValueError
            If a score is not in the table, or there are more or fewer axes than scores.
        """
        self._check(scores, axes)
        if axes is None:
            axes = _new_axes(len(scores), self.table.index.unique("approach").size)
        self.axes_ = np.atleast_1d(np.asarray(axes, dtype=object)).ravel()
        low = float(np.nanmin(self._left_ends(scores)))
        for panel, score in zip(self.axes_, scores, strict=True):
            self._draw(panel, score)
            panel.set_xlim(max(0.0, np.floor(10 * low) / 10), 1.02)
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        handles, labels = self.ax_.get_legend_handles_labels()
        self.figure_.legend(
            handles, labels, loc="outside upper center", ncols=2, frameon=False
        )
        return self

    def _check(self, scores: Sequence[str], axes: Any) -> None:
        known = self.table.index.unique("score")
        faults = [f"there is no score {name!r}" for name in scores if name not in known]
        if axes is not None and np.size(axes) != len(scores):
            faults.append(f"there are {np.size(axes)} axes for {len(scores)} scores")
        if faults or not len(scores):
            raise ValueError(
                f"{'; '.join(faults) or 'no scores were given'}. The table has "
                f"{', '.join(known)}, and each takes one of the axes."
            )

    def _left_ends(self, scores: Sequence[str]) -> np.ndarray:
        shown = self.table[self.table.index.isin(scores, level="score")]
        columns = [f"{side}{end}" for side in _SIDES for end in ("", "_low")]
        return shown[columns].to_numpy(np.float64)

    def _draw(self, ax: Axes, score: str) -> None:
        rows = self.table.xs(score, level="score")
        places = np.arange(len(rows), dtype=float)
        for direction, (side, (color, marker, label)) in zip(
            (-1, 1), _SIDES.items(), strict=True
        ):
            values = rows[side].to_numpy(np.float64)
            reach = np.abs(
                rows[[f"{side}_low", f"{side}_high"]].to_numpy() - values[:, None]
            )
            ax.errorbar(
                values,
                places + direction * _APART,
                xerr=reach.T,
                fmt=marker,
                color=color,
                label=label,
                markersize=6,
                capsize=3,
                elinewidth=1.4,
            )
        for place, (reported, untouched) in zip(
            places, rows[list(_SIDES)].to_numpy(np.float64), strict=True
        ):
            ends = [place - _APART, place + _APART]
            ax.plot([reported, untouched], ends, color="0.6", linewidth=1, zorder=0)
        titles = self.titles or {}
        ax.set_yticks(places, [_broken(titles.get(name, name)) for name in rows.index])
        ax.set(title=_NAMES.get(score, score), ylim=(len(rows) - 0.5, -0.5))
        ax.label_outer()
        ax.grid(axis="x", alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)


def _new_axes(n_panels: int, n_approaches: int) -> Any:
    from matplotlib import pyplot

    n_columns = min(2, n_panels)
    n_rows = -(-n_panels // n_columns)
    figure, axes = pyplot.subplots(
        n_rows,
        n_columns,
        figsize=(9, 0.8 + n_rows * (0.7 + 0.5 * n_approaches)),
        sharex=True,
        layout="constrained",
        squeeze=False,
    )
    for spare in axes.ravel()[n_panels:]:
        figure.delaxes(spare)
    return axes.ravel()[:n_panels]


def _broken(title: str) -> str:
    """Break a title into two lines, at its mark of punctuation nearest the middle."""
    marks = [i + 1 for i, mark in enumerate(title) if mark in ",:" and i > 8]
    if not marks:
        return title
    middle = min(marks, key=lambda i: abs(i - len(title) / 2))
    return f"{title[:middle]}\n{title[middle:].strip()}"
