"""Pictures, in scikit-learn's manner: Display classes.

Each leaves ``ax_`` and ``figure_`` to the user. Matplotlib is imported when something
is drawn.
"""

from .training import ClassProportionsDisplay, HistoryDisplay, SyntheticImagesDisplay

__all__ = [
    "ClassProportionsDisplay",
    "HistoryDisplay",
    "SyntheticImagesDisplay",
]
