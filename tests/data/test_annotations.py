"""Polygons of QuPath, Digital Slide Archive and Aperio: in, out, and refused."""

import json
import math
import sys
from pathlib import Path
from xml.etree import ElementTree

import hypothesis
import numpy as np
import pytest
import shapely
from hypothesis import strategies as st

from glomclf.data import read_annotations, write_annotations
from glomclf.data.annotations import files
from glomclf.data.annotations.reading import FORMATS
from glomclf.data.annotations.shapes import Annotation
from glomclf.errors import (
    AnnotationError,
    AnnotationWarning,
    ParameterError,
    SlideError,
)

# Of the profile's examples: 10, and 2,000 with --hypothesis-profile=thorough.
MANY = hypothesis.settings.default.max_examples // 5
SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
HOLE = [[2, 2], [2, 4], [4, 4], [4, 2], [2, 2]]
GS = "globally_sclerotic_glomeruli"


def feature(rings=(SQUARE,), name=GS, **more):
    geometry = {"type": "Polygon", "coordinates": list(rings)}
    properties = {"classification": {"name": name, "color": [1, 2, 3]}}
    return {"type": "Feature", "geometry": geometry, "properties": properties, **more}


def polyline(points=SQUARE, **more):
    points = [[*point, 0] for point in points[:-1]]
    return {"type": "polyline", "closed": True, "points": points, **more}


def region(points=SQUARE, **attributes):
    vertices = "".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>' for x, y in points)
    texts = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f"<Region{texts}><Vertices>{vertices}</Vertices></Region>"


def layer(*regions, name=GS, number=1):
    inside = f"<Regions>{''.join(regions)}</Regions>"
    return f'<Annotation Id="{number}" Name="{name}">{inside}</Annotation>'


def xml(*layers):
    return f"<Annotations>{''.join(layers)}</Annotations>"


@pytest.fixture
def save(tmp_path):
    """Write a document, and return its file."""

    def write(document, name="polygons"):
        file = tmp_path / name
        if isinstance(document, bytes):
            file.write_bytes(document)
        else:
            is_text = isinstance(document, str)
            file.write_text(document if is_text else json.dumps(document))
        return file

    return write


def corners(geometry):
    """Return the corners of all outlines and holes, in their order."""
    return [
        [list(ring.coords) for ring in (polygon.exterior, *polygon.interiors)]
        for polygon in getattr(geometry, "geoms", [geometry])
    ]


# What is read


@pytest.mark.parametrize(
    "document",
    [
        feature(),
        [feature()],
        {"type": "FeatureCollection", "features": [feature()]},
        {
            "type": "FeatureCollection",
            "features": [feature(name="GLOBALLY sclerotic_glomeruli ")],
        },
        feature() | {"properties": {"classification": GS}},
        feature() | {"properties": {"classification": {"names": ["Glomerulus", GS]}}},
        feature()
        | {
            "properties": {"classification": {"name": GS, "parentClass": {"name": "G"}}}
        },
        feature(
            id="PathAnnotationObject",  # as QuPath 0.2 wrote it
        ),
    ],
)
def test_qupath_is_read_in_all_its_forms(save, document):
    (polygon,) = read_annotations(save(document))
    assert (polygon.id, polygon.label) == ("unnamed-1", 1)
    assert polygon.geometry.equals_exact(shapely.Polygon(SQUARE), 0)


def test_qupath_objects_inside_of_others_are_read(save):
    inner = feature([HOLE], "non_globally_sclerotic_glomeruli", id="inner")
    outer = feature(id="outer")
    outer["properties"]["childObjects"] = [inner]
    polygons = read_annotations(save(outer))
    assert [(one.id, one.label) for one in polygons] == [("outer", 1), ("inner", 0)]


def test_qupath_multipolygons_and_holes_are_read(save):
    far = [[x + 50, y] for x, y in SQUARE]
    geometry = {"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE], [far]]}
    (polygon,) = read_annotations(save(feature(id=7) | {"geometry": geometry}))
    assert polygon.id == "7"
    assert polygon.geometry.area == 100 - 4 + 100


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: {"annotation": one}])
@pytest.mark.parametrize("many", [lambda one: one, lambda one: [one]])
def test_dsa_is_read_in_all_its_forms(save, wrap, many):
    element = polyline(id="0" * 24, holes=[[[*point, 0] for point in HOLE[:-1]]])
    document = many(wrap({"name": GS, "elements": [element]}))
    (polygon,) = read_annotations(save(document))
    assert (polygon.id, polygon.label) == ("0" * 24, 1)
    assert corners(polygon.geometry) == corners(shapely.Polygon(SQUARE, [HOLE]))


def test_dsa_label_comes_before_group_and_group_before_layer(save):
    elements = [
        polyline(label={"value": "GS"}, group="NGS"),
        polyline(label={"value": "glomerulus 12"}, group="NGS"),
        polyline(label={"value": "glomerulus 13"}),
    ]
    file = save({"name": "GS", "elements": elements})
    polygons = read_annotations(file, {"gs": 1, "ngs": 0})
    assert [one.label for one in polygons] == [1, 0, 1]
    assert polygons[1].names == ("glomerulus 12", "NGS", "GS")


def test_dsa_shapes_become_polygons(save):
    turned = {
        "center": [100, 50, 0],
        "width": 40,
        "height": 20,
        "rotation": math.pi / 2,
    }
    elements = [
        {"type": "rectangle", **turned},
        {"type": "ellipse", **turned},
        {"type": "circle", "center": [0, 0, 0], "radius": 10},
    ]
    file = save({"name": GS, "elements": elements})
    rectangle, ellipse, circle = (one.geometry for one in read_annotations(file))
    assert rectangle.bounds == pytest.approx((90, 30, 110, 70))
    assert rectangle.area == pytest.approx(800)
    assert ellipse.bounds == pytest.approx((90, 30, 110, 70))
    assert ellipse.area == pytest.approx(math.pi * 20 * 10, rel=5e-4)
    assert circle.area == pytest.approx(math.pi * 100, rel=5e-4)


def test_dsa_rotation_turns_from_x_towards_y(save):
    shape = {"center": [0, 0, 0], "width": 40, "height": 2, "rotation": math.pi / 4}
    file = save({"name": GS, "elements": [{"type": "rectangle", **shape}]})
    (polygon,) = read_annotations(file)
    assert polygon.geometry.contains(shapely.Point(10, 10))
    assert not polygon.geometry.contains(shapely.Point(10, -10))


def test_aperio_layers_and_negative_regions_are_read(save):
    far = [[x + 50, y] for x, y in SQUARE]
    document = xml(
        layer(
            region(Id=1),
            region(far, Id=2),
            region(HOLE, Id=3, NegativeROA=1),
            region(
                [[x + 50, y] for x, y in HOLE], Id=4, NegativeROA=1, InputRegionId=2
            ),
        ),
        layer(region(Id=1), name="non_globally_sclerotic_glomeruli", number=2),
    )
    polygons = read_annotations(save(document))
    assert [(one.id, one.label) for one in polygons] == [
        ("1-1", 1),
        ("1-2", 1),
        ("2-1", 0),
    ]
    assert [one.geometry.area for one in polygons] == [96, 96, 100]


def test_aperio_names_are_read_in_any_case(save):
    document = xml(layer(region(Id=1, NegativeROA=0))).lower()
    (polygon,) = read_annotations(save("\ufeff" + document))
    assert (polygon.id, polygon.label) == ("1-1", 1)


def test_aperio_layers_are_named_by_their_description_too(save):
    attribute = f'<Attributes><Attribute Name="Description" Value="{GS}"/></Attributes>'
    document = xml(layer(region(GlobalId="guid"), name=""))
    document = document.replace("<Regions>", f"{attribute}<Regions>")
    (polygon,) = read_annotations(save(document))
    assert (polygon.id, polygon.label) == ("guid", 1)


def test_aperio_shapes_of_two_corners_become_polygons(save):
    two = [[10, 20], [50, 40]]
    file = save(xml(layer(region(two, Id=1, Type=1), region(two, Id=2, Type=2))))
    rectangle, ellipse = (one.geometry for one in read_annotations(file))
    assert rectangle.equals(shapely.box(10, 20, 50, 40))
    assert ellipse.area == pytest.approx(math.pi * 20 * 10, rel=5e-4)


def test_shapes_without_an_area_are_left_out_with_a_warning(save):
    elements = [
        polyline(),
        {"type": "point", "center": [1, 1, 0]},
        {"type": "polyline", "points": [[0, 0, 0], [1, 1, 0]], "closed": False},
    ]
    file = save({"name": GS, "elements": elements})
    with pytest.warns(AnnotationWarning, match=r"point \(1\), polyline \(1\)"):
        (_,) = read_annotations(file)


def test_labels_name_glomeruli_without_a_label_and_classes_to_leave_out(save):
    features = [feature(name="glomerulus"), feature(name="tubule"), feature()]
    del features[2]["properties"]["classification"]
    labels = {"glomerulus": None, "tubule": "skip", "unclassified": 1}
    polygons = read_annotations(save(features), labels)
    assert [one.label for one in polygons] == [None, 1]
    assert len(read_annotations(save(features), None)) == 3


def test_labels_other_than_the_four_are_refused(save):
    with pytest.raises(ParameterError, match="2; 1, 0, None or 'skip'"):
        read_annotations(save(feature()), {"GS": 2})


# What is refused


def test_all_faults_are_listed_at_once(save):
    bow = [[0, 0], [10, 10], [10, 0], [0, 10], [0, 0]]
    features = [
        feature(id="twice"),
        feature(id="twice"),
        feature([bow], id="bow"),
        feature([[[0, 0], [math.nan, 1], [2, 2], [0, 0]]], id="nan"),
        feature([[[0, 0], [math.inf, 1], [2, 2], [0, 0]]], id="infinite"),
        feature([[[0, 0], [1e300, 1], [2, 2], [0, 0]]], id="far"),
        feature([[[0, 0], [1, 1], [0, 0]]], id="line"),
        feature([[[0, 0], ["a", 1]]], id="text"),
        feature(name="glomeruli", id="unknown"),
    ]
    with pytest.raises(AnnotationError) as caught:
        read_annotations(save(features))
    text = str(caught.value)
    assert "'twice': 2 polygons" in text
    assert "'bow': Self-intersection" in text
    for name in ("nan", "infinite", "far", "line", "text"):
        assert f"'{name}':" in text
    assert "'glomeruli': 1 polygon" in text


def test_a_hole_that_leaves_its_outline_is_a_fault(save):
    out = [[5, 5], [15, 5], [15, 8], [5, 5]]
    with pytest.raises(AnnotationError, match="cross"):
        read_annotations(save(feature([SQUARE, out])))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "neither JSON nor XML"),
        ("name,label\na,1\n", "neither JSON nor XML"),
        ("{", "not well-formed JSON"),
        ("<Annotations>", "not well-formed XML"),
        ("<svg></svg>", "no polygons of a known format"),
        ('{"a": 1}', "no polygons of a known format"),
        ("[]", "no polygons of a known format"),
        ("[" + "9" * 5000 + "]", "not well-formed JSON"),
        ('{"type": "FeatureCollection", "features": []}', "no polygons"),
        ("[" * 65 + "]" * 65, "more than 64 levels"),
        ('{"\\"[[[": [' * 40, "more than 64 levels"),
        ("<a>" * 65 + "</a>" * 65, "more than 64 levels"),
        (b"\xff\xfe\xff<", "not well-formed XML"),
        (b'{"type": "Feature\xff"}', "not well-formed JSON"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "may be harmful"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "may be harmful"),
    ],
)
def test_a_file_that_is_no_file_of_polygons_is_named(save, content, message):
    file = save(content)
    with pytest.raises(AnnotationError, match=message) as caught:
        read_annotations(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("content", ["[[], [], [], []]", xml(*[layer()] * 4)])
def test_a_file_of_too_many_parts_is_refused(save, monkeypatch, content):
    monkeypatch.setattr(files, "_MAX_PARTS", 4)
    with pytest.raises(AnnotationError, match="more than 4 points"):
        read_annotations(save(content))


def test_brackets_in_names_are_no_depth(save):
    name = '[{"}\\' * 99
    (polygon,) = read_annotations(save(feature(name=name)), {name: 1})
    assert polygon.label == 1
    with pytest.raises(AnnotationError, match="more than 64 levels"):
        read_annotations(save(f"{{{json.dumps(name)}: [" * 33))


def test_a_file_that_is_too_large_is_not_read(save, monkeypatch):
    file = save(feature())
    with file.open("r+b") as stream:
        stream.truncate(2_000_000_000)  # takes no room on the disk
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("was read"))
    with pytest.raises(
        AnnotationError,
        match="2,000,000,000 bytes; a file of polygons of at most 100,000,000",
    ):
        read_annotations(file)


@pytest.mark.parametrize("name", ["absent.json", "."])
def test_what_is_no_file_is_refused(tmp_path, name):
    with pytest.raises(AnnotationError, match=r"cannot be read|is a folder"):
        read_annotations(tmp_path / name)


def test_what_is_not_installed_is_named_with_the_way_to_install_it(save, monkeypatch):
    monkeypatch.setitem(sys.modules, "shapely", None)
    with pytest.raises(SlideError, match=r"shapely is needed.*'glomclf\[slides\]'"):
        read_annotations(save(feature()))


def test_many_holes_are_found_in_many_regions_at_once(save):
    places = [(20 * (n % 100), 20 * (n // 100)) for n in range(60)]
    moved = [
        [[[x + dx, y + dy] for x, y in ring] for dx, dy in places]
        for ring in (SQUARE, HOLE)
    ]
    regions = [region(one, Id=n) for n, one in enumerate(moved[0])]
    holes = [region(one, NegativeROA=1) for one in moved[1]]
    polygons = read_annotations(save(xml(layer(*regions, *holes))))
    assert {one.geometry.area for one in polygons} == {96}


# What is written


@st.composite
def geometries(draw):
    """Draw polygons of 3 to 10,000 corners, with holes, in parts, over borders."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = st.one_of(*[st.integers(3, 40)] * 3, st.integers(3, 10_000))
    digits = draw(st.sampled_from([None, 2]))
    centre = np.array(draw(st.tuples(*[st.floats(-500, 90_000)] * 2)))
    parts = []
    for place in range(draw(st.integers(1, 3))):
        outline = _star(rng, draw(sizes), centre + 3000 * place, 1000)
        holes = [
            _star(rng, draw(st.integers(3, 50)), centre + 3000 * place + shift, 90)
            for shift in (-150, 150)[: draw(st.integers(0, 2))]
        ]
        if draw(st.booleans()):
            outline, holes = outline[::-1], [hole[::-1] for hole in holes]
        rings = [outline, *holes]
        if digits is not None and all(len(ring) < 200 for ring in rings):
            rings = [ring.round(digits) for ring in rings]
        parts.append(shapely.Polygon(rings[0], rings[1:]))
    geometry = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
    hypothesis.assume(geometry.is_valid)
    return geometry


def _star(rng, n_corners, centre, radius):
    """Return an outline that sees its centre from every corner, so that none cross."""
    angles = (
        (np.arange(n_corners) + rng.uniform(0, 0.9, n_corners)) * 2 * np.pi / n_corners
    )
    radii = radius * rng.uniform(0.7, 1, n_corners)
    return centre + np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None]


@hypothesis.given(
    geometry=geometries(),
    source=st.sampled_from(list(FORMATS)),
    target=st.sampled_from(list(FORMATS)),
    probability=st.floats(0, 1),
)
@hypothesis.settings(max_examples=MANY)
def test_polygons_come_back_as_they_were(
    tmp_path_factory, geometry, source, target, probability
):
    folder = tmp_path_factory.mktemp("round")
    one = Annotation("b2f7-1", (GS,), geometry, 1)
    document = FORMATS[source].document_of([one])
    first = folder / f"in{source}"
    if source == ".xml":
        ElementTree.ElementTree(document).write(first)
    else:
        first.write_text(json.dumps(document))
    (read,) = read_annotations(first)
    assert (read.id, read.label) == ("b2f7-1", 1)
    assert corners(read.geometry) == corners(geometry)
    out = folder / f"out{target}"
    write_annotations(first, out, {"b2f7-1": probability})
    (again,) = read_annotations(out, None)
    assert again.id == "b2f7-1"
    assert corners(again.geometry) == corners(geometry)
    assert again.names[0].startswith("predicted_")


def test_two_corners_come_back_as_they_were(save, tmp_path):
    two = [[10.25, 20], [50, 40]]
    write_annotations(
        save(xml(layer(region(two, Id=1, Type=1), region(two, Id=2, Type=2)))),
        tmp_path / "out.xml",
        {"1-1": 0.9, "1-2": 0.1},
    )
    written = ElementTree.parse(tmp_path / "out.xml")
    vertices = [(one.get("X"), one.get("Y")) for one in written.iter("Vertex")]
    assert vertices == [("10.25", "20"), ("50", "40")] * 2
    polygons = read_annotations(tmp_path / "out.xml", None)
    assert {one.id for one in polygons} == {"1-1", "1-2"}


def test_qupath_gets_class_colour_and_measurement_and_keeps_the_rest(save, tmp_path):
    old = feature(id="b", name="any")
    old["properties"]["measurements"] = [{"name": "Area", "value": 1.5}]  # before 0.4
    new = feature(id="a", name="any", bbox=[0, 0, 10, 10])
    new["properties"] |= {"measurements": {"Area": 2.5}, "isLocked": True, "name": "x"}
    document = {"type": "FeatureCollection", "features": [new, old, feature(id="c")]}
    source, target = save(document), tmp_path / "out.geojson"
    write_annotations(source, target, {"a": 0.9, "b": 0.52}, borderline={"b"})
    first, second, third = json.loads(target.read_text())["features"]
    assert first["properties"]["classification"] == {
        "name": "predicted_globally_sclerotic_glomeruli",
        "color": [213, 94, 0],
    }
    assert first["properties"]["measurements"] == {
        "Area": 2.5,
        "glomclf: probability": 0.9,
    }
    assert (first["properties"]["isLocked"], first["properties"]["name"]) == (True, "x")
    assert (first["geometry"], first["bbox"]) == (new["geometry"], new["bbox"])
    assert (
        second["properties"]["classification"]["name"]
        == "predicted_borderline_glomeruli"
    )
    assert second["properties"]["measurements"] == [
        {"name": "Area", "value": 1.5},
        {"name": "glomclf: probability", "value": 0.52},
    ]
    assert third == document["features"][2]


def test_dsa_gets_label_group_colour_and_number_and_keeps_the_rest(save, tmp_path):
    element = polyline(id="1" * 24, label={"value": "x", "visibility": "hidden"})
    element["user"] = {"note": "kept"}
    shape = {
        "type": "ellipse",
        "id": "2" * 24,
        "center": [1, 2, 0],
        "width": 3,
        "height": 4,
    }
    document = {
        "annotation": {"name": "layer", "elements": [element, shape]},
        "_id": "i",
    }
    target = tmp_path / "out.json"
    write_annotations(save(document), target, {"1" * 24: 0.25, "2" * 24: 0.5})
    written = json.loads(target.read_text())
    first, second = written["annotation"]["elements"]
    assert written["_id"] == "i"
    assert first["points"] == element["points"]
    assert first["label"] == {
        "value": "predicted_non_globally_sclerotic_glomeruli",
        "visibility": "hidden",
    }
    assert first["user"] == {"note": "kept", "probability": 0.25}
    assert first["lineColor"] == "rgb(0, 114, 178)"
    assert second["group"] == "predicted_globally_sclerotic_glomeruli"
    assert {key: second[key] for key in shape} == shape


def test_aperio_gets_layers_by_class_and_keeps_numbers_and_holes(save, tmp_path):
    far = [[x + 50, y] for x, y in SQUARE]
    document = xml(
        layer(region(Id=1), region(far, Id=2), region(HOLE, Id=3, NegativeROA=1)),
        layer(region(far, Id=1), number=2),
        layer(region(far, Id=1), number=3, name="other"),
    )
    target = tmp_path / "out.xml"
    write_annotations(save(document), target, {"1-1": 0.9, "1-2": 0.1, "2-1": 0.9})
    layers = ElementTree.parse(target).getroot().findall("Annotation")
    filled = {
        (one.get("Id"), one.get("Name")): [
            part.get("Id") for part in one.iter("Region")
        ]
        for one in layers
        if one.find(".//Region") is not None
    }
    assert filled == {
        ("3", "other"): ["1"],
        ("4", "predicted_globally_sclerotic_glomeruli"): ["1", "3"],
        ("5", "predicted_non_globally_sclerotic_glomeruli"): ["2"],
        ("6", "predicted_globally_sclerotic_glomeruli"): ["1"],
    }
    value = layers[3].find(".//Region/Attributes/Attribute")
    assert (value.get("Name"), value.get("Value")) == ("probability", "0.9")
    assert layers[3].get("LineColor") == str(213 + 256 * 94)
    polygons = {one.id: one for one in read_annotations(target, None)}
    assert set(polygons) == {"1-1", "1-2", "2-1", "3-1"}
    assert polygons["1-1"].geometry.area == 96


def test_predictions_are_not_taken_for_labels(save, tmp_path):
    target = tmp_path / "out.geojson"
    write_annotations(save(feature(id="a")), target, {"a": 0.9})
    with pytest.raises(AnnotationError, match="classes without a label"):
        read_annotations(target)


def test_writing_again_replaces_the_probability(save, tmp_path):
    first, second = tmp_path / "1.xml", tmp_path / "2.xml"
    write_annotations(save(xml(layer(region(Id=1)))), first, {"1-1": 0.9})
    write_annotations(first, second, {"1-1": 0.2})
    values = [one.get("Value") for one in ElementTree.parse(second).iter("Attribute")]
    assert "0.2" in values
    assert "0.9" not in values


def test_polygons_that_are_not_there_cannot_be_written(save, tmp_path):
    with pytest.raises(AnnotationError, match="has no polygons b, c"):
        write_annotations(save(feature(id="a")), tmp_path / "o.xml", {"b": 1, "c": 0})
    with pytest.raises(AnnotationError, match=r"does not end in \.geojson"):
        write_annotations(save(feature(id="a")), tmp_path / "o.txt", {"a": 1})
    assert [file.name for file in tmp_path.iterdir()] == ["polygons"]
