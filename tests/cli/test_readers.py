"""Columns of readers: what is no label is refused, what is blank is not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glomclf.cli.console import InputError
from glomclf.cli.readers import compare_readers, reader_columns

TEST = pd.DataFrame(
    {
        "participant": np.repeat(list("abcdefgh"), 5).tolist(),
        "A": np.tile([0, 1, 0, 0, 1], 8),
        "B": np.tile([0, 1, 0, np.nan, 0], 8),
        "C": np.tile(["x", "0", "1", "0", "1"], 8),
    }
)


def test_readers_are_compared_and_written(tmp_path):
    readers = reader_columns(TEST, ("A", "B"), Path("t.csv"))
    (section,) = compare_readers(TEST, readers, (TEST["A"] == 1).to_numpy(), tmp_path)
    assert section.title == "Readers"
    table = pd.read_csv(tmp_path / "readers.csv", index_col="score")
    assert table.loc["kappa A / model", "value"] == 1
    assert table.loc["percent_agreement", "value"] == 0.75


def test_without_readers_nothing_is_written(tmp_path):
    readers = reader_columns(TEST, (), Path("t.csv"))
    assert compare_readers(TEST, readers, np.zeros(40, bool), tmp_path) == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("readers", "told"),
    [
        (("A", "D"), "no column 'D'"),
        (("A",), "twice or more"),
        (("A", "C"), "'C' holds 'x'"),
    ],
)
def test_what_cannot_be_compared_is_refused(readers, told):
    with pytest.raises(InputError, match=told):
        reader_columns(TEST, readers, Path("t.csv"))
