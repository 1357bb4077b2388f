"""What a model keeps of its training participants, in memory and in its file."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from glomclf import FoldEnsembleClassifier, GlomeruliClassifier, read_classifier
from glomclf.evaluation import OutOfFoldRecord
from glomclf.model.known_people import keep_record
from glomclf.model.reference import Space, training_reference


@pytest.fixture
def rows():
    """Features of 8 participants, 5 rows each, that a line tells apart."""
    rng = np.random.RandomState(0)
    y = rng.randint(2, size=40)
    X = rng.standard_normal((40, 6)) + y[:, None]
    return X, y, np.repeat(list("abcdefgh"), 5)


def _classifier():
    return GlomeruliClassifier(None, network=LogisticRegression())


def test_a_file_keeps_record_and_reference_and_no_name(rows, tmp_path):
    X, y, _ = rows
    groups = np.repeat([f"Secret {k}" for k in range(8)], 5)
    model = _classifier().fit(X, y, groups=groups)
    keep_record(model, y, np.linspace(0, 1, 40), groups)
    model.training_reference_ = training_reference(model, X, groups)
    model.save(tmp_path / "m.glomclf")
    assert b"Secret" not in (tmp_path / "m.glomclf").read_bytes()
    read = read_classifier(tmp_path / "m.glomclf")
    record = read.out_of_fold_record_
    np.testing.assert_array_equal(record.label, y)
    np.testing.assert_array_equal(record.probability, np.linspace(0, 1, 40))
    assert record.n_participants == read.training_reference_.n_participants == 8
    told = model.training_reference_.distances(model, X, groups)
    again = read.training_reference_.distances(read, X, groups)
    pd.testing.assert_frame_equal(told, again)


def test_another_fit_forgets_what_was_kept_of_the_first(rows):
    X, y, groups = rows
    model = _classifier().fit(X, y, groups=groups)
    keep_record(model, y, np.linspace(0, 1, 40), groups)
    model.training_reference_ = training_reference(model, X, groups)
    model.fit(X, y, groups=groups)
    assert not hasattr(model, "out_of_fold_record_")
    assert not hasattr(model, "training_reference_")


def test_an_ensemble_keeps_its_own_record_where_participants_are_known(rows, tmp_path):
    X, y, groups = rows
    ensemble = FoldEnsembleClassifier(_classifier(), cv=4, random_state=0)
    ensemble.fit(X, y, groups=groups).save(tmp_path / "e.glomclf")
    record = read_classifier(tmp_path / "e.glomclf").out_of_fold_record_
    np.testing.assert_array_equal(record.probability, ensemble.oof_probability_)
    np.testing.assert_array_equal(record.label, y)
    assert not hasattr(ensemble.fit(X, y), "out_of_fold_record_")


def test_a_model_without_either_is_read_without_either(rows, tmp_path):
    X, y, groups = rows
    _classifier().fit(X, y, groups=groups).save(tmp_path / "m.glomclf")
    read = read_classifier(tmp_path / "m.glomclf")
    assert not hasattr(read, "out_of_fold_record_")
    assert not hasattr(read, "training_reference_")


def test_a_biopsy_from_elsewhere_is_unlike_the_training(rows):
    X, y, groups = rows
    model = _classifier().fit(X, y, groups=groups)
    reference = training_reference(model, X, groups)
    new = np.concatenate([X[:5] + 0.01, X[:5] + 20])
    table = reference.distances(model, new, np.repeat(["near", "far"], 5))
    assert table["unlike_training"].to_dict() == {"near": False, "far": True}
    assert table.loc["far", "features_nearer"] == 8
    assert table.loc["near", "features_distance"] < 0.1
    assert "stain_distance" not in table  # there are no images


def test_a_participant_is_compared_with_the_others_alone():
    values = np.array([[0.0], [0.0], [4.0], [4.0]])
    space = Space.of(values, np.array([0, 0, 1, 1]))
    assert space.own_distances == pytest.approx([2, 2])  # of standard deviations
    assert space.distance(np.array([[np.nan]])) != space.distance(values[:1])


def test_many_values_are_projected_and_distances_stay(rows):
    rng = np.random.RandomState(1)
    values = rng.standard_normal((30, 2000))
    space = Space.of(values, np.arange(30))
    assert space.points.shape == (30, 64)
    assert np.median(space.own_distances) == pytest.approx(np.sqrt(2 * 2000), rel=0.25)


def test_a_record_is_of_checked_input():
    with pytest.raises(ValueError, match="outside"):
        OutOfFoldRecord.from_predictions([0, 1], [0.1, 1.1], ["a", "b"])
