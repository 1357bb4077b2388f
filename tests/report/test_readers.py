"""The section of readers tells of all scores, and where the model stands."""

import numpy as np
import pandas as pd

from glomclf.evaluation import reader_agreement
from glomclf.report import Report, readers_section


def section_of(error, **more):
    rng = np.random.RandomState(0)
    groups, truth = np.arange(300) // 10, rng.binomial(1, 0.4, 300)
    readers = pd.DataFrame(
        {name: np.abs(truth - rng.binomial(1, 0.15, 300)) for name in ("A", "<B>")}
    )
    model = np.abs(truth - rng.binomial(1, error, 300))
    return readers_section(
        reader_agreement(readers, groups=groups, model=model, n_bootstrap=100)
    )


def test_a_model_better_or_worse_than_readers_is_told_of():
    assert "better than these agree" in section_of(0.0).blocks[0].text
    assert "less than these agree" in section_of(0.5).blocks[0].text


def test_every_pair_and_reader_is_in_the_tables():
    section = section_of(0.1)
    told = [row[0] for block in section.blocks[1:] for row in block.rows]
    assert {"A / <B>", "A / model", "<B> / model", "model", "Gwet's AC1"} <= set(told)
    page = Report("Run", "Lead.", [section]).render()
    assert "&lt;B&gt;" in page
    assert "nan" not in page
