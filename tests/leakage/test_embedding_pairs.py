"""find_duplicate_embeddings: what is near, and what only seems so."""

import numpy as np
import pytest

from glomclf.errors import GlomclfError
from glomclf.leakage import audit_splits, find_duplicate_embeddings

RNG = np.random.default_rng(0)


def test_equal_and_near_rows_are_found_whatever_their_scale():
    rows = RNG.normal(size=(60, 128)) * 10.0 ** RNG.integers(-4, 5, size=128)
    rows[20] = rows[10]
    rows[40] = rows[30] + 0.05 * rows.std(axis=0) * RNG.normal(size=128)
    pairs = find_duplicate_embeddings(rows)
    assert pairs[["first", "second"]].to_numpy().tolist() == [[10, 20], [30, 40]]
    assert pairs["kind"].tolist() == ["identical features", "near-duplicate features"]
    assert pairs["distance"][0] == 0
    assert 0 < pairs["distance"][1] < 0.4


def test_rows_that_differ_by_more_are_no_pair():
    rows = RNG.normal(size=(60, 128))
    rows[40] = rows[30] + 2 * RNG.normal(size=128)
    assert find_duplicate_embeddings(rows).empty


def test_few_features_agree_by_chance_and_prove_nothing():
    rows = RNG.normal(size=(400, 3))
    assert find_duplicate_embeddings(rows).empty
    rows[7] = rows[5]
    assert find_duplicate_embeddings(rows)[["first", "second"]].values.tolist() == [
        [5, 7]
    ]


def test_features_that_do_not_vary_say_nothing():
    rows = RNG.normal(size=(300, 64)).astype(np.float32)
    rows[1] = rows[0] + 1e-3
    dead = np.tile(np.float32([0, 0.1, 1e6]), (300, 1))
    pairs = find_duplicate_embeddings(np.hstack([rows, dead]))
    assert pairs.equals(find_duplicate_embeddings(rows))
    assert len(pairs) == 1


def test_distance_0_finds_equal_rows_alone():
    rows = RNG.normal(size=(20, 64))
    rows[1], rows[3] = rows[0], rows[2] + 1e-3
    assert len(find_duplicate_embeddings(rows, max_distance=0)) == 1
    assert len(find_duplicate_embeddings(rows)) == 2


def test_pairs_do_not_depend_on_the_blocks(monkeypatch):
    rows = RNG.normal(size=(50, 64))
    rows[[49, 31]] = rows[[2, 30]] + 1e-3
    whole = find_duplicate_embeddings(rows)
    monkeypatch.setattr("glomclf.leakage.embedding_pairs._BLOCK", 7)
    assert find_duplicate_embeddings(rows).equals(whole)
    assert sorted(whole["first"]) == [2, 30]
    assert sorted(whole["second"]) == [31, 49]


def test_an_audit_compares_embeddings_where_they_are_given():
    rows, y = RNG.normal(size=(12, 64)), np.arange(12) % 2
    rows[9] = rows[3]
    names = [f"{i}.png" for i in range(12)]
    audit = audit_splits(names, y, [(range(6), range(6, 12))], embeddings=rows)
    findings = audit.to_frame()
    assert findings["kind"].tolist() == ["identical features"]
    assert findings["train_name"].tolist() == ["3.png"]
    with pytest.raises(GlomclfError, match="the same embedding is trained on"):
        audit.raise_if_leaky()
