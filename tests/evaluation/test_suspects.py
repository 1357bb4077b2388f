"""Wrong labels are found, the worst first, and each participant's stand together."""

from itertools import pairwise

import numpy as np
import pytest

from glomclf.errors import ScoreError
from glomclf.evaluation import suspect_labels


def flipped(n_flipped=20, seed=0):
    rng = np.random.RandomState(seed)
    truth, groups = rng.binomial(1, 0.2, 400), np.arange(400) // 10
    score = 1 / (1 + np.exp(-(6 * truth - 3 + rng.normal(size=400))))
    rows = rng.permutation(400)[:n_flipped]
    labels = truth.copy()
    labels[rows] = 1 - labels[rows]
    return labels, score, groups, set(rows)


def test_flipped_labels_are_found():
    labels, score, groups, rows = flipped()
    found = set(suspect_labels(labels, score, groups=groups).index)
    assert len(found & rows) >= 0.8 * len(rows)
    assert len(found & rows) >= 0.8 * len(found)


def test_a_participant_stands_together_the_worst_first():
    labels, score, groups, _ = flipped()
    table = suspect_labels(labels, score, groups=groups)
    who = table["participant"].tolist()
    changes = sum(one != other for one, other in pairwise(who))
    assert changes == len(set(who)) - 1 < len(who) - 1
    worst = table.groupby("participant", sort=False)["support"].first()
    assert worst.is_monotonic_increasing
    assert (worst == table.groupby("participant", sort=False)["support"].min()).all()


def test_a_rare_class_of_low_probabilities_is_not_suspect_as_a_whole():
    labels = np.repeat([0, 1], [90, 10])
    score = np.where(labels == 1, 0.4, 0.02) + np.linspace(0, 0.05, 100)
    assert suspect_labels(labels, score).empty


def test_one_class_is_refused():
    with pytest.raises(ScoreError, match="one class only"):
        suspect_labels([0, 0], [0.1, 0.2])
