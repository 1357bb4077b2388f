import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE, BorderlineSMOTE
from imblearn.pipeline import Pipeline
from imblearn.under_sampling import RandomUnderSampler
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    TunedThresholdClassifierCV,
    check_cv,
    cross_validate,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from glomclf import (
    GlomeruliClassifier,
    ImageLoader,
    PatchClassifier,
    PatchEncoder,
    RecallAtLeast,
    make_classifier,
    make_glomeruli,
)
from glomclf.errors import (
    EngineError,
    ImageError,
    LeakageError,
    ModelFileError,
    ParameterError,
    ParticipantWarning,
    SamplingError,
    SplitError,
)
from glomclf.evaluation.thresholds import choose_threshold
from glomclf.model.validation import are_enough

SIZE = 32


def small_classifier(**parameters):
    """Return a small classifier: frozen features of a CNN, trained in a second."""
    small = {
        "sampler": None,
        "image_size": SIZE,
        "validation_fraction": 0.25,
        "random_state": 0,
        "network__backbone": "cnn",
        "network__weights": None,
        "network__dense_units": 16,
        "network__epochs": 2,
        "network__patience": 1,
    }
    return make_classifier("features", **{**small, **parameters})


@pytest.fixture(scope="module")
def images():
    """60 patches of 12 participants, 20 of them sclerotic."""
    return make_glomeruli(
        60,
        n_participants=12,
        sclerotic_fraction=1 / 3,
        image_size=SIZE,
        random_state=0,
    )


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """The same patches as files, sorted by label."""
    return make_glomeruli(
        60,
        n_participants=12,
        sclerotic_fraction=1 / 3,
        image_size=SIZE,
        directory=tmp_path_factory.mktemp("patches") / "set",
        random_state=0,
    ).sort_values("label", ignore_index=True)


@pytest.fixture(scope="module")
def fitted(images):
    """One fit shared by tests that only read: each fit costs seconds of TensorFlow."""
    X, y, groups = images
    return small_classifier(sampler="smote+augment").fit(X, y, groups=groups)


@pytest.mark.parametrize(
    ("sampler", "space"),
    [
        ("smote+augment", "pixels"),
        ("undersample+augment", "pixels"),
        ("oversample", "features"),
        (BorderlineSMOTE(k_neighbors=3, m_neighbors=5), "features"),
        ([SMOTE(sampling_strategy=0.7, k_neighbors=3), RandomUnderSampler()], "pixels"),
    ],
    ids=str,
)
def test_every_kind_of_sampler_fits_in_its_space(images, sampler, space):
    X, y, groups = images
    classifier = small_classifier(sampler=sampler, sampling_space=space)
    classifier.fit(X, y, groups=groups)
    steps = list(classifier.pipeline_.named_steps)
    middle = ["sample", "encode"] if space == "pixels" else ["encode", "sample"]
    assert steps == ["load", "stain", *middle, "classify"]
    proba = classifier.predict_proba(X)
    assert proba.shape == (60, 2)
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)


def test_validation_participants_are_set_aside_before_sampling(images, fitted):
    _, y, groups = images
    aside = fitted.validation_indices_
    training = np.setdiff1d(np.arange(60), aside)
    assert not set(groups[aside]) & set(groups[training])
    assert set(y[aside]) == {0, 1}
    assert fitted.training_record_["n_samples"] == len(training)


def test_validation_rows_reach_the_network_as_they_are(images, monkeypatch):
    seen = {}
    fit = PatchClassifier.fit

    def watched(self, X, y, sample_weight=None, X_val=None, y_val=None):
        seen.update(X_val=X_val, y_val=y_val, n_train=len(X))
        return fit(self, X, y, sample_weight, X_val, y_val)

    monkeypatch.setattr(PatchClassifier, "fit", watched)
    X, y, groups = images
    classifier = small_classifier(sampler="smote+augment").fit(X, y, groups=groups)
    aside = classifier.validation_indices_
    normalised = classifier.pipeline_["stain"].transform(X[aside])
    features = classifier.pipeline_["encode"].transform(normalised)
    np.testing.assert_array_equal(seen["X_val"], features)
    np.testing.assert_array_equal(seen["y_val"], y[aside])
    assert seen["n_train"] > 60 - len(aside)


def test_pixels_of_a_held_out_fold_change_nothing_in_its_model(images):
    X, y, groups = images
    train, test = next(StratifiedGroupKFold(3).split(X, y, groups))
    changed = X.copy()
    changed[test] = 255 - changed[test]
    models = [
        small_classifier(sampler="smote").fit(
            rows[train], y[train], groups=groups[train]
        )
        for rows in (X, changed)
    ]
    assert models[0].history_ == models[1].history_
    assert models[0].threshold_ == models[1].threshold_
    np.testing.assert_array_equal(
        models[0].predict_proba(X[test]), models[1].predict_proba(X[test])
    )


@pytest.mark.filterwarnings("ignore:The participants are not known")
def test_without_participants_rows_are_stratified(images):
    X, y, _ = images
    classifier = small_classifier().fit(X, y)
    aside = classifier.validation_indices_
    assert len(aside) == 15
    assert y[aside].sum() == 5


def test_participant_column_groups_the_validation_split(manifest):
    X, y = manifest[["path", "participant"]], manifest["label"]
    classifier = small_classifier().fit(X, y)
    aside = manifest["participant"].iloc[classifier.validation_indices_]
    rest = manifest["participant"].drop(index=aside.index)
    assert not set(aside) & set(rest)


def test_given_validation_rows_replace_the_split(images):
    X, y, groups = images
    train, val = next(StratifiedGroupKFold(3).split(X, y, groups))
    classifier = small_classifier(validation_fraction=None)
    classifier.fit(X[train], y[train], X_val=X[val], y_val=y[val])
    assert len(classifier.validation_indices_) == 0
    assert len(classifier.history_["val_loss"]) == len(classifier.history_["loss"])


def test_validation_rows_of_a_training_participant_are_refused(manifest):
    X, y = manifest[["path", "participant"]], manifest["label"]
    with pytest.raises(LeakageError, match=r"participants are in both X and X_val"):
        small_classifier(validation_fraction=None).fit(X, y, X_val=X[:9], y_val=y[:9])


@pytest.mark.filterwarnings("ignore:The participants are not known")
def test_paths_frames_and_arrays_predict_the_same(manifest):
    y = manifest["label"]
    arrays = ImageLoader(SIZE).fit_transform(manifest["path"])
    forms = [manifest[["path"]], manifest["path"], list(manifest["path"]), arrays]
    probabilities = [small_classifier().fit(X, y).predict_proba(X) for X in forms]
    for other in probabilities[1:]:
        np.testing.assert_array_equal(probabilities[0], other)


def test_the_named_class_is_positive_whatever_its_place_among_the_sorted(
    images, tmp_path
):
    """Sorted, "GS" comes before "NGS"."""
    X, y, groups = images
    labels = np.where(y == 1, "GS", "NGS")
    named = small_classifier(threshold=0.3).fit(X, labels, groups, pos_label="GS")
    assert (list(named.classes_), named.pos_label_) == (["GS", "NGS"], "GS")
    probability = named.predict_proba(X)[:, 0]
    np.testing.assert_array_equal(named.predict(X) == "GS", probability >= 0.3)
    named.save(tmp_path / "model.glomclf")
    loaded = GlomeruliClassifier.load(tmp_path / "model.glomclf")
    np.testing.assert_array_equal(loaded.predict(X), named.predict(X))


@pytest.mark.parametrize("pos_label", [None, "gs"])
def test_labels_without_a_positive_one_say_how_to_name_it(images, pos_label):
    X, y, groups = images
    labels = np.where(y == 1, "GS", "NGS")
    with pytest.raises(ParameterError, match=r"\['GS', 'NGS'\]"):
        small_classifier().fit(X, labels, groups, pos_label=pos_label)


def test_decisions_on_rows_of_unknown_participants_warn_and_are_called_so(images):
    X, y, _ = images
    model = small_classifier(network__patience=None, validation_fraction=0.9)
    model.set_params(threshold="f1")
    with pytest.warns(ParticipantWarning, match="Pass groups") as caught:
        model.fit(X, y)
    assert caught[0].filename == __file__
    assert model.training_record_["threshold_chosen_on"] == "validation rows"


def test_threshold_decides_the_prediction(images, fitted):
    X, _, _ = images
    model = pickle.loads(pickle.dumps(fitted))
    positive = model.predict_proba(X)[:, 1]
    model.threshold_ = float(np.median(positive))
    np.testing.assert_array_equal(model.predict(X), positive >= np.median(positive))


@pytest.mark.filterwarnings("ignore:The participants are not known")
def test_same_seed_gives_the_same_model_whatever_was_fitted_before(images):
    X, y, groups = images
    first = small_classifier(sampler="smote+augment").fit(X, y, groups=groups)
    small_classifier(random_state=None).fit(X, y)
    again = small_classifier(sampler="smote+augment").fit(X, y, groups=groups)
    np.testing.assert_array_equal(first.predict_proba(X), again.predict_proba(X))


def test_features_are_the_same_without_the_cache(images, fitted):
    X, y, groups = images
    model = small_classifier(sampler="smote+augment", cache_dir=False)
    model.fit(X, y, groups=groups)
    np.testing.assert_allclose(
        model.predict_proba(X), fitted.predict_proba(X), atol=1e-5
    )


def test_saved_model_predicts_the_same(images, fitted, tmp_path):
    X, _, _ = images
    fitted.save(tmp_path / "model.glomclf")
    loaded = GlomeruliClassifier.load(tmp_path / "model.glomclf")
    np.testing.assert_allclose(
        loaded.predict_proba(X), fitted.predict_proba(X), atol=1e-6
    )
    assert str(loaded) == str(fitted)
    assert loaded.history_ == fitted.history_
    assert loaded.training_record_ == fitted.training_record_


def test_saved_model_of_trained_layers_predicts_the_same(images, tmp_path):
    X, y, groups = images
    model = small_classifier(
        sampler=SMOTE(k_neighbors=3), network__trainable_layers=3, network__epochs=1
    ).fit(X, y, groups=groups)
    model.save(tmp_path / "model.glomclf")
    loaded = GlomeruliClassifier.load(tmp_path / "model.glomclf")
    copied = pickle.loads(pickle.dumps(loaded))
    for one in (loaded, copied):
        np.testing.assert_allclose(
            one.predict_proba(X), model.predict_proba(X), atol=1e-6
        )
    assert loaded.sampler.k_neighbors == 3


def test_a_saved_model_keeps_nothing_of_the_machine(images, tmp_path):
    X, y, groups = images
    folders = {
        name: tmp_path / name for name in ("cache_dir", "network__checkpoint_dir")
    }
    classifier = small_classifier(**folders, encoder__engine="keras")
    file = tmp_path / "model.glomclf"
    classifier.fit(X, y, groups=groups).save(file)
    assert str(tmp_path) not in file.read_bytes().decode("latin-1")
    loaded = GlomeruliClassifier.load(file)
    assert (loaded.encoder.engine, loaded.encoder.precision) == ("auto", "float32")
    assert (loaded.cache_dir, loaded.network.checkpoint_dir) == (None, None)
    assert loaded.pipeline_["encode"].cache_dir is None
    np.testing.assert_allclose(
        loaded.predict_proba(X), classifier.predict_proba(X), atol=1e-4
    )


def test_a_model_that_keeps_no_images_still_does_not_once_loaded(
    images, fitted, tmp_path
):
    copied = copy.deepcopy(fitted).set_params(cache_dir=False)
    copied.save(tmp_path / "model.glomclf")
    assert GlomeruliClassifier.load(tmp_path / "model.glomclf").cache_dir is False


def test_a_model_of_a_lower_precision_names_the_extra_it_needs(
    images, tmp_path, monkeypatch
):
    X, y, groups = images
    classifier = small_classifier().fit(X, y, groups=groups)
    classifier.set_params(encoder__precision="bfloat16").save(
        tmp_path / "model.glomclf"
    )
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None)
    with pytest.raises(EngineError, match=r"'bfloat16' needs openvino"):
        GlomeruliClassifier.load(tmp_path / "model.glomclf")


def test_is_a_classifier_alone_and_at_the_end_of_a_pipeline():
    assert is_classifier(GlomeruliClassifier())
    plain = Pipeline([("load", ImageLoader()), ("net", PatchClassifier())])
    assert is_classifier(plain)


@pytest.mark.filterwarnings("ignore:The participants are not known")
def test_cv_of_an_int_stratifies_label_sorted_rows(manifest):
    y = manifest["label"].to_numpy()
    cv = check_cv(5, y, classifier=is_classifier(small_classifier()))
    shares = [y[test].mean() for _, test in cv.split(y, y)]
    assert min(shares) > 0
    scores = cross_validate(
        small_classifier(network__epochs=1),
        manifest[["path"]],
        y,
        cv=3,
        error_score="raise",
    )
    assert np.isfinite(scores["test_score"]).all()


SCORES = ["recall", "precision", "f1", "roc_auc"]


@pytest.mark.filterwarnings("ignore:Precision is ill-defined")
def test_cross_validate_by_participant_gives_every_score(manifest):
    scores = cross_validate(
        small_classifier(sampler="smote", sampling_space="features"),
        manifest[["path", "participant"]],
        manifest["label"],
        groups=manifest["participant"],
        cv=StratifiedGroupKFold(2),
        scoring=SCORES,
        error_score="raise",
    )
    assert all(np.isfinite(scores[f"test_{name}"]).all() for name in SCORES)


def test_rows_without_a_participant_are_refused_before_training(images, monkeypatch):
    def never(*args, **options):
        raise AssertionError("it was trained")

    monkeypatch.setattr(PatchClassifier, "fit", never)
    X, y, groups = images
    unknown = np.where(np.arange(len(y)) == 7, None, groups)
    with pytest.raises(SplitError, match="missing in rows 7;"):
        small_classifier(validation_fraction=None, network__patience=None).fit(
            X, y, unknown
        )


def test_rows_of_each_class_are_recorded_before_and_after_the_sampler(images):
    X, y, groups = images
    model = small_classifier(sampler="oversample").fit(X, y, groups=groups)
    before = model.training_record_["class_counts"]
    after = model.training_record_["class_counts_resampled"]
    assert before["0"] > before["1"]
    assert after["0"] == after["1"] == before["0"]


def test_what_a_network_does_not_count_is_not_made_up(features):
    X, y, groups = features
    resampled = GlomeruliClassifier("smote", network=LogisticRegression())
    plain = GlomeruliClassifier(None, network=LogisticRegression())
    records = [one.fit(X, y, groups).training_record_ for one in (resampled, plain)]
    assert records[0]["class_counts_resampled"] is None
    assert records[1]["class_counts_resampled"] == records[1]["class_counts"]


def test_groups_are_routed_as_metadata(images):
    X, y, groups = images
    with config_context(enable_metadata_routing=True):
        classifier = small_classifier(network__epochs=1).set_fit_request(groups=True)
        scores = cross_validate(
            classifier,
            X,
            y,
            params={"groups": groups},
            cv=StratifiedGroupKFold(2),
            scoring="roc_auc",
            return_estimator=True,
            error_score="raise",
        )
    assert np.isfinite(scores["test_score"]).all()


def test_clone_and_pickle_keep_parameters_and_predictions(images, fitted):
    X, _, _ = images
    assert str(clone(fitted)) == str(fitted)
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copied.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"threshold": 1.5}, "'threshold' parameter"),
        ({"threshold": RecallAtLeast(1.5)}, r"outside \(0, 1\]"),
        ({"image_size": 16}, "'image_size' parameter"),
        ({"network__weights": 3}, "'weights' parameter"),
        ({"network__weights": "imagenet"}, "backbone='cnn', and these weights do not"),
        ({"network__weights": "nowhere.h5"}, "is not a file"),
        ({"network__trainable_layers": 99}, "Pass a smaller number"),
    ],
)
def test_bad_parameters_say_what_to_do(images, parameters, message):
    X, y, groups = images
    with pytest.raises(ValueError, match=message):
        small_classifier().set_params(**parameters).fit(X, y, groups=groups)


def test_parameters_of_the_network_are_looked_at_before_an_image_is_read():
    paths = [f"no such file {row}.png" for row in range(12)]
    with pytest.raises(ValueError, match="'epochs' parameter"):
        GlomeruliClassifier().set_params(network__epochs=0).fit(paths, [0, 1] * 6)


def test_validation_rows_and_a_share_to_set_aside_are_one_too_many(images):
    X, y, _ = images
    with pytest.raises(ParameterError, match=r"validation_fraction=0\.25 sets"):
        small_classifier().fit(X, y, X_val=X[:9], y_val=y[:9])


def test_unknown_sampler_names_the_known_ones(images):
    X, y, groups = images
    with pytest.raises(SamplingError, match="smote"):
        small_classifier(sampler="smoot").fit(X, y, groups=groups)


def test_every_bad_file_is_named(manifest, tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    paths = [*manifest["path"], str(tmp_path / "empty.png"), str(tmp_path / "gone.png")]
    y = [*manifest["label"], 0, 1]
    with pytest.raises(ImageError) as caught:
        small_classifier(validation_fraction=None, network__patience=None).fit(paths, y)
    assert {"empty.png", "gone.png"} <= {
        path.split("/")[-1] for path in caught.value.faults
    }


def test_one_participant_cannot_be_split(images):
    X, y, _ = images
    with pytest.raises(SplitError, match="participant"):
        small_classifier().fit(X, y, groups=np.zeros(60))


def test_one_class_is_refused(images):
    X, y, groups = images
    with pytest.raises(ValueError, match="class"):
        small_classifier().fit(X, np.zeros_like(y), groups=groups)


def test_frame_without_paths_is_refused(manifest):
    with pytest.raises(ValueError, match="path"):
        small_classifier(network__patience=None, validation_fraction=None).fit(
            pd.DataFrame({"file": manifest["path"]}), manifest["label"]
        )


# -- weights of rows -------------------------------------------------------------------


def test_weights_reach_the_network_for_the_rows_that_are_trained_on(features):
    X, y, groups = features
    weight = np.arange(1.0, len(y) + 1)
    classifier = GlomeruliClassifier(
        None, network=LogisticRegression(), validation_fraction=0.25, random_state=0
    ).fit(X, y, groups, sample_weight=weight)
    train = np.setdiff1d(np.arange(len(y)), classifier.validation_indices_)
    alone = LogisticRegression().fit(X[train], y[train], sample_weight=weight[train])
    np.testing.assert_allclose(
        classifier.predict_proba(X), alone.predict_proba(X), atol=1e-6
    )
    assert len(train) < len(y)


@pytest.mark.parametrize("sampler", ["oversample", "undersample+augment"])
def test_a_row_of_a_sampler_has_the_weight_of_the_row_it_was_made_from(
    images, monkeypatch, sampler
):
    X, y, groups = images
    seen, fit = {}, LogisticRegression.fit

    def watched(self, X, y, sample_weight=None):
        seen.update(rows=X, y=y, weight=sample_weight)
        return fit(self, X, y, sample_weight)

    monkeypatch.setattr(LogisticRegression, "fit", watched)
    classifier = GlomeruliClassifier(
        sampler, network=LogisticRegression(), encoder=MeanColour(), image_size=SIZE
    ).fit(X, y, groups, sample_weight=np.arange(1.0, 61.0))
    step = classifier.pipeline_["sample"]
    parents = getattr(step, "parent_indices_", step.source_indices_)
    np.testing.assert_array_equal(seen["weight"], parents + 1)
    np.testing.assert_array_equal(seen["y"], y[parents])
    kept = step.source_indices_ >= 0
    means = X[parents[kept]].mean(axis=(1, 2)) - classifier.pipeline_["encode"].centre_
    np.testing.assert_allclose(seen["rows"][kept], means, atol=1e-4)
    assert len(parents) > len(np.unique(parents))  # some were made


def test_weights_without_a_way_to_the_network_are_refused_all_at_once(features):
    X, y, groups = features
    classifier = GlomeruliClassifier("smote", network=KNeighborsClassifier())
    with pytest.raises(ParameterError) as raised:
        classifier.fit(X, y, groups, sample_weight=np.ones(len(y)))
    told = str(raised.value)
    assert "makes rows out of several others" in told
    assert "KNeighborsClassifier() does not take it" in told


def test_weights_reach_the_last_step_of_a_pipeline_and_the_fits_of_inner_folds(
    features, monkeypatch
):
    X, y, groups = features
    weight, seen, fit = np.arange(1.0, len(y) + 1), [], LogisticRegression.fit

    def watched(self, X, y, sample_weight=None):
        seen.append(sample_weight)
        return fit(self, X, y, sample_weight)

    monkeypatch.setattr(LogisticRegression, "fit", watched)
    network = make_pipeline(StandardScaler(), LogisticRegression())
    GlomeruliClassifier(None, network=network, threshold="f1", random_state=0).fit(
        X, y, groups, sample_weight=weight
    )
    whole, *inner = seen
    np.testing.assert_array_equal(whole, weight)
    left_out = [set(weight) - set(one) for one in inner]
    assert sorted(one for few in left_out for one in few) == weight.tolist()


def test_weights_of_classes_are_checked_before_images_are_read():
    classifier = make_classifier("fine-tune", network__backbone="cnn")
    classifier.set_params(network__class_weight={0: 1, 2: 0})
    with pytest.raises(ParameterError) as raised:
        classifier.fit(["a.png", "b.png"], [0, 1])
    told = str(raised.value)
    assert "no number greater than 0 for [2]" in told
    assert "weighs [2], but the labels of y are [0, 1]" in told


# -- the steps -------------------------------------------------------------------------


def test_the_steps_can_be_copied_and_do_what_the_classifier_does(images):
    X, y, groups = images
    classifier = small_classifier(
        sampler="smote+augment", network__patience=None, validation_fraction=None
    )
    names = [name for name, _ in classifier.pipeline.steps]
    assert names == ["load", "stain", "sample", "encode", "classify"]
    told = str(classifier.pipeline)
    assert "StainNormalizer" in told
    copied = classifier.pipeline.fit(X, y)
    np.testing.assert_array_equal(
        copied.predict_proba(X), classifier.fit(X, y, groups).predict_proba(X)
    )


def test_looking_at_the_steps_draws_nothing_from_a_generator():
    rng = np.random.RandomState(0)
    classifier = GlomeruliClassifier(None, network=LogisticRegression())
    steps = classifier.set_params(random_state=rng).pipeline.named_steps
    assert list(steps) == ["classify"]
    assert rng.randint(1000) == np.random.RandomState(0).randint(1000)
    unseeded = classifier.set_params(random_state=None).pipeline
    assert unseeded["classify"].random_state is None


# scikit-learn skips estimators whose input is not a table; these checks need none.
TABLE_FREE_CHECKS = [
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_estimator_tags_renamed,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_set_params,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_valid_tag_types,
]


@pytest.mark.parametrize("check", TABLE_FREE_CHECKS, ids=lambda check: check.__name__)
def test_scikit_learn_checks_that_need_no_table(check):
    check("GlomeruliClassifier", GlomeruliClassifier())


@pytest.mark.parametrize("y", [[0, 1, 2] * 4, [1] * 12, [0, np.nan] * 6])
def test_labels_are_refused_before_an_image_is_read(y):
    paths = [f"no such file {row}.png" for row in range(12)]
    with pytest.raises(ValueError, match=r"(?i)class|binary|NaN"):
        GlomeruliClassifier().fit(paths, y)


def test_a_fit_that_failed_leaves_nothing_that_predicts(images, monkeypatch):
    X, y, groups = images
    model = small_classifier().fit(X, y, groups)

    def fail(*args, **options):
        raise RuntimeError("out of luck")

    monkeypatch.setattr("glomclf.model.classifier.record_of", fail)
    with pytest.raises(RuntimeError):
        model.fit(X, y, groups)
    with pytest.raises(NotFittedError):
        model.predict(X)


# -- other encoders, other networks, features ------------------------------------------


class MeanColour(TransformerMixin, BaseEstimator):
    """An encoder of another library: it expects an array, and learns from it."""

    def fit(self, X, y=None):
        assert isinstance(X, np.ndarray)
        self.centre_ = X.mean(axis=(0, 1, 2))
        self.n_fitted_ = len(X)
        return self

    def transform(self, X):
        return X.mean(axis=(1, 2)) - self.centre_


@pytest.mark.parametrize(("space", "views"), [("pixels", 3), ("features", 1)])
def test_any_encoder_and_any_network_of_scikit_learn(images, space, views):
    X, y, groups = images
    network = make_pipeline(StandardScaler(), LogisticRegression())
    classifier = GlomeruliClassifier(
        "oversample",
        network=network,
        encoder=MeanColour(),
        sampling_space=space,
        image_size=SIZE,
        predict_views=views,
        random_state=0,
    ).fit(X, y, groups)
    assert classifier.predict_proba(X).shape == (60, 2)
    n_fitted = classifier.pipeline_["encode"].n_fitted_
    assert n_fitted == (80 if space == "pixels" else 60)
    assert not hasattr(network, "steps_")
    assert classifier.history_ == {}


def test_an_encoder_that_learns_never_sees_validation_rows(images):
    X, y, groups = images
    classifier = GlomeruliClassifier(
        None,
        network=PatchClassifier(epochs=2, patience=1),
        encoder=MeanColour(),
        image_size=SIZE,
        random_state=0,
    ).fit(X, y, groups)
    train = np.delete(X, classifier.validation_indices_, axis=0)
    assert len(train) < len(X)
    np.testing.assert_allclose(
        classifier.pipeline_["encode"].centre_, train.mean(axis=(0, 1, 2))
    )
    assert len(classifier.history_["val_loss"]) >= 1


def test_an_encoder_of_another_library_is_no_part_of_a_model_file(images, tmp_path):
    X, y, groups = images
    classifier = GlomeruliClassifier(
        None, network=LogisticRegression(), encoder=MeanColour(), image_size=SIZE
    ).fit(X, y, groups)
    with pytest.raises(ModelFileError, match="MeanColour"):
        classifier.save(tmp_path / "model.glomclf")
    assert not list(tmp_path.iterdir())


def test_a_linear_model_is_saved_without_pickle(images, tmp_path):
    X, y, groups = images
    classifier = make_classifier(
        "linear", encoder__backbone="cnn", encoder__weights=None, image_size=SIZE
    ).fit(X, y, groups)
    classifier.save(tmp_path / "model.glomclf")
    loaded = GlomeruliClassifier.load(tmp_path / "model.glomclf")
    np.testing.assert_allclose(
        loaded.predict_proba(X), classifier.predict_proba(X), atol=1e-6
    )
    assert str(loaded) == str(classifier)


@pytest.fixture(scope="module")
def features(images):
    _, y, groups = images
    rng = np.random.default_rng(0)
    return y[:, None] + rng.normal(size=(60, 5)), y, groups


def linear(**settings):
    """Return a classifier of features that is fitted in no time."""
    network = LogisticRegression()
    return GlomeruliClassifier(None, network=network, random_state=0, **settings)


def test_threshold_is_chosen_on_validation_participants_where_they_are_enough():
    rng = np.random.default_rng(0)
    y, groups = np.tile([0, 1, 1], 40), np.repeat(np.arange(40), 3)
    X = y[:, None] + rng.normal(size=(120, 5))
    model = linear(threshold="f1", validation_fraction=0.4).fit(X, y, groups)
    rows = model.validation_indices_
    assert model.training_record_["threshold_chosen_on"] == "validation participants"
    assert model.training_record_["threshold_n_samples"] == len(rows)
    probability = model.predict_proba(X[rows])[:, 1]
    assert model.threshold_ == pytest.approx(choose_threshold(y[rows], probability))


@pytest.mark.parametrize(("fraction", "n_aside"), [(None, 0), (0.25, 14)])
def test_threshold_is_chosen_on_inner_folds_where_validation_is_small(
    features, fraction, n_aside, tmp_path
):
    X, y, groups = features
    model = linear(threshold="f1", validation_fraction=fraction).fit(X, y, groups)
    record = model.training_record_
    assert record["threshold_chosen_on"] == "inner folds"
    assert record["threshold_n_samples"] == len(y)
    assert len(model.validation_indices_) == n_aside
    assert record["n_samples"] == len(y) - n_aside
    plain = linear(validation_fraction=fraction).fit(X, y, groups)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert plain.training_record_["threshold_chosen_on"] == "given"
    model.save(tmp_path / "model.glomclf")
    loaded = GlomeruliClassifier.load(tmp_path / "model.glomclf")
    assert (loaded.threshold_, loaded.threshold) == (model.threshold_, "f1")
    assert loaded.training_record_ == record


def test_a_threshold_is_chosen_for_the_named_class(features):
    X, y, groups = features
    labels = np.where(y == 1, "GS", "NGS")
    recall, f1 = (
        linear(threshold=aim).fit(X, labels, groups, pos_label="GS")
        for aim in (RecallAtLeast(1.0), "f1")
    )
    assert recall.threshold_ <= f1.threshold_
    assert (recall.predict(X)[y == 1] == "GS").mean() > 0.9
    numbers = linear(threshold="f1").fit(X, y, groups)
    assert numbers.threshold_ == pytest.approx(f1.threshold_)


def test_threshold_on_given_validation_rows_respects_their_participants(manifest):
    half = manifest["participant"].isin(sorted(set(manifest["participant"]))[:6])
    X, X_val = manifest[half], manifest[~half]
    linear = make_classifier("linear", image_size=SIZE, threshold="f1", predict_views=1)
    linear.set_params(encoder__backbone="cnn", encoder__weights=None, network__C=1.0)
    linear.fit(X, X["label"], X_val=X_val, y_val=X_val["label"])
    assert not are_enough(X_val["label"], X_val["participant"])
    assert linear.training_record_["threshold_chosen_on"] == "inner folds"


@pytest.mark.filterwarnings("ignore:The participants are not known")
def test_other_wrappers_of_scikit_learn_take_the_classifier(features):
    X, y, groups = features
    tuned = TunedThresholdClassifierCV(linear(), cv=2).fit(X, y)
    assert 0 <= tuned.best_threshold_ <= 1
    calibrated = CalibratedClassifierCV(linear(), cv=2).fit(X, y)
    assert calibrated.predict_proba(X).shape == (60, 2)
    search = GridSearchCV(
        linear().set_params(sampler=SMOTE()),
        {"sampler__k_neighbors": [2, 3], "network__C": [1e-3]},
        cv=StratifiedGroupKFold(2),
        scoring="roc_auc",
        error_score="raise",
        n_jobs=2,
    ).fit(X, y, groups=groups)
    assert search.best_params_["sampler__k_neighbors"] in (2, 3)
    assert np.isfinite(search.best_score_)


def test_a_grid_of_the_network_works_on_the_default_one(features):
    X, y, groups = features
    search = GridSearchCV(
        GlomeruliClassifier("smote", random_state=0),
        {"network__learning_rate": [1e-2, 1e-4], "network__epochs": [1]},
        cv=[next(StratifiedGroupKFold(2).split(X, y, groups))],
        scoring="roc_auc",
        error_score="raise",
        refit=False,
    ).fit(X, y, groups=groups)
    assert search.best_params_["network__learning_rate"] in (1e-2, 1e-4)


@pytest.mark.parametrize("network", [None, LogisticRegression()], ids=["net", "other"])
def test_features_skip_the_steps_of_images(features, network, tmp_path):
    X, y, groups = features
    classifier = GlomeruliClassifier("smote", network=network, random_state=0)
    classifier.fit(X, y, groups)
    assert list(classifier.pipeline_.named_steps) == ["sample", "classify"]
    assert classifier.n_features_in_ == 5
    classifier.save(tmp_path / "model.glomclf")
    loaded = GlomeruliClassifier.load(tmp_path / "model.glomclf")
    np.testing.assert_allclose(
        loaded.predict_proba(X), classifier.predict_proba(X), atol=1e-6
    )
    with pytest.raises(ValueError, match="expecting 5 features"):
        loaded.predict(X[:, :3])


def test_a_model_of_images_refuses_features_by_name(fitted):
    with pytest.raises(ParameterError, match=r"features of shape \(2, 5\).*on images"):
        fitted.predict_proba(np.zeros((2, 5)))


@pytest.mark.parametrize(
    "image_step",
    [
        {"sampler": "smote+augment"},
        {"stain_normalizer": "reinhard"},
        {"encoder": MeanColour()},
        {"predict_views": 8},
        {"network__augmentation": "geometry"},
        {"network__trainable_layers": "all"},
    ],
    ids=lambda step: next(iter(step)),
)
def test_steps_of_images_beside_features_are_refused_by_name(features, image_step):
    X, y, groups = features
    classifier = GlomeruliClassifier(None).set_params(**image_step)
    with pytest.raises(ParameterError, match=f"^{next(iter(image_step))}="):
        classifier.fit(X, y, groups)


def test_images_need_an_encoder_where_the_network_has_none(images):
    X, y, groups = images
    with pytest.raises(ParameterError, match=r"Pass an encoder"):
        GlomeruliClassifier(network=LogisticRegression()).fit(X, y, groups)


@pytest.mark.parametrize(
    ("encoder", "network", "told"),
    [
        (MeanColour(), {"trainable_layers": 3}, "stands in place of all of them"),
        (PatchEncoder("cnn"), {"trainable_layers": 3}, "encoder__trainable_layers=0"),
        (PatchEncoder(), {"augmentation": "geometry"}, "gives it features"),
        (
            PatchEncoder("cnn", trainable_layers=3),
            {"trainable_layers": 3},
            "encoder__backbone='cnn', but network__backbone='resnet50'",
        ),
    ],
)
def test_an_encoder_and_a_network_that_do_not_fit_are_refused(
    images, encoder, network, told
):
    X, y, groups = images
    classifier = GlomeruliClassifier(
        encoder=encoder, network=PatchClassifier(**network)
    )
    with pytest.raises(ParameterError, match=told):
        classifier.fit(X, y, groups)


def test_a_setting_inside_a_default_part_makes_it_that_part():
    classifier = GlomeruliClassifier().set_params(
        network__weights=None, network__backbone="cnn", encoder__engine="keras"
    )
    assert classifier.network.backbone == classifier.encoder.backbone == "cnn"
    assert classifier.encoder.weights is None
    assert classifier.encoder.engine == "keras"


@parametrize_with_checks(
    [GlomeruliClassifier(None, network=LogisticRegression())],
    expected_failed_checks=lambda _: {
        "check_classifiers_classes": "labels of which none is 1 need a pos_label",
    },
)
def test_scikit_learn_checks_on_features(estimator, check):
    check(estimator)


def test_the_diagram_shows_the_settings_of_the_network():
    page = make_classifier("scratch")._repr_html_()
    assert "warmup_epochs" in page
    assert "stain_normalizer" in page
