"""``glomclf predict`` of a slide and its polygons: from the drawn slide to a viewer."""

import json
import shutil
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner

from glomclf import (
    GlomeruliClassifier,
    PatchEncoder,
    make_classifier,
    make_glomeruli,
    read_annotations,
)
from glomclf.cli import main
from glomclf.evaluation import is_borderline
from tests import commands


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Draw glomeruli on a tiled pyramid, outline them, and fit a tiny model."""
    folder = tmp_path_factory.mktemp("slide")
    X, y, _ = make_glomeruli(
        24, n_participants=4, sclerotic_fraction=0.5, image_size=32, random_state=0
    )
    slide = np.full((220, 220, 3), 240, dtype=np.uint8)
    features = []
    for place, image in enumerate(X[:12]):
        top, left = 4 + 52 * (place // 4), 4 + 52 * (place % 4)
        slide[top : top + 32, left : left + 32] = image
        around = ((0, 0), (32, 0), (32, 32), (0, 32), (0, 0))
        outline = [[left + x, top + y] for x, y in around]
        geometry = {"type": "Polygon", "coordinates": [outline]}
        features.append({"type": "Feature", "id": f"g{place}", "geometry": geometry})
    with tifffile.TiffWriter(folder / "s1.tif") as writer:
        for step in (1, 2):
            writer.write(
                slide[::step, ::step],
                tile=(64, 64),
                photometric="rgb",
                compression="zlib",
                subfiletype=int(step > 1),
                resolution=(20_000 / step, 20_000 / step),
                resolutionunit="CENTIMETER",
            )
    document = {"type": "FeatureCollection", "features": features}
    (folder / "s1.geojson").write_text(json.dumps(document))
    encoder = PatchEncoder("cnn", weights=None)
    model = make_classifier("linear", encoder=encoder, image_size=32).fit(X, y)
    model.save(folder / "tiny.glomclf")
    probability = model.predict_proba(X[:12])[:, 1]
    return folder, {f"g{n}": one for n, one in enumerate(probability)}


def run(folder, *words, code=0):
    fixed = ["--model", folder / "tiny.glomclf", "--quiet"]
    words = ["predict", folder / "s1.tif", *words, *fixed]
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result


def test_a_slide_gives_what_its_drawn_patches_give(drawn, tmp_path, undrawn):
    folder, expected = drawn
    run(folder, folder / "s1.geojson", "--margin", 0, "-o", tmp_path)
    table = pd.read_csv(tmp_path / "predictions.csv")
    names = [f"s1_{name}.png" for name in expected]
    assert table["name"].to_list() == names
    np.testing.assert_allclose(table["probability"], [*expected.values()], atol=1e-6)
    assert set(table["participant"]) == {"s1"}
    assert pd.read_csv(tmp_path / "biopsies.csv")["n_glomeruli"].to_list() == [12]
    written = json.loads((tmp_path / "s1-predicted.geojson").read_text())
    before = json.loads((folder / "s1.geojson").read_text())
    for feature, original in zip(written["features"], before["features"], strict=True):
        properties = feature.pop("properties")
        assert feature == original
        value = properties["measurements"]["glomclf: probability"]
        near = is_borderline([value], 0.5)[0]
        kind = "globally_sclerotic" if value >= 0.5 else "non_globally_sclerotic"
        kind = "borderline" if near else kind
        assert properties["classification"]["name"] == f"predicted_{kind}_glomeruli"


@pytest.mark.parametrize("ending", [".geojson", ".json", ".xml"])
def test_polygons_alone_are_written_in_the_format_of_the_ending(
    drawn, tmp_path, ending
):
    folder, expected = drawn
    target = tmp_path / f"out{ending}"
    run(folder, folder / "s1.geojson", "--margin", 0, "-o", target)
    assert list(tmp_path.iterdir()) == [target]
    before = {one.id: one for one in read_annotations(folder / "s1.geojson", None)}
    after = {one.id: one for one in read_annotations(target, None)}
    assert after.keys() == expected.keys()
    assert all(
        after[name].geometry.equals_exact(before[name].geometry, 0) for name in after
    )
    if ending == ".xml":
        values = ElementTree.parse(target).findall(".//Region/Attributes/Attribute")
        found = sorted(float(value.get("Value")) for value in values)
        np.testing.assert_allclose(found, sorted(expected.values()), atol=1e-6)


@pytest.fixture
def of_patches(drawn, tmp_path):
    """A model that knows how its patches were cut."""
    model = GlomeruliClassifier.load(drawn[0] / "tiny.glomclf")
    cut = {"scale": 0.5, "margin": 0.0, "outside": "keep"}
    model.training_record_["patches"] = cut
    model.save(tmp_path / "cut.glomclf")
    return tmp_path / "cut.glomclf"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            (),
            "Cut out as what the model was trained on: --scale 0.5 --margin 0.0 "
            "--outside keep.",
        ),
        (
            ("--margin", 3),
            "Caution: cut out by --scale 0.5 --margin 3.0 --outside keep, and trained "
            "on --scale 0.5 --margin 0.0 --outside keep.",
        ),
    ],
)
def test_polygons_are_cut_out_as_the_model_was_trained(
    drawn, of_patches, tmp_path, words, told
):
    folder, expected = drawn
    pair = (folder / "s1.tif", folder / "s1.geojson")
    out = ("--model", of_patches, "-q", "-o", tmp_path / "out.geojson")
    assert told in commands.run("predict", *pair, *words, *out).stderr
    written = json.loads((tmp_path / "out.geojson").read_text())["features"]
    found = [
        one["properties"]["measurements"]["glomclf: probability"] for one in written
    ]
    are_same = np.allclose(found, [*expected.values()], atol=1e-6)
    assert are_same == (not words)


def test_a_model_that_does_not_know_says_how_polygons_are_cut_out(drawn, tmp_path):
    folder, _ = drawn
    result = run(folder, folder / "s1.geojson", "-o", tmp_path / "out.geojson")
    assert "Cut out by --scale 0.5 --margin 15.0 --outside keep" in result.stderr
    assert "does not say what it was trained on" in result.stderr


@pytest.fixture
def csv(drawn, tmp_path):
    """Two slides of one person; the second has half of the polygons."""
    folder, _ = drawn
    for name in ("s1", "s2"):
        shutil.copy(folder / "s1.tif", tmp_path / f"{name}.tif")
    whole = json.loads((folder / "s1.geojson").read_text())
    shutil.copy(folder / "s1.geojson", tmp_path)
    half = {**whole, "features": whole["features"][6:]}
    (tmp_path / "s2.geojson").write_text(json.dumps(half))
    rows = ["slide,annotations,participant,mpp"]
    rows += [f"{name}.tif,{name}.geojson,P7,0.5" for name in ("s1", "s2")]
    (tmp_path / "slides.csv").write_text("\n".join(rows))
    return tmp_path / "slides.csv"


def run_csv(drawn, csv, *words, code=0):
    model = ("--model", drawn[0] / "tiny.glomclf", "--margin", 0, "-q")
    return commands.run("predict", csv, *words, *model, code=code)


def test_a_csv_of_slides_gives_polygons_a_slide_and_biopsies_of_all(
    drawn, csv, tmp_path, undrawn
):
    out, expected = tmp_path / "out", drawn[1]
    run_csv(drawn, csv, "-o", out)
    told = pd.read_csv(out / "biopsies.csv").set_index("participant")
    assert told["n_glomeruli"].to_dict() == {"P7": 18}
    for name, n in (("s1", 12), ("s2", 6)):
        written = json.loads((out / f"{name}-predicted.geojson").read_text())
        found = {
            one["id"]: one["properties"]["measurements"]["glomclf: probability"]
            for one in written["features"]
        }
        names = list(expected)[-n:]
        assert list(found) == names
        wanted = [expected[one] for one in names]
        np.testing.assert_allclose([*found.values()], wanted, atol=1e-6)


def test_without_participants_a_slide_is_a_biopsy_and_images_are_the_slides(
    drawn, csv, tmp_path, undrawn
):
    table = pd.read_csv(csv).drop(columns=["participant", "mpp"])
    (tmp_path / "elsewhere").mkdir()
    elsewhere = tmp_path / "elsewhere" / "slides.csv"
    table.to_csv(elsewhere, index=False)
    run_csv(drawn, elsewhere, "--images", tmp_path, "-o", tmp_path / "out")
    told = pd.read_csv(tmp_path / "out" / "biopsies.csv").set_index("participant")
    assert told["n_glomeruli"].to_dict() == {"s1": 12, "s2": 6}


def test_polygons_of_an_earlier_run_are_kept_unless_overwriting_is_asked_for(
    drawn, csv, tmp_path
):
    kept = tmp_path / "out" / "s2-predicted.geojson"
    kept.parent.mkdir()
    kept.write_text("corrected by hand")
    message = run_csv(drawn, csv, "-o", kept.parent, code=2).stderr
    assert "s2-predicted.geojson exists. Pass --overwrite" in message
    assert kept.read_text() == "corrected by hand"
    (tmp_path / "s2.geojson").rename(tmp_path / "s2-predicted.geojson")
    text = csv.read_text().replace("s2.geojson", "s2-predicted.geojson")
    csv.write_text(text)
    message = run_csv(drawn, csv, "-o", tmp_path, "--overwrite", code=2).stderr
    assert "would be overwritten" in message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "out.geojson"), "many slides, --output names a folder"),
        (("--labels", "a=1,b=0"), "Leave out --labels, which only a csv of patches"),
    ],
)
def test_what_a_csv_of_slides_cannot_have_is_refused(drawn, csv, words, message):
    assert message in run_csv(drawn, csv, *words, code=2).stderr


def test_slides_of_one_name_are_refused(drawn, csv, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "S1.tif").touch()
    text = csv.read_text().replace("s2.tif", "more/S1.tif")
    csv.write_text(text)
    assert "slides of one name: S1" in run_csv(drawn, csv, code=2).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "out.geojson"), "is a file of polygons"),
        (("--mpp", 1), "Leave out --mpp, which only a slide"),
        (("s1.geojson", "--labels", "a=1,b=0"), "Leave out --labels, which only a csv"),
        (("s1.geojson", "--label", "a=1"), "'unclassified': 12 polygons"),
        ((), "the file of its polygons after it"),
    ],
)
def test_what_has_no_effect_is_refused(drawn, monkeypatch, words, message):
    monkeypatch.chdir(drawn[0])
    result = run(drawn[0], *words, code=2)
    assert message in result.stderr
    assert not (drawn[0] / "glomclf-predictions").exists()
