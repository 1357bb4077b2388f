import os
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import glomclf
from glomclf import read_manifest
from glomclf.data.participants import infer_participants
from glomclf.data.synthetic import make_glomeruli
from glomclf.data.synthetic.cohort import plan_patches
from glomclf.data.synthetic.drawing import draw_patch
from glomclf.errors import ManifestError

SEED_NAME = re.compile(r"S-\d{4}-\d{6}_PAS_[12]of2_[0-9a-f]{24}\.png")
CLASS_FOLDERS = ["globally_sclerotic_glomeruli", "non_globally_sclerotic_glomeruli"]


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A folder as the real one, with serial sections; read, never written to."""
    folder = tmp_path_factory.mktemp("synthetic") / "biopsies"
    manifest = make_glomeruli(
        36,
        n_participants=5,
        sclerotic_fraction=0.3,
        image_size=(24, 48),
        serial_sections=True,
        directory=folder,
        random_state=0,
    )
    return folder, manifest


@pytest.fixture(scope="module")
def cohort():
    """Enough patches and participants for a score, as small as detail allows."""
    return make_glomeruli(
        360, n_participants=24, sclerotic_fraction=0.3, image_size=64, random_state=0
    )


# Arrays


def test_arrays_have_the_documented_shapes_and_types():
    X, y, groups = make_glomeruli(10, n_participants=3, image_size=16, random_state=0)
    assert (X.shape, X.dtype) == ((10, 16, 16, 3), np.uint8)
    assert (y.shape, y.dtype) == ((10,), np.int64)
    assert (groups.shape, groups.dtype) == ((10,), object)
    assert len(set(groups)) == 3


@pytest.mark.parametrize("image_size", [8, 33, 400])
def test_patches_of_every_size_show_tissue_not_a_blank(image_size):
    X, _, _ = make_glomeruli(4, n_participants=2, image_size=image_size, random_state=1)
    assert X.std(axis=(1, 2, 3)).min() > 5


def test_same_seed_draws_the_same_bits_at_every_call():
    first = make_glomeruli(6, n_participants=2, image_size=32, random_state=7)
    again = make_glomeruli(6, n_participants=2, image_size=32, random_state=7)
    for one, other in zip(first, again, strict=True):
        assert_array_equal(one, other)


def test_error_state_of_numpy_changes_nothing():
    plain = make_glomeruli(10, image_size=64, random_state=1)[0]
    with np.errstate(all="raise"):
        assert_array_equal(make_glomeruli(10, image_size=64, random_state=1)[0], plain)


def test_random_state_instance_draws_as_its_seed_does_and_then_something_else():
    rng = np.random.RandomState(7)
    kwargs = {"n_participants": 2, "image_size": 16}
    X, _, _ = make_glomeruli(6, **kwargs, random_state=7)
    X_first, _, _ = make_glomeruli(6, **kwargs, random_state=rng)
    X_second, _, _ = make_glomeruli(6, **kwargs, random_state=rng)
    assert_array_equal(X_first, X)
    assert (X_second != X).any()


def test_other_seed_gives_other_participants():
    groups = [
        make_glomeruli(6, n_participants=3, image_size=8, random_state=seed)[2]
        for seed in (0, 1)
    ]
    assert set(groups[0]).isdisjoint(groups[1])


def test_patch_does_not_depend_on_the_patches_drawn_before_it():
    plan = plan_patches((1, 2, 3, 4), 4, 2, 0.5, n_sections=2)
    forwards = [draw_patch(patch, (24, 24)) for patch in plan]
    backwards = [draw_patch(patch, (24, 24)) for patch in reversed(plan)]
    assert_array_equal(forwards, backwards[::-1])


def test_no_two_patches_are_alike():
    X, _, _ = make_glomeruli(
        20, n_participants=2, image_size=16, serial_sections=True, random_state=0
    )
    assert len({image.tobytes() for image in X}) == 20


# Participants and labels


def test_participants_differ_in_their_share_of_sclerosis():
    plan = plan_patches((0, 0, 0, 0), 2000, 20, 0.3, n_sections=1)
    rows = pd.DataFrame([(patch.slide.participant, patch.label) for patch in plan])
    shares = rows.groupby(0)[1].mean()
    # 100 patches each of one share for all would spread by 0.046.
    assert shares.std() > 0.1
    assert rows[1].sum() == 600


def test_stain_differs_between_participants_more_than_between_classes(cohort):
    X, y, groups = cohort
    colours = pd.DataFrame(X.mean(axis=(1, 2)))

    def spread_between(by):
        return colours.groupby(by).transform("mean").var(ddof=0).sum()

    assert spread_between(groups) > 0.6 * colours.var(ddof=0).sum()
    assert spread_between(groups) > 4 * spread_between(y)


def test_texture_tells_the_classes_better_than_colour_but_not_perfectly(cohort):
    X, y, groups = cohort
    colours = X.mean(axis=(1, 2))
    auc_of_colour = auc_by_participant(colours, y, groups)
    auc_of_texture = auc_by_participant(
        np.column_stack([colours, [texture(image) for image in X]]), y, groups
    )
    assert auc_of_colour < 0.9
    assert 0.9 < auc_of_texture < 0.995
    assert auc_of_texture > auc_of_colour + 0.05


def auc_by_participant(features, y, groups):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    cv = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    scores = cross_val_predict(
        model, features, y, groups=groups, cv=cv, method="predict_proba"
    )
    return roc_auc_score(y, scores[:, 1])


def texture(image):
    """Contrast at five scales, in the whole patch and in its middle."""
    grey = -np.log((image.mean(axis=2) + 8) / 263)
    smooth = [ndimage.gaussian_filter(grey, scale) for scale in (0.3, 0.6, 1.2, 2.4, 5)]
    bands = [finer - coarser for finer, coarser in pairwise(smooth)]
    middle = (slice(16, 48), slice(16, 48))
    return [part.std() for band in bands for part in (band, band[middle])] + [
        smooth[0][middle].mean(),
        *np.percentile(smooth[0][middle], [5, 25, 75, 95]),
    ]


# Serial sections


def test_serial_sections_show_each_glomerulus_once_on_both_slides(originals):
    _, manifest = originals
    place = manifest["path"].map(lambda path: int(Path(path).stem[-6:], 16))
    pairs = manifest.groupby(place // 2)
    assert set(pairs.size()) == {2}
    assert set(pairs["slide"].nunique()) == {2}
    assert set(pairs["participant"].nunique()) == {1}
    assert set(pairs["label"].nunique()) == {1}


def test_two_slides_of_a_biopsy_have_the_numbers_of_the_real_set(originals):
    _, manifest = originals
    for _, slides in manifest.groupby("participant")["slide"]:
        second, first = sorted(set(slides))
        number, part = re.fullmatch(r"S-\d{4}-(\d{6})_PAS_(.*)", first).groups()
        number_2, part_2 = re.fullmatch(r"S-\d{4}-(\d{6})_PAS_(.*)", second).groups()
        assert (part, part_2) == ("1of2", "2of2")
        assert int(number) == int(number_2) + 1


def test_serial_sections_are_more_alike_than_different_glomeruli():
    plan = plan_patches((1, 2, 3, 4), 15, 1, 0.4, n_sections=2)
    plan.sort(key=lambda patch: (patch.glomerulus, patch.section))
    glomerulus = np.array([patch.glomerulus for patch in plan])
    label = np.array([patch.label for patch in plan])
    grey = np.stack([draw_patch(patch, (64, 64)).mean(axis=2) for patch in plan])
    alike = np.corrcoef(ndimage.gaussian_filter(grey, (0, 1.5, 1.5)).reshape(30, -1))
    same = glomerulus[:, None] == glomerulus
    neighbours = alike[same & ~np.eye(30, dtype=bool)]
    others = alike[~same & (label[:, None] == label)]
    assert np.median(neighbours) > np.quantile(others, 0.95)
    assert neighbours.max() < 0.99  # recut and restained, not copied


# Folders


def test_names_have_the_form_of_the_real_set_and_sit_in_their_class_folder(originals):
    _, manifest = originals
    for path, label, slide in zip(
        manifest["path"], manifest["label"], manifest["slide"], strict=True
    ):
        assert SEED_NAME.fullmatch(Path(path).name)
        assert Path(path).name.startswith(f"{slide}_")
        assert Path(path).parent.name == CLASS_FOLDERS[1 - label]
        assert os.path.isabs(path)


def test_files_are_rgba_of_mixed_sizes_within_the_pair(originals):
    _, manifest = originals
    sizes = []
    for path in manifest["path"]:
        with Image.open(path) as image:
            assert (image.format, image.mode) == ("PNG", "RGBA")
            assert image.getchannel("A").getextrema() == (255, 255)
            sizes.append(image.size)
    assert 24 <= np.min(sizes) < np.max(sizes) <= 48
    assert any(width != height for width, height in sizes)


def test_csv_lists_the_rows_of_the_manifest(originals):
    folder, manifest = originals
    table = pd.read_csv(folder / "public.csv")
    assert list(table) == ["name", "ground truth", "slide", "participant"]
    assert list(table["name"]) == [Path(path).name for path in manifest["path"]]
    assert list(table["ground truth"]) == list(manifest["label"])
    assert list(table["participant"]) == list(manifest["participant"])
    assert sorted(os.listdir(folder)) == [*CLASS_FOLDERS, "public.csv"]
    assert sum(1 for _ in folder.rglob("*.png")) == len(table)


def test_read_manifest_reads_back_what_was_returned(originals):
    folder, manifest = originals
    pd.testing.assert_frame_equal(read_manifest(folder / "public.csv"), manifest)


def test_participants_are_inferred_from_the_names_alone(originals):
    _, manifest = originals
    assert_array_equal(infer_participants(manifest["path"]), manifest["participant"])


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_sections=st.sampled_from([1, 2]))
def test_names_of_many_participants_never_merge(seed, n_sections):
    plan = plan_patches((seed,), 400, 300, 0.2, n_sections)
    names = [patch.file_name for patch in plan]
    assert_array_equal(
        infer_participants(names), [patch.slide.participant for patch in plan]
    )
    assert len(set(names)) == len(names)


def test_folder_and_arrays_hold_the_same_patches(tmp_path):
    kwargs = {"n_participants": 2, "image_size": 24, "random_state": 3}
    X, y, groups = make_glomeruli(6, **kwargs)
    manifest = make_glomeruli(6, **kwargs, directory=tmp_path)
    files = [np.asarray(Image.open(p).convert("RGB")) for p in manifest["path"]]
    assert_array_equal(files, X)
    assert_array_equal(manifest["label"], y)
    assert_array_equal(manifest["participant"], groups)


def test_missing_parents_are_made_and_nothing_is_left_beside_the_folder(tmp_path):
    make_glomeruli(
        2, n_participants=1, image_size=8, directory=str(tmp_path / "a" / "b")
    )
    assert os.listdir(tmp_path / "a") == ["b"]


def test_empty_folder_behind_a_link_is_filled_and_the_link_kept(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk", target_is_directory=True)
    manifest = make_glomeruli(
        2, n_participants=1, image_size=8, directory=tmp_path / "link"
    )
    assert (tmp_path / "link").is_symlink()
    assert sorted(os.listdir(tmp_path / "disk")) == [*CLASS_FOLDERS, "public.csv"]
    pd.testing.assert_frame_equal(
        read_manifest(tmp_path / "link" / "public.csv"), manifest
    )


def test_folder_that_holds_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("ten years of work")
    with pytest.raises(ManifestError, match=r"overwrites nothing.*is not empty: pass"):
        make_glomeruli(2, n_participants=1, image_size=8, directory=tmp_path)
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_directory_that_is_a_file_is_refused(tmp_path):
    file = tmp_path / "set"
    file.touch()
    with pytest.raises(ManifestError, match=r"overwrites nothing.*set' is a file"):
        make_glomeruli(2, n_participants=1, image_size=8, directory=file)


def test_failure_midway_leaves_no_folder_that_looks_whole(tmp_path, monkeypatch):
    def full_disk(self, path, **options):
        if len(list(Path(path).parent.parent.rglob("*.png"))) == 2:
            raise OSError("No space left on device")
        Path(path).touch()

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        make_glomeruli(6, n_participants=1, image_size=8, directory=tmp_path / "set")
    assert os.listdir(tmp_path) == []


# Parameters


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("n_samples", 0, r"an int in the range \[1, inf\)"),
        ("n_samples", 10.0, "an int in the range"),
        ("n_participants", 0, "an int in the range"),
        ("sclerotic_fraction", 0.0, r"a float in the range \(0\.0, 1\.0\)"),
        ("sclerotic_fraction", 1.0, r"a float in the range \(0\.0, 1\.0\)"),
        ("image_size", 7, r"an int in the range \[8, 2048\] or an instance of 'tuple'"),
        ("image_size", "224", "an int in the range"),
        ("serial_sections", "yes", "an instance of 'bool'"),
        ("directory", 3, "an instance of 'str'"),
        ("random_state", "seed", "'numpy.random.mtrand.RandomState' or None"),
    ],
)
def test_parameter_out_of_range_is_named_with_what_was_expected(name, value, expected):
    message = f"The '{name}' parameter of make_glomeruli must be .*{expected}"
    with pytest.raises(ValueError, match=message):
        make_glomeruli(**{name: value})


@pytest.mark.parametrize(
    "image_size", [(), (24,), (24, 32, 48), (24.0, 48), (48, 24), (4, 48), (24, 9999)]
)
def test_pair_of_sizes_that_is_none_is_refused(image_size, tmp_path):
    with pytest.raises(
        ValueError, match=r"a tuple \(low, high\) of ints with 8 <= low"
    ):
        make_glomeruli(image_size=image_size, directory=tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"image_size": (24, 48)}, r"or a directory to write to, got \(24, 48\)"),
        ({"n_samples": 11, "serial_sections": True}, "gives 2 patches: n_samples=11"),
        ({"n_participants": 9, "serial_sections": True}, "with n_participants=9"),
        ({"n_samples": 4, "n_participants": 5}, "n_samples=4 does not allow"),
    ],
)
def test_parameters_that_contradict_each_other_are_named(given, told):
    with pytest.raises(ValueError, match=told):
        make_glomeruli(**{"n_samples": 16, "n_participants": 2} | given)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), serial_sections=st.booleans())
def test_counts_and_shapes_hold_for_all_parameters(data, serial_sections):
    n_glomeruli = data.draw(st.integers(1, 8), "n_glomeruli")
    n_participants = data.draw(st.integers(1, n_glomeruli), "n_participants")
    fraction = data.draw(st.floats(0.001, 0.999), "sclerotic_fraction")
    image_size = data.draw(st.integers(8, 24), "image_size")
    n_sections = 1 + serial_sections
    X, y, groups = make_glomeruli(
        n_glomeruli * n_sections,
        n_participants=n_participants,
        sclerotic_fraction=fraction,
        image_size=image_size,
        serial_sections=serial_sections,
        random_state=data.draw(st.integers(0, 2**32 - 1), "random_state"),
    )
    assert X.shape == (n_glomeruli * n_sections, image_size, image_size, 3)
    assert y.sum() == n_sections * round(n_glomeruli * fraction)
    assert len(set(groups)) == n_participants
    assert X.std(axis=(1, 2, 3)).min() > 0


@settings(max_examples=10, deadline=None)
@given(low=st.integers(8, 24), more=st.integers(0, 24), seed=st.integers(0, 2**32 - 1))
def test_sides_stay_within_the_pair_for_all_pairs(low, more, seed):
    for patch in plan_patches((seed,), 3, 2, 0.5, n_sections=2):
        height, width, channels = draw_patch(patch, (low, low + more)).shape
        assert low <= min(height, width) <= max(height, width) <= low + more
        assert channels == 3


def test_public_name_is_reached_from_the_package():
    assert glomclf.make_glomeruli is make_glomeruli
