"""The majority's label, how much it counts, and no label where there is no majority."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from glomclf.errors import ScoreError
from glomclf.evaluation import combine_readings

LABELS = st.sampled_from([0.0, 1.0, np.nan])


@st.composite
def readings(draw):
    """Draw labels of two readers or more, each of whom has read a patch."""
    shape = (draw(st.integers(1, 8)), draw(st.integers(2, 5)))
    table = draw(arrays(np.float64, shape, elements=LABELS))
    return np.vstack([table, np.ones(shape[1])])


@given(readings())
@settings(max_examples=25, deadline=None)
def test_the_label_is_that_of_most_readers_and_never_of_a_tie(table):
    combined = combine_readings(table)
    for labels, one in zip(table, combined.itertuples(), strict=True):
        n_ones, n_zeros = (labels == 1).sum(), (labels == 0).sum()
        assert one.n_readers == n_ones + n_zeros
        if n_ones == n_zeros:
            assert pd.isna(one.label)
            assert one.weight == 0
        else:
            assert one.label == (n_ones > n_zeros)
            share = n_ones / (n_ones + n_zeros)
            assert one.weight == pytest.approx(abs(2 * share - 1))


@given(readings())
@settings(max_examples=25, deadline=None)
def test_neither_the_order_nor_a_swap_of_classes_matters(table):
    combined = combine_readings(table)
    pd.testing.assert_frame_equal(combine_readings(table[:, ::-1]), combined)
    swapped = combine_readings(1 - table)
    pd.testing.assert_series_equal(swapped["weight"], combined["weight"])
    pd.testing.assert_series_equal(1 - swapped["label"], combined["label"])


def test_a_table_keeps_its_index_and_may_hold_missing_integers():
    table = pd.DataFrame({"A": [1, 0, None], "B": [1, None, 0]}, index=[5, 3, 9])
    combined = combine_readings(table.astype("Int64"))
    assert combined.index.tolist() == [5, 3, 9]
    assert combined["label"].tolist() == [1, 0, 0]


def test_all_faults_of_readings_are_named_at_once():
    with pytest.raises(ScoreError) as caught:
        combine_readings({"A": [0, 2], "B": [np.nan, np.nan]})
    assert "reader 'A' has 1 labels other than 0 and 1" in str(caught.value)
    assert "reader 'B' has read no patch" in str(caught.value)


def test_one_reader_is_none_to_combine():
    with pytest.raises(ScoreError, match="two columns"):
        combine_readings({"A": [0, 1]})
