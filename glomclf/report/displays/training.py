"""What a training saw and did: rows and new images of a sampler, losses by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from .canvas import CLASS_COLORS, Display, PanelsDisplay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...samplers.trace import ResamplingStep

History = Mapping[str, Sequence[float]]

_PANELS = ("loss", "accuracy", "learning_rate")
_AUGMENTER = "AugmentationOverSampler"  # it makes an image of one other


class ClassProportionsDisplay(Display):
    """Rows of each class, before and after each step of a sampler.

    Parameters
    ----------
    counts : mapping of str to (mapping of label to int)
        For each stage, in order, the number of rows of each class.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import ClassProportionsDisplay
    >>> display = ClassProportionsDisplay(
    ...     {"training rows": {0: 566, 1: 151}, "after SMOTE": {0: 566, 1: 283}}
    ... )
    >>> display.plot(ax=Figure().subplots()).ax_.get_ylabel()
    'rows'
    """

    def __init__(self, counts: Mapping[str, Mapping[Any, int]]):
        self.counts = counts

    @classmethod
    def from_trace(
        cls, trace: Sequence[ResamplingStep], *, ax: Axes | None = None
    ) -> Self:
        """Draw what `glomclf.samplers.trace.trace_resampling` noted.

        Parameters
        ----------
        trace : list of ResamplingStep
            At least one step.
        ax : matplotlib Axes, default=None
            By default a new figure.

        Returns
        -------
        display : ClassProportionsDisplay
        """
        counts = {"training\nrows": trace[0].counts_before}
        for place, step in enumerate(trace, start=1):
            counts[f"{place}. after\n{_title(step.name)}"] = step.counts_after
        return cls(counts).plot(ax=ax)

    def _draw(self, ax: Axes) -> None:
        frame = pd.DataFrame(self.counts).fillna(0).astype(int).sort_index()
        totals, below = frame.sum().to_numpy(), np.zeros(len(frame.columns))
        for (label, row), color in zip(frame.iterrows(), cycle(CLASS_COLORS)):
            n_rows, name = row.to_numpy(), f"class {label}"
            bars = ax.bar(frame.columns, n_rows, 0.6, below, color=color, label=name)
            shares = zip(n_rows, n_rows / totals, strict=True)
            texts = [f"{n}\n{share:.0%}" for n, share in shares]
            ax.bar_label(bars, texts, label_type="center", color="white", fontsize=9)
            below += n_rows
        ax.set(ylabel="rows", ylim=(0, 1.05 * below.max()))
        ax.spines[["top", "right"]].set_visible(False)
        above: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1)}
        ax.legend(**above, ncols=len(frame), frameon=False)


class SyntheticImagesDisplay(Display):
    """New images beside the images they were made from.

    Parameters
    ----------
    trace : list of ResamplingStep
        Steps without new images are passed over.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Raises
    ------
    ValueError
        If no step made an image.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import SyntheticImagesDisplay
    >>> from glomclf.samplers.trace import ResamplingStep
    >>> images = np.zeros((2, 8, 8, 3), dtype="uint8")
    >>> step = ResamplingStep("SMOTE", {0: 9, 1: 4}, {0: 9, 1: 9}, images, images)
    >>> display = SyntheticImagesDisplay([step]).plot(ax=Figure().subplots())
    >>> [text.get_text() for text in display.ax_.get_yticklabels()]
    ['nearest image', 'SMOTE']
    """

    def __init__(self, trace: Sequence[ResamplingStep]):
        self.trace = [step for step in trace if len(step.synthetic)]
        if not self.trace:
            names = ", ".join(step.name for step in trace) or "there are none"
            raise ValueError(
                f"No step of the sampler made an image (steps: {names}). Trace an "
                "over-sampler that ran on images, such as SMOTE or augmentation."
            )

    def _draw(self, ax: Axes) -> None:
        gap, top, width = 0.08, 0.0, 0.0
        centers: dict[float, str] = {}
        for step in self.trace:
            above = "source" if step.name == _AUGMENTER else "nearest image"
            for title, images in (
                (above, step.sources),
                (_title(step.name), step.synthetic),
            ):
                for column, image in enumerate(images):
                    left = column * (1 + gap)
                    ax.imshow(image, extent=(left, left + 1, top - 1, top))
                    width = max(width, left + 1)
                centers[top - 0.5] = title
                top -= 1 + gap
            top -= 3 * gap
        ax.set(xlim=(0, width), ylim=(min(centers) - 0.5, 0), xticks=[])
        ax.set_yticks(list(centers), list(centers.values()))
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)


def _title(name: str) -> str:
    return "augmentation" if name == _AUGMENTER else name


class HistoryDisplay(PanelsDisplay):
    r"""What was noted of each epoch, of training and validation rows.

    Parameters
    ----------
    history : mapping of str to list of float, or sequence of such mappings
        ``loss``, ``accuracy`` and, if known, ``val_loss``, ``val_accuracy`` and
        ``learning_rate``, as in the attribute ``history_`` of a classifier. Several:
        those of the members of an ensemble, one row of panels each.

    Attributes
    ----------
    histories : list of mappings
        One a network.
    panels : list of str
        What is drawn: loss, accuracy, and of the others those that are known.
    axes_ : ndarray of matplotlib Axes of shape (n_networks, n_panels)
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import HistoryDisplay
    >>> history = {"loss": [0.7, 0.4], "accuracy": [0.5, 0.8]}
    >>> display = HistoryDisplay(history).plot(Figure())
    >>> display.ax_.get_ylabel()
    'loss'
    >>> members = HistoryDisplay([history, history]).plot(Figure())
    >>> members.axes_[1, 0].get_ylabel()
    'fold 2\nloss'
    """

    def __init__(self, history: History | Sequence[History]):
        self.histories = [history] if isinstance(history, Mapping) else list(history)
        # All were trained alike, so that all have the same panels.
        known = set(self.histories[0])
        self.panels = [name for name in _PANELS if {name, f"val_{name}"} & known]

    @property
    def figsize(self) -> tuple[float, float]:
        """The size of the figure that suits the panels, in inches."""
        return 3.5 * len(self.panels), 1.1 + 1.9 * len(self.histories)

    def _panels(self, figure: Figure) -> np.ndarray:
        shape = len(self.histories), len(self.panels)
        axes = figure.subplots(*shape, sharex=True, sharey="col", squeeze=False)
        for history, row in zip(self.histories, axes, strict=True):
            for ax, name in zip(row, self.panels, strict=True):
                _draw(ax, name, history)
        for ax, name in zip(axes[0], self.panels, strict=True):
            if name != "learning_rate":
                ax.legend(frameon=False)
        for ax in axes[-1]:
            ax.set_xlabel("epoch")
        if len(self.histories) > 1:
            for fold, ax in enumerate(axes[:, 0], start=1):
                ax.set_ylabel(f"fold {fold}\n{ax.get_ylabel()}")
        return axes


def _draw(ax: Axes, name: str, history: History) -> None:
    from matplotlib.ticker import MaxNLocator

    lines = ("training", name), ("validation", f"val_{name}")
    for (label, key), color in zip(lines, CLASS_COLORS, strict=False):
        if len(values := history.get(key, ())):
            epochs = np.arange(1, len(values) + 1)
            ax.plot(epochs, values, "o-", color=color, label=label, markersize=4)
    ax.set_ylabel(name.replace("_", " "))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.tick_params(labelbottom=True)  # which sharing takes away
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
