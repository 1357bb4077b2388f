"""Images that show the same are found, whatever file they come from."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import glomclf
from glomclf import make_glomeruli, read_manifest
from glomclf.errors import ImageError
from glomclf.leakage.alignment import aligned_correlation, dihedral_views
from glomclf.leakage.duplicates import find_duplicates, fingerprint_images

REAL = Path(glomclf.__file__).parents[2] / "shared" / "data" / "aidpath" / "public.csv"


@pytest.fixture(scope="module")
def images():
    """12 patches of 12 glomeruli."""
    X, _, _ = make_glomeruli(12, n_participants=4, image_size=96, random_state=0)
    return X


def found(X, **options):
    pairs = find_duplicates(fingerprint_images(X), **options)
    return {(p.first, p.second): p.kind for p in pairs.itertuples()}


def as_jpeg(image, quality):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def test_different_glomeruli_are_no_pair(images):
    assert found(images) == {}


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff"])
def test_equal_pixels_are_identical_in_any_format(images, tmp_path, suffix):
    files = [tmp_path / "one.png", tmp_path / f"other_name.{suffix}"]
    for file in files:
        Image.fromarray(images[0]).save(file)
    rgba = Image.fromarray(images[0]).convert("RGBA")
    rgba.save(tmp_path / "with_alpha.png")
    files.append(tmp_path / "with_alpha.png")
    assert set(found(files).values()) == {"identical"}
    assert len(found(files)) == 3


@pytest.mark.parametrize("quality", [95, 75, 50, 20])
def test_a_jpeg_copy_is_the_same_image_encoded_again(images, quality):
    pairs = found([*images, as_jpeg(images[3], quality)])
    assert pairs == {(3, 12): "re-encoded"}


@pytest.mark.parametrize("view", range(1, 8))
def test_a_turned_or_mirrored_copy_is_the_same_image(images, view):
    copy = dihedral_views(images[3][None, :, :, 0])[view]
    turned = np.repeat(copy[0][:, :, None], 3, axis=2)
    grey = np.repeat(images[3][:, :, :1], 3, axis=2)
    pairs = found([*images[:3], grey, turned])
    assert pairs == {(3, 4): "re-encoded"}


def test_a_recut_copy_is_a_near_duplicate(images):
    pairs = found([*images, np.ascontiguousarray(images[3][3:-3, 4:-2])])
    assert list(pairs) == [(3, 12)]


def test_most_serial_sections_are_found_and_nothing_else(tmp_path):
    manifest = make_glomeruli(
        36,
        n_participants=6,
        serial_sections=True,
        directory=tmp_path / "set",
        random_state=1,
    )
    place = manifest["path"].map(lambda path: int(Path(path).stem[-6:], 16))
    pairs = found(manifest)
    assert all(place[i] // 2 == place[j] // 2 for i, j in pairs)
    assert len(pairs) >= 15  # of 18


def test_all_copies_of_an_image_are_found_however_many(images):
    copies = [as_jpeg(images[0], quality) for quality in range(60, 96, 3)]
    n = len(copies)
    assert len(found(copies)) == n * (n - 1) // 2


def test_zero_distance_finds_equal_pixels_only(images):
    X = np.concatenate([images, images[:1]])
    assert found([*X, as_jpeg(images[3], 90)], max_distance=0) == {(0, 12): "identical"}


def test_blank_images_are_equal_but_like_nothing_else(images):
    blank, grey = np.full_like(images[0], 255), np.full_like(images[0], 128)
    assert found([*images, blank, blank, grey]) == {(12, 13): "identical"}


@pytest.fixture(scope="module")
def in_order(images):
    """14 images, two of them copies, and what is found among them."""
    X = [*images, as_jpeg(images[3], 50), images[5][3:-3, 2:-4]]
    return X, {frozenset(pair): kind for pair, kind in found(X).items()}


@settings(max_examples=4)
@given(st.permutations(range(14)))
def test_order_of_rows_changes_nothing(in_order, order):
    X, expected = in_order
    shuffled = found([X[row] for row in order])
    assert {
        frozenset(order[row] for row in pair): kind for pair, kind in shuffled.items()
    } == expected


@settings(max_examples=10)
@given(st.integers(1, 4), st.integers(2, 40), st.integers(2, 40), st.integers(0, 999))
def test_noise_of_any_size_gives_distances_within_bounds(n, height, width, seed):
    X = np.random.default_rng(seed).integers(
        0, 256, (n, height, width, 3), dtype="uint8"
    )
    pairs = find_duplicates(fingerprint_images(X), max_distance=1)
    assert pairs["distance"].between(0, 1).all()
    assert (pairs["first"] < pairs["second"]).all()


def test_all_bad_files_are_named(images, tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.fromarray(images[0]).save(good)
    bad.write_bytes(b"no image")
    with pytest.raises(ImageError) as error:
        fingerprint_images([str(good), str(bad), str(tmp_path / "absent.png")])
    assert set(error.value.faults) == {str(bad), str(tmp_path / "absent.png")}


def test_correlation_of_an_image_with_itself_is_one(images):
    rows = images[:, :64, :64, 0].astype(np.float32)
    rows -= rows.mean(axis=(1, 2), keepdims=True)
    assert aligned_correlation(rows, rows).tolist() == pytest.approx([1] * 12, abs=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason="the AIDPATH patches are not here")
@pytest.mark.filterwarnings("ignore::glomclf.errors.ParticipantWarning")
def test_real_pairs_are_found_within_participants_only():
    manifest = read_manifest(REAL)
    pairs = find_duplicates(fingerprint_images(manifest, n_jobs=2), n_jobs=2)
    who = manifest["participant"].to_numpy()
    assert len(pairs) >= 10
    assert (who[pairs["first"]] == who[pairs["second"]]).all()
