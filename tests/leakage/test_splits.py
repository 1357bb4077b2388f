"""What leaks is found and named; what does not, passes."""

import functools
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    LeaveOneGroupOut,
    StratifiedKFold,
    cross_validate,
    train_test_split,
)
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from glomclf import GlomeruliClassifier, PatchClassifier, make_glomeruli
from glomclf.data.splitting import StratifiedGroupShuffleSplit
from glomclf.errors import ImageError, LeakageError, ParameterError, SplitError
from glomclf.leakage import audit_fit, audit_splits
from glomclf.leakage.noted_calls import _splits_itself
from glomclf.model.classifier_parts import classifier_to_parts
from glomclf.samplers import make_sampler


def tiny_classifier(**parameters):
    """Return a classifier that is fitted in a second or two."""
    network = PatchClassifier("cnn", weights=None, dense_units=8, epochs=2, patience=1)
    settings = {
        "network": network,
        "image_size": 32,
        "validation_fraction": 0.25,
        "random_state": 0,
    }
    return GlomeruliClassifier(**{**settings, **parameters})


@pytest.fixture(scope="module")
def tiny():
    """48 patches of 12 participants, of 32 pixels a side."""
    return make_glomeruli(
        48, n_participants=12, sclerotic_fraction=0.4, image_size=32, random_state=0
    )


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """20 files of 5 participants, no two of which are alike."""
    return make_glomeruli(
        20,
        n_participants=5,
        sclerotic_fraction=0.4,
        image_size=96,
        directory=tmp_path_factory.mktemp("leakage") / "set",
        random_state=0,
    )


@pytest.fixture
def manifest(drawn):
    """Return a table of one's own, of files that nobody changes."""
    return drawn.copy()


def audit(manifest, cv=None, **options):
    cv = GroupKFold(2) if cv is None else cv
    return audit_splits(manifest, manifest["label"], cv, **options)


def planted(manifest, path, **values):
    """Add one row for a file of another participant than the first row's."""
    first = manifest["participant"][0]
    other = manifest.loc[manifest["participant"] != first, "participant"].iloc[0]
    row = {**manifest.iloc[0], "path": str(path), "participant": other, **values}
    return pd.concat([manifest, pd.DataFrame([row])], ignore_index=True)


# Splits.


@pytest.mark.parametrize(("n_splits", "told"), [(1, "1 fold."), (2, "2 folds.")])
def test_folds_are_counted_in_words(manifest, n_splits, told):
    half = len(manifest) // 2
    split = (range(half), range(half, len(manifest)))
    assert told in str(audit(manifest, cv=[split] * n_splits))


def test_a_clean_split_passes(manifest):
    result = audit(manifest)
    assert not result.is_leaky
    result.raise_if_leaky()
    assert str(result).startswith("No leak found: 20 rows, 2 folds.")
    assert result.to_frame().empty


def test_a_jpeg_copy_under_another_participant_is_found_and_named(manifest, tmp_path):
    copy = tmp_path / "copy of somebody.jpg"
    Image.open(manifest["path"][0]).convert("RGB").save(copy, quality=80)
    leaky = planted(manifest, copy)
    result = audit(leaky, LeaveOneGroupOut())
    leaks = result.to_frame().query("leaks")
    assert set(leaks["kind"]) == {"re-encoded"}
    name = Path(manifest["path"][0]).name
    for text in ("re-encoded", copy.name, name, manifest["participant"][0]):
        with pytest.raises(LeakageError, match=text):
            result.raise_if_leaky()
    assert "participants disagree" in set(result.to_frame()["kind"])


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_identical_pixels_in_another_format_are_found(manifest, tmp_path, suffix):
    copy = tmp_path / f"copy.{suffix}"
    Image.open(manifest["path"][0]).convert("RGB").save(copy)
    result = audit(planted(manifest, copy), LeaveOneGroupOut(), max_distance=0)
    assert set(result.to_frame().query("leaks")["kind"]) == {"identical"}


def test_a_serial_section_under_another_participant_is_found(manifest, tmp_path):
    sections = make_glomeruli(
        4,
        n_participants=1,
        sclerotic_fraction=0.5,
        image_size=96,
        serial_sections=True,
        directory=tmp_path / "sections",
        random_state=3,
    )
    place = sections["path"].map(lambda path: int(Path(path).stem[-6:], 16))
    pair = sections[place // 2 == place[0] // 2].assign(participant=["left", "right"])
    everything = pd.concat([manifest, pair], ignore_index=True)
    result = audit(everything, LeaveOneGroupOut())
    leaks = result.to_frame().query("leaks")
    assert set(leaks["kind"]) == {"near-duplicate"}
    assert set(leaks["train_participant"]) == {"left", "right"}
    with pytest.raises(LeakageError, match="left") as raised:
        result.raise_if_leaky()
    assert "Look at the pairs" in str(raised.value)  # they are merely alike


def test_a_participant_on_both_sides_is_found_and_named(manifest):
    who = manifest["participant"][0]
    rows = np.flatnonzero(manifest["participant"] == who)
    train = np.setdiff1d(np.arange(20), rows[:1])
    result = audit(manifest, [(train, rows[:1])], max_distance=0)
    leaks = result.to_frame().query("leaks")
    assert leaks["train_participant"].tolist() == [who]
    with pytest.raises(LeakageError, match=rf"participant on both sides.*\n  {who}\n"):
        result.raise_if_leaky()  # of one split no fold is named
    several = audit(manifest, [(train, rows[:1])] * 2, max_distance=0)
    with pytest.raises(LeakageError, match=rf"\n  {who} \(fold 0, 1\)") as raised:
        several.raise_if_leaky()
    assert "Look at the pairs" not in str(raised.value)


def test_participants_on_two_sides_who_are_written_alike_are_told_without_a_leak(
    manifest,
):
    known = sorted(set(manifest["participant"]))
    names = dict(zip(known, ["P7", "p07", "P 7", "Q", "R"], strict=True))
    manifest["participant"] = manifest["participant"].map(names)
    test = np.flatnonzero(manifest["participant"].isin(["p07", "P 7", "Q"]))
    train = np.setdiff1d(np.arange(len(manifest)), test)
    result = audit(manifest, [(train, test)], max_distance=0)
    assert not result.is_leaky
    found = result.to_frame().query("kind == 'participants written alike'")
    pairs = found[["train_participant", "test_participant"]].to_numpy().tolist()
    assert sorted(pairs) == [["P7", "P 7"], ["P7", "p07"]]
    assert "be those of one participant): 2\n  P7 and p07\n  P7 and P 7" in str(result)


@pytest.mark.parametrize("kind", ["image", "slide"])
def test_what_stands_for_participants_is_not_told_as_them(manifest, kind):
    unknown = manifest.assign(participant=manifest["slide"])
    if kind == "image":
        unknown["participant"] = unknown["slide"] = manifest.index.astype(str)
    unknown.attrs = {"glomclf.participants": kind}
    cv = StratifiedKFold(2)
    result = audit(unknown, cv, max_distance=0)
    groups = unknown["participant"]
    given = audit_splits(unknown, unknown["label"], cv, groups, max_distance=0)
    assert str(given) == str(result)
    assert not result.participants_known
    assert result.is_leaky == (kind == "slide")  # a slide is of one person
    assert result.folds["n_participants"].isna().all() == (kind == "image")
    assert "are not" in str(result)


def test_participants_put_in_place_of_images_are_checked(manifest):
    known = manifest["participant"]
    manifest["participant"] = manifest["slide"] = manifest.index.astype(str)
    manifest.attrs = {"glomclf.participants": "image"}
    manifest["participant"] = known
    result = audit(manifest, StratifiedKFold(2), max_distance=0)
    assert result.participants_known
    assert result.is_leaky


def test_rows_on_both_sides_and_repeated_rows_are_told_apart(manifest):
    rows = manifest.drop(columns="participant")
    result = audit(rows, [([0, 1, 2, 2], [2, 3])], max_distance=0)
    table = result.to_frame()
    assert table.query("kind == 'row on both sides'")["train_row"].tolist() == [2]
    assert table.query("kind == 'row repeated'")["leaks"].tolist() == [False]


def test_contradicting_labels_are_named_though_nothing_leaks(manifest, tmp_path):
    copy = tmp_path / "copy.png"
    Image.open(manifest["path"][0]).save(copy)
    other = planted(manifest, copy, label=1 - manifest["label"][0])
    rows = other.drop(columns="participant")
    result = audit(rows, [(range(10, 20), [0, 20])], max_distance=0)
    assert not result.is_leaky
    assert result.to_frame()["kind"].tolist() == ["labels disagree"]
    assert "labels disagree" in str(result)
    assert "Participants are not known" in str(result)


def test_folds_count_classes_and_participants_and_say_what_is_missing(manifest):
    ones = np.flatnonzero(manifest["label"] == 1)
    zeros = np.flatnonzero(manifest["label"] == 0)
    result = audit(manifest, [(zeros, ones)], max_distance=0)
    train, test = result.folds.to_dict("records")
    assert (train["n_class_0"], train["n_class_1"]) == (len(zeros), 0)
    assert test["n_participants"] == manifest["participant"][ones].nunique()
    assert train["missing_classes"] == "1"
    assert "\nThe train side has no class 1" in str(result)
    several = audit(manifest, [(zeros, ones)] * 2, max_distance=0)
    assert "\nFold 1: the train side has no class 1" in str(several)


def test_an_int_means_what_it_means_to_scikit_learn(manifest):
    ordered = manifest.sort_values(["label", "participant"], ignore_index=True)
    found = audit(ordered, 4, max_distance=0).to_frame()
    assert set(found["kind"]) == {"participant on both sides"}


def test_boolean_masks_are_rows(manifest):
    mask = np.arange(20) < 10
    result = audit(manifest, [(mask, ~mask)], max_distance=0)
    assert result.folds["n_samples"].tolist() == [10, 10]


def test_a_report_can_be_written_as_json(manifest):
    content = audit(manifest.drop(columns="participant"), 2, max_distance=0).to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["folds"][0]["n_participants"] is None


def test_all_that_is_wrong_with_a_cv_is_named(manifest):
    with pytest.raises(SplitError, match=r"rows \[77\].*test side of fold 0"):
        audit(manifest, [([0, 77], [])])
    with pytest.raises(SplitError, match="no folds"):
        audit(manifest, [])


def test_missing_participants_are_named_by_row(manifest):
    manifest.loc[[3, 7], "participant"] = None
    with pytest.raises(SplitError, match="missing in rows 3, 7"):
        audit(manifest, 2)


def test_all_unreadable_files_are_named(manifest):
    manifest.loc[[3, 7], "path"] = ["absent.png", "away.png"]
    with pytest.raises(ImageError) as error:
        audit(manifest, 2)
    assert set(error.value.faults) == {"absent.png", "away.png"}


def test_each_file_is_decoded_once(manifest, monkeypatch):
    from glomclf.leakage import duplicates

    read, seen = duplicates.read_image, []
    monkeypatch.setattr(
        duplicates, "read_image", lambda path: (seen.append(path), read(path))[1]
    )
    audit(manifest, 5)
    assert sorted(seen) == sorted(manifest["path"])


NOISE = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype="uint8")


@settings(max_examples=20)
@given(st.lists(st.sampled_from("abcd"), min_size=12, max_size=12), st.data())
def test_exactly_the_participants_on_both_sides_are_found(owners, data):
    train = data.draw(st.lists(st.integers(0, 11), min_size=1, unique=True))
    test = [row for row in range(12) if row not in train] or [0]
    result = audit_splits(NOISE, [0, 1] * 6, [(train, test)], owners, max_distance=0)
    table = result.to_frame()
    named = table[table["kind"] == "participant on both sides"]["train_participant"]
    assert set(named) == {owners[i] for i in train} & {owners[i] for i in test}
    assert result.is_leaky == bool(len(named) or set(train) & set(test))


# Fits.


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(0)
    return rng.normal(size=(80, 4)), np.tile([0, 0, 0, 1], 20), np.arange(80) // 5


def kinds(result):
    return set(result.to_frame().query("leaks")["kind"])


def test_a_plain_pipeline_of_scaler_and_sampler_passes(features):
    model = make_pipeline(StandardScaler(), SMOTE(random_state=0), LogisticRegression())
    result = audit_fit(model, *features, cv=GroupKFold(3))
    assert not result.is_leaky
    seen = result.folds.set_index("step")
    assert (seen.loc["StandardScaler", "n_synthetic"] == 0).all()
    assert (seen.loc["LogisticRegression", "n_synthetic"] > 0).all()
    assert (seen["n_unrecognised"] == 0).all()
    assert len(seen.loc["SMOTE"]) == 3  # once a fold
    assert result.folds["fold"].nunique() == 3


def test_the_classifier_passes_and_its_validation_rows_are_real(tiny):
    result = audit_fit(tiny_classifier(), *tiny)
    assert not result.is_leaky, str(result)
    validation = result.folds.query("role == 'validation'")
    assert "PatchClassifier" in set(validation["step"])
    assert (validation["n_synthetic"] == 0).all()
    assert (validation["n_unrecognised"] == 0).all()
    trained = result.folds.query("role == 'training' and step == 'PatchClassifier'")
    assert (trained["n_synthetic"] > 0).all()
    assert (result.folds["n_unrecognised"] == 0).all(), result.folds
    assert result.to_frame().empty, str(result)


@pytest.mark.slow
def test_a_threshold_chosen_within_the_fit_sees_no_judged_participant(
    tiny, monkeypatch
):
    monkeypatch.setattr("glomclf.model.folds._N_INNER", 2)  # fewer are quicker
    model = tiny_classifier(sampler="oversample", threshold="f1")
    result = audit_fit(model, *tiny)
    assert result.to_frame().empty, str(result)
    trained = result.folds.query("role == 'training' and step == 'PatchClassifier'")
    assert len(trained) == 3  # once for all, once an inner fold


def test_the_classifier_passes_on_files(tmp_path):
    data = make_glomeruli(
        32,
        n_participants=8,
        sclerotic_fraction=0.5,
        image_size=40,
        directory=tmp_path / "set",
        random_state=0,
    )
    model = tiny_classifier(sampler="smote", sampling_space="features")
    result = audit_fit(model, data, data["label"])
    assert not result.is_leaky, str(result)
    assert (result.folds["n_unrecognised"] == 0).all(), result.folds


class Leaky(ClassifierMixin, BaseEstimator):
    """Holds or cuts its validation rows in ways that leak."""

    def __init__(self, way, judged=None):
        self.way = way
        self.judged = judged

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        if self.way == "resamples first":
            X, y = make_sampler("smote", random_state=0).fit_resample(X, y)
        if self.way == "scales judged rows":
            StandardScaler().fit(np.concatenate([X, self.judged]).reshape(-1, 4))
        X, X_val, y, y_val = train_test_split(X, y, stratify=y, random_state=0)
        if self.way == "stops on judged rows":
            X_val, y_val = self.judged, np.resize([0, 1], len(self.judged))
        self.net_ = Watched().fit(X, y, X_val=X_val, y_val=y_val)
        return self

    def predict(self, X):
        return self.net_.predict(X)


class Watched(ClassifierMixin, BaseEstimator):
    """A network that stops early, without the network."""

    def fit(self, X, y, X_val=None, y_val=None):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.resize(self.classes_, len(X))


@pytest.fixture
def one_split(features):
    return next(StratifiedGroupShuffleSplit(1, random_state=0).split(*features))


def test_resampling_before_the_validation_split_is_caught(features, one_split):
    result = audit_fit(Leaky("resamples first"), *features, cv=[one_split])
    assert kinds(result) == {
        "validation row is not real",
        "validation participant trained on",
    }
    with pytest.raises(LeakageError, match="Watched: validation row is not real"):
        result.raise_if_leaky()


@pytest.mark.parametrize("way", ["stops on judged rows", "scales judged rows"])
def test_judged_rows_held_by_an_estimator_are_caught(features, one_split, way):
    X, _, groups = features
    result = audit_fit(Leaky(way, X[one_split[1]]), *features, cv=[one_split])
    assert "judged participant seen" in kinds(result)
    table = result.to_frame().query("kind == 'judged participant seen'")
    named = set(table["participants"].iloc[0].split(", "))
    assert named == set(groups[one_split[1]].astype(str))


def test_early_stopping_within_scikit_learn_is_caught(features):
    net = MLPClassifier((4,), early_stopping=True, max_iter=2, random_state=0)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        result = audit_fit(make_pipeline(SMOTE(random_state=0), net), *features)
    assert kinds(result) == {"own validation split"}


@pytest.mark.parametrize(
    ("net", "is_caught"),
    [
        (GradientBoostingClassifier(n_estimators=3, n_iter_no_change=2), True),
        (GradientBoostingClassifier(n_estimators=3), False),
        (HistGradientBoostingClassifier(max_iter=2), False),
    ],
)
def test_rows_that_an_estimator_cuts_off_by_itself_are_caught(features, net, is_caught):
    result = audit_fit(make_pipeline(SMOTE(random_state=0), net), *features)
    assert kinds(result) == ({"own validation split"} if is_caught else set())


@pytest.mark.parametrize(
    ("settings", "n_rows", "expected"),
    [
        ({"validation_split": 0.2}, 10, True),
        ({"validation_split": 0.0}, 10, False),
        ({}, 10, False),
    ],
)
def test_the_last_rows_that_keras_takes_are_known(settings, n_rows, expected):
    assert _splits_itself(SimpleNamespace(**settings), n_rows) is expected


def test_early_stopping_of_many_rows_alone_is_known():
    boosting = HistGradientBoostingClassifier()
    assert [_splits_itself(boosting, n) for n in (10_000, 10_001)] == [False, True]


class Foreign:
    """A classifier by its methods, of no class of scikit-learn's."""

    def get_params(self, deep=True):
        return {}

    def set_params(self):
        return self

    def fit(self, X, y):
        Watched().fit(X, y, X_val=X, y_val=y)
        return self

    def predict(self, X):
        return np.zeros(len(X))


class Silent(Foreign):
    """Its rows pass through no method that can be watched."""

    fit = functools.partialmethod(lambda self, rows, labels: self)


def test_estimators_of_other_libraries_are_watched_too(features):
    audit = audit_fit(Foreign(), *features)
    assert set(audit.folds["step"]) == {"Foreign", "Watched"}
    assert "validation participant trained on" in kinds(audit)


def test_a_fit_that_cannot_be_watched_is_not_taken_for_clean(features):
    with pytest.raises(ParameterError, match="fit of Silent cannot be watched"):
        audit_fit(Silent(), *features)


def test_the_estimator_and_all_classes_are_left_as_they_were(features):
    before = {name: vars(StandardScaler)[name] for name in ("fit", "transform")}
    model = make_pipeline(StandardScaler(), LogisticRegression())
    audit_fit(model, *features)
    assert not hasattr(model[0], "mean_")
    with pytest.raises(ValueError, match="could not convert"):
        audit_fit(model, np.full((80, 2), "text", dtype=object), *features[1:])
    assert {name: vars(StandardScaler)[name] for name in before} == before


# The definitive test: what is judged changes nothing in the model it is judged by.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampler", "space"),
    [
        (None, "pixels"),
        ("augment", "pixels"),
        ("smote+augment", "pixels"),
        ("undersample+augment", "pixels"),
        ("smote", "features"),
        ("oversample", "features"),
    ],
)
def test_pixels_of_the_held_out_fold_change_nothing_in_the_model(
    tiny, monkeypatch, sampler, space
):
    # Fewer are quicker; in two of them there are too few rows for SMOTE.
    n_inner = 3 if sampler == "smote" else 2
    monkeypatch.setattr("glomclf.model.folds._N_INNER", n_inner)
    X, y, groups = tiny
    cv = StratifiedGroupShuffleSplit(1, test_size=0.25, random_state=0)
    train, test = next(cv.split(X, y, groups))
    changed = X.copy()
    changed[test] = np.random.default_rng(0).integers(
        0, 256, X[test].shape, dtype="uint8"
    )
    model = tiny_classifier(sampler=sampler, sampling_space=space, threshold="f1")
    fits = [
        cross_validate(
            model,
            images,
            y,
            cv=[(train, test)],
            params={"groups": groups},
            scoring="roc_auc",
            return_estimator=True,
        )["estimator"][0]
        for images in (X, changed)
    ]
    one, other = (classifier_to_parts(fit) for fit in fits)
    assert one[0] == other[0]  # settings, history, and with it the epoch of stopping
    assert fits[0].threshold_ == fits[1].threshold_
    assert one[1].keys() == other[1].keys()
    for name, weights in one[1].items():
        np.testing.assert_array_equal(weights, other[1][name], err_msg=name)


def test_a_table_of_features_is_audited_by_rows_and_participants():
    table = pd.DataFrame({"feature": np.zeros(6)})
    participants = ["a", "a", "b", "b", "c", "c"]
    folds = [([0, 1, 2, 3], [3, 4, 5])]
    audit = audit_splits(table, [0, 1] * 3, folds, participants, compare_images=False)
    kinds = set(audit.to_frame()["kind"])
    assert kinds == {"row on both sides", "participant on both sides"}
    assert "X[3]" in str(audit)
