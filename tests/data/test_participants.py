import numpy as np
import pandas as pd
import pytest

from glomclf.data.participants import participants_of, refuse_shared_participants
from glomclf.errors import LeakageError, SplitError


def test_participants_come_from_the_column_alone():
    table = pd.DataFrame({"path": ["a"], "participant": ["p"]})
    assert participants_of(table).tolist() == ["p"]
    assert participants_of(table[["path"]]) is None
    assert participants_of(["a"]) is None
    assert participants_of(table, groups=["q"]).tolist() == ["q"]


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        (["a", None, "b", np.nan], "missing in rows 1, 3"),
        (["a", 1, "b", "c"], "some are numbers"),
    ],
)
def test_participants_that_cannot_be_told_apart_are_refused(groups, told):
    with pytest.raises(SplitError, match=told):
        participants_of(np.zeros(4), groups)
    with pytest.raises(SplitError, match=told):
        participants_of(pd.DataFrame({"participant": groups}))


def test_participants_that_are_not_one_a_row_are_refused():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        participants_of(np.zeros(4), ["a"] * 3)


def test_shared_participants_are_all_named():
    X_val = pd.DataFrame({"path": list("abc"), "participant": ["p1", "p2", "p9"]})
    with pytest.raises(LeakageError, match=r"2 participants .* p1, p2\."):
        refuse_shared_participants(np.array(["p1", "p2", "p3"]), X_val)
    refuse_shared_participants(np.array(["p3"]), X_val)
    numbered = pd.DataFrame({"participant": ["101", "102"]})
    with pytest.raises(LeakageError, match="both X and X_val: 101"):
        refuse_shared_participants(np.array([100, 101]), numbered)
    refuse_shared_participants(None, X_val)
