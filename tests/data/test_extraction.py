"""Patches from slides: the right pixels, the right rows, and nothing half done."""

import json

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from glomclf import extract_patches, read_manifest
from glomclf.data import extraction, read_image
from glomclf.data.patch_cuts import cut_of
from glomclf.errors import AnnotationError, ParameterError, SlideError

PIXELS = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
LAYERS = ("non_globally_sclerotic_glomeruli", "globally_sclerotic_glomeruli")


def rectangle(left, top, width, height):
    right, bottom = left + width, top + height
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def feature(name, *rings, label=1):
    return {
        "type": "Feature",
        "id": name,
        "geometry": {"type": "Polygon", "coordinates": list(rings)},
        "properties": {"classification": LAYERS[label]},
    }


FEATURES = (
    feature("a", rectangle(50, 60, 40, 30)),
    feature("b", rectangle(-10, -10, 40, 30), rectangle(5, 5, 4, 4), label=0),
    feature("../c", rectangle(380, 280, 60, 60)),
)


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    """Write a tiled pyramid at half a micrometre per pixel."""
    path = tmp_path_factory.mktemp("slides") / "S1.tif"
    with tifffile.TiffWriter(path) as writer:
        for step in (1, 4):
            writer.write(
                PIXELS[::step, ::step],
                tile=(64, 64),
                photometric="rgb",
                compression="zlib",
                subfiletype=int(step > 1),
                resolution=(20_000 / step, 20_000 / step),
                resolutionunit="CENTIMETER",
            )
    return path


def pairs(slide, folder, features=FEATURES, **more):
    file = folder / f"{slide.stem}.geojson"
    file.write_text(json.dumps(list(features)))
    row = {"slide": slide, "annotations": file, "participant": "P1"}
    return pd.DataFrame([{**row, **more}])


def expected(left, top, width, height):
    """Cut the drawn pixels out, white beyond them."""
    around = np.pad(PIXELS, ((99, 99), (99, 99), (0, 0)), constant_values=255)
    return around[top + 99 : top + 99 + height, left + 99 : left + 99 + width]


def test_each_crop_equals_the_drawn_pixels(slide, tmp_path):
    rows = pairs(slide, tmp_path, centre="Lyon")
    patches = extract_patches(rows, tmp_path / "out", scale=0.5, margin=2.5)
    boxes = [(45, 55, 50, 40), (-15, -15, 50, 40), (375, 275, 70, 70)]
    for path, box in zip(patches["path"], boxes, strict=True):
        assert np.array_equal(read_image(path), expected(*box))
    assert patches["label"].to_list() == [1, 0, 1]
    assert patches["annotation_id"].to_list() == ["a", "b", "../c"]
    assert patches["area_um2"].to_list() == [300.0, 296.0, 900.0]
    assert set(patches["slide"]) == {"S1"}
    assert set(patches["participant"]) == {"P1"}
    assert set(patches["centre"]) == {"Lyon"}
    cut = {"scale": 0.5, "margin": 2.5, "outside": "keep"}
    assert cut_of(patches) == cut
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert len(names) == 4
    assert names[1:] == ["S1_a.png", "S1_b.png", "patches.csv"]
    again = read_manifest(tmp_path / "out" / "patches.csv")
    pd.testing.assert_frame_equal(patches, again)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("scale", [0.5, 1.0]),
        ("scale", [0.0, 0.0]),
        ("scale", [np.inf, np.inf]),
        ("scale", ["half", "half"]),
        ("margin", [-1, -1]),
        ("margin", [np.nan, np.nan]),
        ("outside", ["black", "black"]),
        ("outside", [None, None]),
    ],
)
def test_a_cut_that_is_not_one_is_not_known(name, values):
    table = pd.DataFrame(
        {"patch_scale": 0.5, "patch_margin": 15, "patch_outside": "keep"}, index=[0, 1]
    )
    assert cut_of(table) is not None
    assert cut_of(table.drop(columns=f"patch_{name}")) is None
    assert cut_of(table.assign(**{f"patch_{name}": values})) is None


def test_patches_of_two_slides_have_one_scale(slide, tmp_path):
    coarse = tmp_path / "S2.png"
    Image.fromarray(PIXELS[::2, ::2]).save(coarse)
    one = feature("a", rectangle(50, 60, 40, 32))
    two = feature("a", rectangle(25, 30, 20, 16))
    rows = pd.concat(
        [
            pairs(slide, tmp_path, [one]),
            pairs(coarse, tmp_path, [two], mpp=1.0),
        ]
    )
    patches = extract_patches(rows, tmp_path / "out", scale=2, margin=0)
    assert patches["area_um2"].to_list() == [320.0, 320.0]
    first, second = (read_image(path) for path in patches["path"])
    assert first.shape == second.shape == (8, 10, 3)


def test_pixels_outside_of_the_polygon_become_white(slide, tmp_path):
    rows = pairs(slide, tmp_path, FEATURES[1:2])
    out = tmp_path / "out"
    patches = extract_patches(rows, out, scale=0.5, margin=2.5, outside="white")
    image = read_image(patches["path"][0])
    inside = np.zeros((40, 50), dtype=bool)
    inside[15:35, 15:45] = True  # of the slide; the polygon begins beyond its border
    inside[20:24, 20:24] = False  # the hole
    assert np.array_equal(image[inside], expected(-15, -15, 50, 40)[inside])
    assert (image[~inside] == 255).all()


def test_the_mask_is_the_same_in_bands(slide, tmp_path, monkeypatch):
    rows = pairs(slide, tmp_path, FEATURES[1:2])
    whole = extract_patches(rows, tmp_path / "1", outside="white")
    monkeypatch.setattr(extraction, "_BAND", 300)
    bands = extract_patches(rows, tmp_path / "2", outside="white")
    first, second = (read_image(one["path"][0]) for one in (whole, bands))
    assert np.array_equal(first, second)


def test_an_interrupted_run_is_continued(slide, tmp_path, monkeypatch):
    out, rows = tmp_path / "out", pairs(slide, tmp_path)
    write = extraction._write

    def stop_at_b(slide, crop, cut, folder):
        if crop.row["annotation_id"] == "b":
            raise KeyboardInterrupt
        write(slide, crop, cut, folder)

    monkeypatch.setattr(extraction, "_write", stop_at_b)
    with pytest.raises(KeyboardInterrupt):
        extract_patches(rows, out)
    assert [file.name for file in out.iterdir()] == ["S1_a.png"]
    monkeypatch.undo()

    first = (out / "S1_a.png").stat().st_ino  # another file would have another
    extract_patches(rows, out)
    assert (out / "S1_a.png").stat().st_ino == first
    assert len(list(out.iterdir())) == 4
    extract_patches(rows, out, margin=3)
    assert read_image(out / "S1_a.png").shape == (42, 52, 3)


def test_a_damaged_patch_is_cut_out_again(slide, tmp_path):
    out, rows = tmp_path / "out", pairs(slide, tmp_path)
    extract_patches(rows, out)
    (out / "S1_a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    extract_patches(rows, out)
    assert read_image(out / "S1_a.png").shape == (90, 100, 3)


def test_all_slides_are_checked_before_anything_is_written(slide, tmp_path):
    plain = tmp_path / "S2.png"
    Image.fromarray(PIXELS).save(plain)
    far = feature("far", rectangle(9000, 9000, 10, 10))
    huge = feature("huge", rectangle(0, 0, 90_000, 90_000))
    twice = feature("twice", rectangle(5, 5, 10, 10))
    bow = feature("bow", [[0, 0], [9, 9], [9, 0], [0, 9], [0, 0]])
    other = tmp_path / "other"
    other.mkdir()
    rows = pd.concat(
        [
            pairs(slide, tmp_path, [far, huge, twice, twice]),
            pairs(slide, other, [bow]),
            pairs(plain, tmp_path),
        ]
    )
    with pytest.raises(AnnotationError) as caught:
        extract_patches(rows, tmp_path / "out")
    text = str(caught.value)
    assert f"outside of the 400 x 300 pixels of {slide}:\n    'far'" in text
    assert "identifiers given twice:\n    'twice'" in text
    assert "more than 50,000,000 pixels to cut out:\n    'huge'" in text
    assert "'bow': Self-intersection" in text
    assert "S2.png does not say its scale" in text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong", [{"slide": ["a.png"]}, {"slide": [], "annotations": []}]
)
def test_pairs_without_their_columns_are_refused(tmp_path, wrong):
    with pytest.raises(ParameterError, match="'slide' and 'annotations'"):
        extract_patches(pd.DataFrame(wrong), tmp_path / "out")


def test_a_slide_without_a_scale_needs_one(tmp_path):
    plain = tmp_path / "S2.png"
    Image.fromarray(PIXELS).save(plain)
    with pytest.raises(SlideError, match=r"does not say its scale.* mpp=NUMBER"):
        extract_patches(pairs(plain, tmp_path), tmp_path / "out")
    with pytest.raises(SlideError, match="has mpp=-1"):
        extract_patches(pairs(plain, tmp_path, mpp=-1.0), tmp_path / "out")


def test_patches_that_would_overwrite_each_other_are_refused(slide, tmp_path):
    rows = pairs(slide, tmp_path)
    with pytest.raises(AnnotationError, match=r"one name.*\n.*S1_a\.png|s1_a\.png: 2"):
        extract_patches(pd.concat([rows, rows]), tmp_path / "out")


def test_labels_in_part_are_refused_and_no_labels_are_not(slide, tmp_path):
    rows = pairs(slide, tmp_path)
    labels = {LAYERS[0]: None, LAYERS[1]: 1}
    with pytest.raises(AnnotationError, match="without a label beside labelled ones"):
        extract_patches(rows, tmp_path / "out", labels)
    assert "label" not in extract_patches(rows, tmp_path / "out", None)
