"""Splits that keep participants whole and classes in proportion.

Patches of one participant are alike, so a participant must never stand on both sides
of a split; and sclerosis is rare and unevenly spread, so the split must be stratified
as well. Both splitters draw whole participants by `glomclf.data.splitting.balanced`.
"""

from .centres import leave_one_centre_out
from .folds import RepeatedStratifiedGroupKFold, fold_splitter
from .two_sides import StratifiedGroupShuffleSplit, train_test_split_by_participant

__all__ = [
    "RepeatedStratifiedGroupKFold",
    "StratifiedGroupShuffleSplit",
    "fold_splitter",
    "leave_one_centre_out",
    "train_test_split_by_participant",
]
