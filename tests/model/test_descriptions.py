"""Estimators as JSON: what may be named in a file comes back, nothing else is built."""

import json

import numpy as np
import pytest
from imblearn.base import BaseSampler
from imblearn.combine import SMOTEENN
from imblearn.over_sampling import SMOTE
from imblearn.under_sampling import RandomUnderSampler
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from glomclf import AugmentationOverSampler, ImageSampler, RecallAtLeast
from glomclf.errors import ModelFileError
from glomclf.model.descriptions import (
    estimator_from_json,
    estimator_to_json,
    learned_from_parts,
    learned_to_parts,
)


def through_json(estimator):
    return estimator_from_json(json.loads(json.dumps(estimator_to_json(estimator))))


@pytest.mark.parametrize(
    "sampler",
    [
        SMOTE(sampling_strategy=0.5, random_state=42),
        SMOTE(sampling_strategy={0: 30, 1: 30}, k_neighbors=3),
        SMOTEENN(smote=SMOTE(k_neighbors=2), random_state=0),
        RandomUnderSampler(random_state=np.int64(3)),
        ImageSampler(SMOTE(random_state=1), random_state=0),
        AugmentationOverSampler(zoom_range=0.1, random_state=0),
    ],
    ids=str,
)
def test_an_estimator_comes_back_with_its_parameters(sampler):
    restored = through_json(sampler)
    assert type(restored) is type(sampler)
    assert str(restored) == str(sampler).replace("np.int64(3)", "3")
    assert restored.get_params().keys() == sampler.get_params().keys()


@pytest.mark.parametrize(
    "value", [None, "smote+augment", {0: 1.0, 1: 4.0}, RecallAtLeast(0.9)]
)
def test_plain_values_come_back_as_they_are(value):
    assert through_json(value) == value


def test_numpy_scalars_come_back_as_plain_numbers():
    restored = through_json({np.int64(0): np.float32(0.5)})
    assert restored == {0: 0.5}
    assert [type(part) for part in next(iter(restored.items()))] == [int, float]


def test_a_list_of_samplers_keeps_its_order():
    restored = through_json([RandomUnderSampler(), "augment", SMOTE()])
    assert isinstance(restored[0], RandomUnderSampler)
    assert restored[1] == "augment"
    assert isinstance(restored[2], SMOTE)


class HomeMadeSampler(BaseSampler):
    """A sampler that no file may name."""

    _sampling_type = "bypass"

    def _fit_resample(self, X, y):
        return X, y


@pytest.mark.parametrize(
    "sampler",
    [
        HomeMadeSampler(),
        SMOTE(k_neighbors=NearestNeighbors()),
        SMOTE(random_state=np.random.RandomState(0)),
        [SMOTE(), HomeMadeSampler()],
    ],
    ids=["own class", "unknown class inside", "RandomState inside", "in a list"],
)
def test_what_no_file_may_name_is_refused_with_a_remedy(sampler):
    with pytest.raises(
        ModelFileError, match=r"imblearn\.over_sampling.*set_params\(sampler=None\)"
    ):
        estimator_to_json(sampler)


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "glomclf.samplers.make_sampler",
        "glomclf.data.read_manifest",
        "glomclf.evaluation.Evaluation",
        "sklearn.linear_model.Ridge",
        "glomclf.samplers.chain.SamplerChain",
        "imblearn.over_sampling.base.BaseOverSampler",
        "imblearn.over_sampling.__builtins__",
        "SMOTE",
    ],
)
def test_a_class_that_no_file_may_name_is_not_built(name):
    with pytest.raises(ModelFileError, match=f"'{name}' is not an estimator"):
        estimator_from_json({"class": name, "parameters": {}})


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    return y[:, None] + rng.normal(size=(60, 6)), y


def test_what_scikit_learn_learned_comes_back_as_arrays(rows):
    X, y = rows
    network = make_pipeline(StandardScaler(), PCA(3), LogisticRegression()).fit(X, y)
    arrays = learned_to_parts(network, "classify")
    assert all(array.dtype.kind in "fiu" for array in arrays.values())
    restored = through_json(network)
    learned_from_parts(restored, "classify", arrays, np.array([0, 1]))
    np.testing.assert_array_equal(restored.predict_proba(X), network.predict_proba(X))


def test_what_another_class_learned_is_refused_with_a_remedy(rows):
    forest = RandomForestClassifier(2).fit(*rows)
    with pytest.raises(ModelFileError, match=r"RandomForest.*another network"):
        learned_to_parts(forest, "classify")
