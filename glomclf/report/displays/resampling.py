"""What a sampler did: rows of each class, and new images beside their sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from .canvas import CLASS_COLORS, Display

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...samplers.trace import ResamplingStep

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
