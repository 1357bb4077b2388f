import numpy as np
import pytest

from glomclf import GlomeruliClassifier
from glomclf.errors import SplitError
from glomclf.model.rows import Rows
from glomclf.model.validation import are_enough, set_aside, split_off


def test_validation_split_keeps_participants_whole():
    groups = np.repeat(np.arange(20), 5)
    y = (np.arange(100) % 3 == 0).astype(int)
    train, validation = split_off(y, groups, 0.2, 0)
    assert not set(groups[train]) & set(groups[validation])
    assert sorted([*train, *validation]) == list(range(100))
    assert set(y[validation]) == {0, 1}


def test_validation_split_that_cannot_have_both_classes_says_what_to_do():
    rows = Rows(np.zeros((10, 1)), np.array([1] + [0] * 9))
    classifier = GlomeruliClassifier(validation_fraction=0.3)
    with pytest.raises(SplitError, match="validation_fraction=None"):
        set_aside(classifier, rows, 0, has_X_val=False)


@pytest.mark.parametrize(
    ("sizes", "enough"),
    [([10] * 5, True), ([10] * 4, False), ([100, 1, 1, 1, 1, 1], False)],
)
def test_enough_is_counted_in_equal_participants_of_either_class(sizes, enough):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    y = np.tile([0, 1], groups.size)
    assert are_enough(y, np.repeat(groups, 2)) is enough


def test_enough_without_participants_counts_rows():
    assert are_enough([0] * 5 + [1] * 5, None)
    assert not are_enough([0] * 5 + [1] * 4, None)
    assert not are_enough([0] * 50, None)
