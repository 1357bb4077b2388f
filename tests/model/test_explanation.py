"""Maps of what a classifier looked at: where the answer is known, they show it."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression

from glomclf import (
    FoldEnsembleClassifier,
    GlomeruliClassifier,
    LinearProbe,
    PatchClassifier,
    PatchEncoder,
    explain,
    make_glomeruli,
)
from glomclf.errors import ParameterError
from glomclf.evaluation.weighted_logistic import clipped_logits

SIDE = 56  # 7 squares of 8 pixels
CENTRES = slice(4, None, 8)


class Corner(TransformerMixin, BaseEstimator):
    """Looks at the brightness of the upper left corner, and at nothing else."""

    def fit(self, X, y=None):
        self.is_fitted_ = True
        return self

    def transform(self, X):
        return X[:, :24, :24].mean(axis=(1, 2, 3))[:, np.newaxis] / 255


@pytest.fixture(scope="module")
def corners():
    """Images of noise, whose corner is bright in class 1."""
    rng = np.random.RandomState(0)
    X, y = rng.randint(100, 156, size=(20, SIDE, SIDE, 3)), np.tile([0, 1], 10)
    X[y == 1, :24, :24] += 80
    return X.astype(np.uint8), y


def classifier_of(encoder, network, **settings):
    settings = {"sampler": None, "image_size": SIDE, "random_state": 0, **settings}
    return GlomeruliClassifier(encoder=encoder, network=network, **settings)


def test_occlusion_finds_the_corner_that_is_looked_at(corners):
    X, y = corners
    classifier = classifier_of(Corner(), LogisticRegression(C=100)).fit(X, y)
    found = explain(classifier, X)
    assert found.method == "occlusion"
    assert (found.maps.shape, found.maps.dtype) == (X.shape[:3], np.float32)
    np.testing.assert_array_equal(found.images, X)
    cells = found.maps[:, CENTRES, CENTRES]
    assert (cells[y == 1, :3, :3] > 0.1).all()  # bright: it speaks for 1
    assert (cells[y == 0, :3, :3] < cells[y == 1, :3, :3].min()).all()
    np.testing.assert_allclose(cells[:, 4:], 0, atol=1e-6)
    np.testing.assert_allclose(cells[:, :, 4:], 0, atol=1e-6)


def test_the_positive_class_is_the_one_that_the_user_named(corners):
    X, y = corners
    maps = [
        explain(one.fit(X, y, pos_label=label), X[:2]).maps
        for label in (0, 1)
        for one in [classifier_of(Corner(), LogisticRegression())]
    ]
    np.testing.assert_array_equal(maps[0], -maps[1])


@pytest.fixture(scope="module")
def glomeruli():
    X, y, _ = make_glomeruli(24, n_participants=6, image_size=64, random_state=0)
    return X, y


def tiny(**settings):
    settings = {"dense_units": 8, "epochs": 1, "learning_rate": 1e-4, **settings}
    return PatchClassifier("cnn", weights=None, **settings)


@pytest.mark.parametrize(
    ("encoder", "network"),
    [
        (PatchEncoder("cnn", weights=None), LinearProbe(0.01)),
        (None, tiny()),
        (None, tiny(trainable_layers=1)),
        (None, tiny(trainable_layers=6, augmentation="dihedral")),
        (None, tiny(trainable_layers="all")),
    ],
    ids=["probe", "head", "pooling", "tail of images", "whole"],
)
def test_the_mean_of_a_class_activation_map_is_the_log_odds(
    glomeruli, encoder, network
):
    X, y = glomeruli
    classifier = classifier_of(encoder, network, image_size=64).fit(X, y)
    before = classifier.predict_proba(X)
    found = explain(classifier, X)
    assert found.method == "cam"
    np.testing.assert_allclose(
        found.maps.mean(axis=(1, 2)), clipped_logits(before[:, 1]), atol=1e-4
    )
    np.testing.assert_array_equal(classifier.predict_proba(X), before)


@pytest.fixture(scope="module")
def probe(glomeruli, tmp_path_factory):
    """A linear probe of pooled features, with a store of its own."""
    encoder = PatchEncoder("cnn", weights=None)
    folder = tmp_path_factory.mktemp("store")
    network = LinearProbe(0.01)
    classifier = classifier_of(encoder, network, image_size=64, cache_dir=folder)
    return classifier.fit(*glomeruli)


def test_a_class_activation_map_changes_where_the_image_does(probe):
    blank = np.full((2, 64, 64, 3), 230, dtype=np.uint8)
    blank[1, 48:, 16:32] = (120, 20, 90)
    plain, marked = explain(probe, blank, method="cam").maps
    change = np.abs(marked - plain)[8::16, 8::16]
    assert np.unravel_index(change.argmax(), change.shape) == (3, 1)


def test_nothing_of_an_explanation_is_stored(probe, glomeruli):
    X, _ = glomeruli
    probe.predict_proba(X)
    folder = probe.cache_dir
    stored = {path: path.stat().st_size for path in folder.rglob("*")}
    assert stored
    for method in ("cam", "occlusion"):
        assert explain(probe, X[:3], method=method).method == method
    assert {path: path.stat().st_size for path in folder.rglob("*")} == stored
    assert probe.pipeline_["encode"].cache_dir == folder


def test_maps_too_coarse_to_tell_places_apart_are_not_taken(glomeruli):
    X, y = glomeruli
    encoder = PatchEncoder("cnn", weights=None)
    classifier = classifier_of(encoder, LinearProbe(0.01), image_size=32).fit(X, y)
    assert explain(classifier, X[:1]).method == "occlusion"
    assert explain(classifier, X[:1], method="cam").method == "cam"


def test_maps_of_an_ensemble_are_the_mean_of_its_members(corners):
    X, y = corners
    one = classifier_of(Corner(), LogisticRegression(C=100))
    ensemble = FoldEnsembleClassifier(one, cv=2, random_state=0).fit(X, y)
    each = [explain(member, X[:3]).maps for member in ensemble.estimators_]
    assert not np.allclose(*each)
    np.testing.assert_allclose(
        explain(ensemble, X[:3]).maps, np.mean(each, axis=0), rtol=1e-5
    )


def test_what_cannot_be_explained_is_refused_with_the_reason(corners):
    X, y = corners
    rows = X.reshape(len(X), -1)[:, :5].astype(float)
    of_features = GlomeruliClassifier(None, network=LogisticRegression()).fit(rows, y)
    with pytest.raises(ParameterError, match="do not say where in an image"):
        explain(of_features, rows)
    with pytest.raises(ParameterError, match="Expected a GlomeruliClassifier"):
        explain(LogisticRegression(), X)
    classifier = classifier_of(Corner(), LogisticRegression()).fit(X, y)
    with pytest.raises(ParameterError, match="trained on images"):
        explain(classifier, rows)
    with pytest.raises(ParameterError, match="method='lime' was given"):
        explain(classifier, X, method="lime")
    with pytest.raises(ParameterError, match="has Corner and LogisticRegression"):
        explain(classifier, X, method="cam")
