import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE
from imblearn.pipeline import Pipeline
from imblearn.under_sampling import RandomUnderSampler
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    TunedThresholdClassifierCV,
    check_cv,
    cross_validate,
)
from sklearn.utils import estimator_checks

from glomclf import (
    GlomeruliClassifier,
    ImageLoader,
    ImageSampler,
    PatchClassifier,
    make_glomeruli,
)
from glomclf.errors import (
    EngineError,
    ImageError,
    LeakageError,
    SamplingError,
    SplitError,
)
from glomclf.evaluation.thresholds import choose_threshold
from glomclf.model.validation import are_enough

SIZE = 32


def make_classifier(**parameters):
    """Return a small classifier: frozen features of a CNN, trained in a second."""
    small = {
        "sampler": None,
        "backbone": "cnn",
        "weights": None,
        "image_size": SIZE,
        "dense_units": 16,
        "epochs": 2,
        "patience": 1,
        "validation_fraction": 0.25,
        "random_state": 0,
    }
    return GlomeruliClassifier(**{**small, **parameters})


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
    return make_classifier(sampler="smote+augment").fit(X, y, groups=groups)


@pytest.mark.parametrize(
    ("sampler", "space"),
    [
        ("smote+augment", "pixels"),
        ("undersample+augment", "pixels"),
        ("oversample", "features"),
        (ADASYN(n_neighbors=3), "features"),
        (BorderlineSMOTE(k_neighbors=3, m_neighbors=5), "pixels"),
        ([SMOTE(sampling_strategy=0.7, k_neighbors=3), RandomUnderSampler()], "pixels"),
    ],
    ids=str,
)
def test_every_kind_of_sampler_fits_in_its_space(images, sampler, space):
    X, y, groups = images
    classifier = make_classifier(sampler=sampler, sampling_space=space)
    classifier.fit(X, y, groups=groups)
    steps = list(classifier.pipeline_.named_steps)
    middle = ["sample", "trunk"] if space == "pixels" else ["trunk", "sample"]
    assert steps == ["load", "stain", *middle, "net"]
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
    classifier = make_classifier(sampler="smote+augment").fit(X, y, groups=groups)
    aside = classifier.validation_indices_
    normalised = classifier.pipeline_["stain"].transform(X[aside])
    features = classifier.pipeline_["trunk"].transform(normalised)
    np.testing.assert_array_equal(seen["X_val"], features)
    np.testing.assert_array_equal(seen["y_val"], y[aside])
    assert seen["n_train"] > 60 - len(aside)


def test_pixels_of_a_held_out_fold_change_nothing_in_its_model(images):
    X, y, groups = images
    train, test = next(StratifiedGroupKFold(3).split(X, y, groups))
    changed = X.copy()
    changed[test] = 255 - changed[test]
    models = [
        make_classifier(sampler="smote").fit(
            rows[train], y[train], groups=groups[train]
        )
        for rows in (X, changed)
    ]
    assert models[0].history_ == models[1].history_
    assert models[0].threshold_ == models[1].threshold_
    np.testing.assert_array_equal(
        models[0].predict_proba(X[test]), models[1].predict_proba(X[test])
    )


def test_without_participants_rows_are_stratified(images):
    X, y, _ = images
    classifier = make_classifier().fit(X, y)
    aside = classifier.validation_indices_
    assert len(aside) == 15
    assert y[aside].sum() == 5


def test_participant_column_groups_the_validation_split(manifest):
    X, y = manifest[["path", "participant"]], manifest["label"]
    classifier = make_classifier().fit(X, y)
    aside = manifest["participant"].iloc[classifier.validation_indices_]
    rest = manifest["participant"].drop(index=aside.index)
    assert not set(aside) & set(rest)


def test_given_validation_rows_replace_the_split(images):
    X, y, groups = images
    train, val = next(StratifiedGroupKFold(3).split(X, y, groups))
    classifier = make_classifier(validation_fraction=None)
    classifier.fit(X[train], y[train], X_val=X[val], y_val=y[val])
    assert len(classifier.validation_indices_) == 0
    assert len(classifier.history_["val_loss"]) == len(classifier.history_["loss"])


def test_validation_rows_of_a_training_participant_are_refused(manifest):
    X, y = manifest[["path", "participant"]], manifest["label"]
    with pytest.raises(LeakageError, match=r"participants are in both X and X_val"):
        make_classifier().fit(X, y, X_val=X[:9], y_val=y[:9])


def test_paths_frames_and_arrays_predict_the_same(manifest):
    y = manifest["label"]
    arrays = ImageLoader(SIZE).fit_transform(manifest["path"])
    forms = [manifest[["path"]], manifest["path"], list(manifest["path"]), arrays]
    probabilities = [make_classifier().fit(X, y).predict_proba(X) for X in forms]
    for other in probabilities[1:]:
        np.testing.assert_array_equal(probabilities[0], other)


def test_string_labels_come_back(images):
    X, y, groups = images
    labels = np.where(y == 1, "sclerotic", "other")
    classifier = make_classifier().fit(X, labels, groups=groups)
    assert list(classifier.classes_) == ["other", "sclerotic"]
    assert set(classifier.predict(X)) <= {"other", "sclerotic"}


def test_threshold_decides_the_prediction(images, fitted):
    X, _, _ = images
    model = pickle.loads(pickle.dumps(fitted))
    positive = model.predict_proba(X)[:, 1]
    model.threshold_ = float(np.median(positive))
    np.testing.assert_array_equal(model.predict(X), positive >= np.median(positive))


def test_same_seed_gives_the_same_model_whatever_was_fitted_before(images):
    X, y, groups = images
    first = make_classifier(sampler="smote+augment").fit(X, y, groups=groups)
    make_classifier(random_state=None).fit(X, y)
    again = make_classifier(sampler="smote+augment").fit(X, y, groups=groups)
    np.testing.assert_array_equal(first.predict_proba(X), again.predict_proba(X))


@pytest.mark.parametrize("cache_dir", [None, False], ids=["cache", "no cache"])
def test_features_are_the_same_with_and_without_the_cache(images, fitted, cache_dir):
    X, y, groups = images
    model = make_classifier(sampler="smote+augment", cache_dir=cache_dir)
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
    assert loaded.get_params() == fitted.get_params()
    assert loaded.history_ == fitted.history_
    assert loaded.training_record_ == fitted.training_record_


@pytest.mark.parametrize("trainable_layers", [0, 3, "all"])
def test_saved_model_of_any_depth_predicts_the_same(images, tmp_path, trainable_layers):
    X, y, groups = images
    model = make_classifier(
        sampler=SMOTE(k_neighbors=3), trainable_layers=trainable_layers, epochs=1
    ).fit(X, y, groups=groups)
    model.save(tmp_path / "model.glomclf")
    loaded = GlomeruliClassifier.load(tmp_path / "model.glomclf")
    np.testing.assert_allclose(
        loaded.predict_proba(X), model.predict_proba(X), atol=1e-6
    )
    assert loaded.sampler.k_neighbors == 3
    copied = pickle.loads(pickle.dumps(loaded))
    np.testing.assert_allclose(
        copied.predict_proba(X), model.predict_proba(X), atol=1e-6
    )


def test_a_saved_model_keeps_its_precision_and_nothing_of_the_machine(
    images, tmp_path, monkeypatch
):
    X, y, groups = images
    folders = {name: tmp_path / name for name in ("cache_dir", "checkpoint_dir")}
    classifier = make_classifier(engine="keras", **folders).fit(X, y, groups=groups)
    file = tmp_path / "model.glomclf"
    classifier.save(file)
    assert str(tmp_path) not in file.read_bytes().decode("latin-1")
    with monkeypatch.context() as patch:  # as files were before
        patch.setattr("glomclf.model.classifier._OF_NO_MACHINE", {})
        classifier.set_params(cache_dir=str(folders["cache_dir"]), checkpoint_dir=None)
        classifier.save(tmp_path / "older.glomclf")
    for saved in (file, tmp_path / "older.glomclf"):
        loaded = GlomeruliClassifier.load(saved)
        assert (loaded.engine, loaded.precision) == ("auto", "float32")
        assert (loaded.cache_dir, loaded.checkpoint_dir) == (None, None)
        assert loaded.pipeline_["trunk"].cache_dir is None
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
    classifier = make_classifier().fit(X, y, groups=groups)
    classifier.set_params(precision="int8").save(tmp_path / "model.glomclf")
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None)
    with pytest.raises(EngineError, match=r"'int8' needs openvino and nncf"):
        GlomeruliClassifier.load(tmp_path / "model.glomclf")


def test_is_a_classifier_alone_and_at_the_end_of_a_pipeline():
    assert is_classifier(GlomeruliClassifier())
    plain = Pipeline([("load", ImageLoader()), ("net", PatchClassifier())])
    assert is_classifier(plain)


def test_cv_of_an_int_stratifies_label_sorted_rows(manifest):
    y = manifest["label"].to_numpy()
    cv = check_cv(5, y, classifier=is_classifier(make_classifier()))
    shares = [y[test].mean() for _, test in cv.split(y, y)]
    assert min(shares) > 0
    scores = cross_validate(
        make_classifier(epochs=1), manifest[["path"]], y, cv=3, error_score="raise"
    )
    assert np.isfinite(scores["test_score"]).all()


SCORES = ["recall", "precision", "f1", "roc_auc"]


@pytest.mark.filterwarnings("ignore:Precision is ill-defined")
def test_cross_validate_by_participant_gives_every_score(manifest):
    scores = cross_validate(
        make_classifier(sampler="smote", sampling_space="features"),
        manifest[["path", "participant"]],
        manifest["label"],
        groups=manifest["participant"],
        cv=StratifiedGroupKFold(3),
        scoring=SCORES,
        error_score="raise",
    )
    assert all(np.isfinite(scores[f"test_{name}"]).all() for name in SCORES)


@pytest.mark.filterwarnings("ignore:Precision is ill-defined")
def test_plain_three_step_pipeline_cross_validates(manifest):
    pipeline = Pipeline(
        [
            ("load", ImageLoader(SIZE)),
            ("sample", ImageSampler(SMOTE(k_neighbors=3), random_state=0)),
            ("net", PatchClassifier("cnn", weights=None, epochs=1, random_state=0)),
        ]
    )
    scores = cross_validate(
        pipeline,
        manifest[["path"]],
        manifest["label"],
        groups=manifest["participant"],
        cv=StratifiedGroupKFold(2),
        scoring=SCORES,
        error_score="raise",
    )
    assert all(np.isfinite(scores[f"test_{name}"]).all() for name in SCORES)


def test_grid_search_tunes_the_classifier_and_its_sampler(images):
    X, y, groups = images
    search = GridSearchCV(
        make_classifier(sampler=SMOTE(), epochs=1),
        {"sampler__k_neighbors": [2, 3], "dense_units": [4]},
        cv=StratifiedGroupKFold(2),
        scoring="roc_auc",
        error_score="raise",
    ).fit(X, y, groups=groups)
    assert search.best_params_["sampler__k_neighbors"] in (2, 3)
    assert np.isfinite(search.best_score_)


def test_threshold_is_chosen_on_validation_participants_where_they_are_enough():
    X, y, groups = make_glomeruli(
        120,
        n_participants=40,
        sclerotic_fraction=0.5,
        image_size=SIZE,
        random_state=0,
    )
    model = make_classifier(threshold="validation", validation_fraction=0.4)
    model.fit(X, y, groups=groups)
    rows = model.validation_indices_
    assert model.training_record_["threshold_chosen_on"] == "validation participants"
    assert model.training_record_["threshold_n_samples"] == len(rows)
    probability = model.predict_proba(X[rows])[:, 1]
    assert model.threshold_ == pytest.approx(choose_threshold(y[rows], probability))


@pytest.fixture
def two_inner_folds(monkeypatch):
    """As few as there can be: each is a fit."""
    monkeypatch.setattr("glomclf.model.validation._N_FOLDS", 2)


@pytest.mark.usefixtures("two_inner_folds")
def test_threshold_is_chosen_on_inner_folds_where_validation_is_small(images):
    X, y, groups = images
    model = make_classifier(threshold="validation").fit(X, y, groups=groups)
    record = model.training_record_
    assert record["threshold_chosen_on"] == "inner folds"
    assert record["threshold_n_samples"] == len(y)
    assert 0 < model.threshold_ < 1
    plain = make_classifier().fit(X, y, groups=groups)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert plain.training_record_["threshold_chosen_on"] == "given"


@pytest.mark.usefixtures("two_inner_folds")
def test_nobody_is_set_aside_for_a_threshold_that_inner_folds_choose(images):
    X, y, groups = images
    options = {"patience": None, "validation_fraction": "auto"}
    model = make_classifier(threshold="validation", **options)
    model.fit(X, y, groups=groups)
    assert model.training_record_["threshold_chosen_on"] == "inner folds"
    assert model.training_record_["n_samples"] == len(y)
    assert len(model.validation_indices_) == 0
    assert model.recipe_.parameters["validation_fraction"] is None
    plain = make_classifier(**options).fit(X, y, groups=groups)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_rows_without_a_participant_are_refused_before_training(images, monkeypatch):
    monkeypatch.delattr(PatchClassifier, "fit")
    X, y, groups = images
    unknown = np.where(np.arange(len(y)) == 7, None, groups)
    with pytest.raises(SplitError, match="missing in rows 7;"):
        make_classifier(validation_fraction=None, patience=None).fit(X, y, unknown)


@pytest.mark.usefixtures("two_inner_folds")
def test_threshold_for_recall_is_not_above_that_for_f1(images):
    X, y, groups = images
    aims = ({"threshold_aim": "recall", "threshold_recall": 1.0}, {})
    recall, f1 = (
        make_classifier(threshold="validation", **aim)
        .fit(X, y, groups=groups)
        .threshold_
        for aim in aims
    )
    assert recall <= f1


def test_threshold_on_given_validation_rows_respects_their_participants(manifest):
    half = manifest["participant"].isin(sorted(set(manifest["participant"]))[:6])
    X, X_val = manifest[half], manifest[~half]
    model = make_classifier(threshold="validation")
    model.fit(X, X["label"], X_val=X_val, y_val=X_val["label"])
    expected = "validation participants"
    if not are_enough(X_val["label"], X_val["participant"]):
        expected = "inner folds"
    assert model.training_record_["threshold_chosen_on"] == expected


@pytest.mark.usefixtures("two_inner_folds")
def test_threshold_survives_saving(images, tmp_path):
    X, y, groups = images
    model = make_classifier(threshold="validation").fit(X, y, groups=groups)
    model.save(tmp_path / "model.glomclf")
    loaded = GlomeruliClassifier.load(tmp_path / "model.glomclf")
    assert loaded.threshold_ == model.threshold_
    assert loaded.threshold == "validation"
    assert loaded.training_record_ == model.training_record_


def test_rows_of_each_class_are_recorded_before_and_after_the_sampler(images):
    X, y, groups = images
    model = make_classifier(sampler="oversample").fit(X, y, groups=groups)
    before = model.training_record_["class_counts"]
    after = model.training_record_["class_counts_resampled"]
    assert before["0"] > before["1"]
    assert after["0"] == after["1"] == before["0"]


def test_tuned_threshold_and_calibration_wrap_the_classifier(images):
    X, y, _ = images
    tuned = TunedThresholdClassifierCV(make_classifier(epochs=1), cv=2).fit(X, y)
    assert 0 <= tuned.best_threshold_ <= 1
    calibrated = CalibratedClassifierCV(make_classifier(epochs=1), cv=2).fit(X, y)
    assert calibrated.predict_proba(X).shape == (60, 2)


def test_groups_are_routed_as_metadata(images):
    X, y, groups = images
    with config_context(enable_metadata_routing=True):
        classifier = make_classifier(epochs=1).set_fit_request(groups=True)
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
    assert clone(fitted).get_params() == fitted.get_params()
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copied.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sampling_space": "features", "sampler": "augment"}, "transforms images"),
        ({"validation_fraction": None}, "sets nobody aside"),
        ({"threshold_aim": "recall"}, "is for threshold=.validation."),
        ({"threshold_recall": 0.9}, "belongs to"),
        ({"threshold": 1.5}, "'threshold' parameter"),
        ({"image_size": 16}, "'image_size' parameter"),
        ({"weights": 3}, "'weights' parameter"),
        ({"weights": "imagenet"}, "there are none for backbone='cnn'"),
        ({"weights": "nowhere.h5"}, "is not a file"),
        ({"trainable_layers": 99}, "Pass a smaller number"),
    ],
)
def test_bad_parameters_say_what_to_do(images, parameters, message):
    X, y, groups = images
    with pytest.raises(ValueError, match=message):
        make_classifier(**parameters).fit(X, y, groups=groups)


def test_unknown_sampler_names_the_known_ones(images):
    X, y, groups = images
    with pytest.raises(SamplingError, match="smote"):
        make_classifier(sampler="smoot").fit(X, y, groups=groups)


def test_every_bad_file_is_named(manifest, tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    paths = [*manifest["path"], str(tmp_path / "empty.png"), str(tmp_path / "gone.png")]
    y = [*manifest["label"], 0, 1]
    with pytest.raises(ImageError) as caught:
        make_classifier(validation_fraction=None, patience=None).fit(paths, y)
    assert {"empty.png", "gone.png"} <= {
        path.split("/")[-1] for path in caught.value.faults
    }


def test_one_participant_cannot_be_split(images):
    X, y, _ = images
    with pytest.raises(SplitError, match="participant"):
        make_classifier().fit(X, y, groups=np.zeros(60))


def test_one_class_is_refused(images):
    X, y, groups = images
    with pytest.raises(ValueError, match="class"):
        make_classifier().fit(X, np.zeros_like(y), groups=groups)


def test_frame_without_paths_is_refused(manifest):
    with pytest.raises(ValueError, match="path"):
        make_classifier().fit(
            pd.DataFrame({"file": manifest["path"]}), manifest["label"]
        )


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
        GlomeruliClassifier(weights=None).fit(paths, y)


def test_a_fit_that_failed_leaves_nothing_that_predicts(images, monkeypatch):
    X, y, groups = images
    model = make_classifier().fit(X, y, groups)

    def fail(*args, **options):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(GlomeruliClassifier, "_record_fit", fail)
    with pytest.raises(RuntimeError):
        model.fit(X, y, groups)
    with pytest.raises(NotFittedError):
        model.predict(X)
