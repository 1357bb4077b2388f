"""Approaches: who sees whom, what is counted, and how far reports are off."""

import re
import warnings
from itertools import cycle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import SMOTE
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

from glomclf import GlomeruliClassifier, make_glomeruli, read_manifest
from glomclf.errors import ParameterError, SplitError, SplitWarning
from glomclf.model import LinearProbe, approach_comparison, approaches
from glomclf.model.approach_comparison import COMPARED_SCORES, compare_approaches
from glomclf.model.approaches import (
    APPROACHES,
    Patches,
    draw_folds,
    load_patches,
    try_splits,
)
from glomclf.model.validation import split_off
from glomclf.samplers import make_sampler

NAMES = [one.name for one in APPROACHES]
BY_PARTICIPANT = [one.name for one in APPROACHES if one.by_participant]
N_FOLDS = 3
RUNS = [(name, fold) for name in NAMES for fold in range(N_FOLDS)]
FITS = []


class Memoriser(GlomeruliClassifier):
    """Knows what it has seen: the label of the nearest training image, at once."""

    def fit(self, X, y, groups=None, X_val=None, y_val=None):
        FITS.append({"X": X, "y": y, "groups": groups, "sampler": self.sampler})
        self.nearest_ = KNeighborsClassifier(1).fit(_flat(X), y)
        self.classes_ = self.nearest_.classes_
        self.threshold_ = self.threshold
        return self

    def predict_proba(self, X):
        return 0.02 + 0.96 * self.nearest_.predict_proba(_flat(X))


def _flat(X):
    return X[:, ::2, ::2].reshape(len(X), -1).astype(np.float32)


@pytest.fixture(scope="module")
def biopsies():
    """120 patches in serial sections, so that there is kin to be found."""
    return make_glomeruli(
        120,
        n_participants=20,
        sclerotic_fraction=0.35,
        image_size=32,
        serial_sections=True,
        random_state=0,
    )


@pytest.fixture(scope="module")
def watched(biopsies):
    """One run with all that was fitted and resampled, for tests that only read."""
    resampled, resample = [], approaches._resample_before_the_split

    def watch(rows, sampler, seed):
        resampled.append((rows, resample(rows, sampler, seed)))
        return resampled[-1][1]

    FITS.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(approaches, "_resample_before_the_split", watch)
        comparison = compare(biopsies)
    return comparison, FITS.copy(), resampled


def compare(biopsies, **options):
    settings = {"n_folds": N_FOLDS, "random_state": 0}
    estimator = Memoriser(image_size=32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(approach_comparison, "_N_BOOTSTRAP", 100)
        return compare_approaches(
            *biopsies, **{"estimator": estimator, **settings, **options}
        )


def rows_of(table, **wanted):
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table


def test_untouched_participants_are_never_trained_on(watched, biopsies):
    comparison, fits, resampled = watched
    X, _, groups = biopsies
    owner = {image.tobytes(): name for image, name in zip(X, groups, strict=True)}
    assert len(resampled) == N_FOLDS
    for (name, fold), fit in zip(RUNS, fits, strict=True):
        table = rows_of(comparison.predictions, approach=name, fold=fold)
        untouched = set(rows_of(table, part="untouched")["participant"])
        reported = set(rows_of(table, part="reported")["participant"])
        trained = {owner.get(image.tobytes()) for image in fit["X"]}
        assert untouched
        assert not untouched & (reported | trained)
        if name == "1":
            assert not untouched & set(resampled[fold][0].known["participant"])


def test_every_patch_is_untouched_once_and_for_all_approaches_in_the_same_fold(watched):
    untouched = rows_of(watched[0].predictions, part="untouched")
    assert not untouched["synthetic"].any()
    assert not untouched["participant_trained_on"].any()
    folds = untouched.pivot(index="row", columns="approach", values="fold")
    assert len(folds) == 120
    assert (folds.nunique(axis=1) == 1).all()


def test_first_approach_tests_on_kin_of_its_training_images(watched):
    counts = watched[0].counts()
    assert counts.loc["1", "synthetic"] > 0
    assert counts.loc["1", "source_trained_on"] > 0
    assert counts.loc["1", "reported_0"] == counts.loc["1", "reported_1"]
    assert (counts.loc[NAMES[1:], ["synthetic", "source_trained_on"]] == 0).all(
        axis=None
    )


def test_splits_by_patch_share_participants_and_splits_by_participant_none(watched):
    shared = watched[0].counts()["participant_trained_on"]
    assert (shared[["1", "2", "3"]] > 0).all()
    assert (shared[BY_PARTICIPANT] == 0).all()


def test_only_approaches_by_participant_tell_the_classifier_who_is_who(watched):
    _, fits, _ = watched
    told = [fit["groups"] is not None for fit in fits]
    assert told == np.repeat([n in BY_PARTICIPANT for n in NAMES], N_FOLDS).tolist()
    for fit in fits:
        assert fit["groups"] is None or len(fit["groups"]) == len(fit["X"])


def test_first_approach_alone_trains_on_resampled_rows_without_a_sampler(watched):
    _, fits, _ = watched
    samplers = [fit["sampler"] for fit in fits[::N_FOLDS]]
    assert samplers == [None, *(one.sampler for one in APPROACHES[1:])]
    shares = [fit["y"].mean() for fit in fits]
    assert shares[:N_FOLDS] == pytest.approx([0.5] * N_FOLDS, abs=0.01)
    assert max(shares[N_FOLDS:]) < 0.45


def test_kin_and_participants_trained_on_are_those_of_the_fit(watched, biopsies):
    comparison, fits, resampled = watched
    X, _, groups = biopsies
    for (name, fold), fit in zip(RUNS, fits, strict=True):
        images, rows = X, np.arange(len(X))
        if name == "1":
            images, known = resampled[fold][1]
            rows = known["row"]
        row_of = dict(zip((image.tobytes() for image in images), rows, strict=True))
        trained = [row_of[image.tobytes()] for image in fit["X"]]
        table = rows_of(comparison.predictions, approach=name, fold=fold)
        row, who = table["row"], table["participant"]
        assert (who == groups[row]).all()
        assert (table["source_trained_on"] == row.isin(trained)).all()
        assert (table["participant_trained_on"] == who.isin(groups[trained])).all()


def test_report_of_the_leak_is_far_above_and_of_participants_within_intervals():
    biopsies = make_glomeruli(
        240,
        n_participants=40,
        sclerotic_fraction=0.3,
        image_size=32,
        serial_sections=True,
        random_state=1,
    )
    frame = compare(biopsies).to_frame().xs("f1", level="score")
    leak = frame.loc["1"]
    assert leak["inflation_low"] > 0.1
    assert leak["reported"] > leak["untouched_high"]
    assert frame.loc["2", "inflation"] > frame.loc["2 by participant", "inflation"]
    for name in BY_PARTICIPANT:
        honest = frame.loc[name]
        assert honest["untouched_low"] < honest["reported"] < honest["untouched_high"]
        assert honest["inflation_low"] < 0 < honest["inflation_high"]


def test_inflation_is_reported_less_untouched(watched):
    frame = watched[0].to_frame()
    assert frame.index.unique("score").tolist() == list(COMPARED_SCORES)
    difference = frame["reported"] - frame["untouched"]
    assert difference.to_numpy() == pytest.approx(frame["inflation"].to_numpy())
    known = frame.dropna()
    assert (known["inflation_low"] <= known["inflation"]).all()
    assert (known["inflation"] <= known["inflation_high"]).all()


def test_paired_interval_of_an_inflation_that_is_always_zero_is_absent():
    table = pd.DataFrame(
        {
            "participant": np.repeat([f"p{i}" for i in range(12)], 4),
            "label": np.tile([0, 1, 0, 1], 12),
            "probability": np.random.default_rng(0).random(48),
            "threshold": 0.5,
        }
    )
    inflation = approach_comparison._inflation({"reported": table, "untouched": table})
    assert set(inflation.scores.values()) == {0.0}
    assert np.isnan(inflation.interval("f1")).all()


def test_each_fold_is_scored_at_its_own_threshold_and_the_estimator_stays(biopsies):
    cuts = cycle([0.01, 0.5, 0.99])  # below, between and above what is predicted
    told = []

    class Fickle(Memoriser):
        def fit(self, X, y, groups=None, X_val=None, y_val=None):
            told.append((self.predict_views, X.shape[1]))
            super().fit(X, y, groups)
            self.threshold_ = next(cuts)
            return self

    estimator = Fickle("augment", image_size=32, predict_views=2)
    comparison = compare(biopsies, estimator=estimator)
    table = rows_of(comparison.predictions, approach="2", part="untouched")
    assert table.groupby("fold")["threshold"].unique().map(list).tolist() == [
        [0.01],
        [0.5],
        [0.99],
    ]
    predicted = table["probability"] >= table["threshold"]
    (_, fp), (_, tp) = comparison.evaluations["2"]["untouched"].confusion_matrix
    assert fp + tp == predicted.sum()
    assert set(told) == {(2, 32)}
    assert estimator.sampler == "augment"  # the caller's
    assert not hasattr(estimator, "nearest_")


def test_same_seed_gives_the_same_table_whatever_participants_are_called(
    biopsies, watched
):
    X, y, groups = biopsies
    numbers = pd.factorize(groups, sort=True)[0] + 100  # of one length: same order
    seen = []
    again = compare((X, y, numbers), after_each=seen.append)
    pd.testing.assert_frame_equal(again.to_frame(), watched[0].to_frame())
    unnamed = again.predictions.drop(columns="participant")
    first = watched[0].predictions.drop(columns="participant")
    pd.testing.assert_frame_equal(unnamed, first)
    assert [list(part.evaluations) for part in seen[:2]] == [["1"], ["1", "2"]]
    assert seen[0].counts().index.tolist() == ["1"]
    assert again is seen[-1]


def test_another_seed_deals_participants_otherwise(biopsies):
    _, y, groups = biopsies
    one, other = (draw_folds(y, groups, 3, seed)[0].rest for seed in (0, 1))
    assert set(one) != set(other)


def test_a_manifest_of_files_gives_its_pixels(tmp_path):
    data = tmp_path / "data"
    make_glomeruli(8, n_participants=4, image_size=32, directory=data, random_state=0)
    manifest = read_manifest(data / "public.csv")
    loaded = load_patches(
        manifest, manifest["label"], manifest["participant"], Memoriser(image_size=32)
    )
    pixels = [np.asarray(Image.open(path).convert("RGB")) for path in manifest["path"]]
    np.testing.assert_array_equal(loaded.images, pixels)
    assert loaded.known["label"].tolist() == manifest["label"].tolist()


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), min_size=4, max_size=12),
    st.integers(2, 4),
    st.integers(0, 2**32 - 1),
)
def test_folds_leave_participants_whole_or_are_refused(counts, n_folds, seed):
    labels = np.concatenate([np.repeat([0, 1], pair) for pair in counts])
    sizes = [sum(pair) for pair in counts]
    names = np.repeat([f"p{i}" for i in range(len(counts))], sizes)
    rng = np.random.RandomState(seed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SplitWarning)
            folds = draw_folds(labels, names, n_folds, rng)
        try_splits(labels, names, folds, GlomeruliClassifier())
    except SplitError:
        return
    assert sorted(np.concatenate([one.untouched for one in folds])) == list(
        range(len(labels))
    )
    for fold in folds:
        train, test = split_off(labels[fold.rest], names[fold.rest], 0.15, fold.seed)
        sides = names[fold.rest][train], names[fold.rest][test], names[fold.untouched]
        assert sum(len(set(side)) for side in sides) == len(set(names))
        for side in sides[:2]:
            assert set(labels[np.isin(names, side)]) == {0, 1}


def test_counts_agree_with_the_predictions(watched):
    comparison, *_ = watched
    reported = rows_of(comparison.predictions, approach="1", part="reported")
    first = comparison.counts().loc["1"]
    assert first["reported_1"] == reported["label"].sum()
    assert first["synthetic"] == reported["synthetic"].sum()
    assert comparison.evaluations["1"]["reported"].n_samples == len(reported)


def test_caution_names_whose_intervals_are_not_to_be_trusted(watched):
    comparison, *_ = watched
    for name, parts in comparison.evaluations.items():
        for part, evaluation in parts.items():
            named = re.search(
                rf"(^|; |, ){part} score of approach {name}(?=[,:])", comparison.caution
            )
            assert bool(named) == bool(evaluation.caution)
    assert "too few participants" in comparison.caution


def test_parent_of_a_mixture_is_the_image_it_has_more_of(biopsies):
    X, y, _ = biopsies
    sampler = make_sampler(SMOTE(k_neighbors=3), random_state=0)
    X_new, y_new = sampler.fit_resample(X, y)
    parents = approaches._parents(sampler, X, y, X_new, y_new)
    carried = sampler.source_indices_ >= 0
    np.testing.assert_array_equal(parents[carried], sampler.source_indices_[carried])
    np.testing.assert_array_equal(y[parents], y_new)
    made = np.flatnonzero(~carried)
    minority = np.flatnonzero(y == 1)
    for row in made:
        gaps = np.abs(X[minority].astype(float) - X_new[row]).sum(axis=(1, 2, 3))
        rank = np.argsort(gaps).tolist().index(minority.tolist().index(parents[row]))
        assert rank < 2  # one of the two that it was mixed of


def test_parents_are_traced_through_all_steps(biopsies):
    X, y, groups = biopsies
    y = np.where(np.arange(120) % 5 == 0, 1, 0)  # few enough for both steps to add
    known = {"row": np.arange(120), "participant": groups, "label": y}
    rows = Patches(X, pd.DataFrame(known).assign(synthetic=False))
    images, made = approaches._resample_before_the_split(rows, "smote+augment", 0)
    assert made["label"].value_counts().tolist() == [96, 96]
    assert made["synthetic"].sum() == 72
    np.testing.assert_array_equal(y[made["row"]], made["label"])
    np.testing.assert_array_equal(groups[made["row"]], made["participant"])
    real = ~made["synthetic"].to_numpy()
    np.testing.assert_array_equal(images[real], X[made["row"][real]])


def test_sampler_of_features_is_refused(biopsies):
    estimator = Memoriser(sampling_space="features", sampler="smote")
    with pytest.raises(ParameterError, match="but the approaches resample images"):
        compare(biopsies, estimator=estimator)


def test_an_estimator_that_no_sampler_suits_is_refused_at_once(biopsies, monkeypatch):
    seen = []
    monkeypatch.setattr(approach_comparison, "load_patches", seen.append)
    with pytest.raises(ParameterError, match="one number as network__C"):
        compare(biopsies, estimator=Memoriser(network=LinearProbe()))
    assert seen == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y, g: (X, y), "participants are not known: pass groups"),
        (lambda X, y, g: (X, y, [None, *g[1:]]), "participant is missing in rows 0"),
        (lambda X, y, g: (X, y + 1, g), r"labels 0 and 1, both; got \[1, 2\]"),
        (lambda X, y, g: (X, 0 * y, g), r"labels 0 and 1, both; got \[0\]"),
        (
            lambda X, y, g: (X, y, np.where(y == 1, "a", g)),
            "class 1 is found in 1 participants; it takes 4",
        ),
    ],
)
def test_rows_that_cannot_be_compared_are_refused(biopsies, change, message):
    with pytest.raises(SplitError, match=message):
        compare(change(*biopsies))


def test_estimator_of_another_kind_is_refused(biopsies):
    with pytest.raises(ValueError, match=r"'estimator' .*Classifier.* Got KNeigh"):
        compare(biopsies, estimator=KNeighborsClassifier())


def test_folds_without_room_for_splits_by_participant_are_refused_before_training(
    biopsies,
):
    X, y, _ = biopsies
    groups = np.arange(120) % 4  # each has both classes, but four do not go round
    FITS.clear()
    asks = Memoriser(image_size=32, validation_fraction=0.15)
    with pytest.raises(SplitError, match="participants"):
        compare((X, y, groups), estimator=asks, n_folds=2)
    assert not FITS
