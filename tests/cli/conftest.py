"""Patches and a model that tests of several commands read, and none may change."""

import pytest

from glomclf import PatchEncoder, make_classifier, make_glomeruli, read_manifest
from glomclf.model import training_reference
from glomclf.model.known_people import keep_record
from tests.commands import without_pictures


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """48 patches of 12 participants: enough for folds and a record."""
    folder = tmp_path_factory.mktemp("cli") / "data"
    make_glomeruli(
        48,
        n_participants=12,
        sclerotic_fraction=0.4,
        image_size=32,
        directory=folder,
        random_state=0,
    )
    return folder


@pytest.fixture(scope="session")
def model(data):
    """A logistic regression on random features, with what `train --cv` keeps."""
    path, manifest = data.parent / "tiny.glomclf", read_manifest(data / "public.csv")
    encoder = PatchEncoder("cnn", weights=None)
    classifier = make_classifier("linear", encoder=encoder, image_size=32)
    y, groups = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    classifier.fit(manifest, y)
    keep_record(classifier, y, 0.1 + 0.8 * y, groups)
    classifier.training_reference_ = training_reference(classifier, manifest, groups)
    classifier.save(path)
    return path


@pytest.fixture
def undrawn():
    """Run a test without drawing."""
    with without_pictures() as patch:
        yield patch
