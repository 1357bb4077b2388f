"""read_manifest, image_folder_manifest and the participants behind file names."""

import csv as csv_format
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import glomclf
from glomclf.data.image_folders import CLASS_FOLDERS
from glomclf.data.manifest import image_folder_manifest, read_manifest, stack_manifests
from glomclf.data.participants import infer_participants, participant_kind
from glomclf.data.user_files import has_controls
from glomclf.errors import GlomclfError, ManifestError, ParticipantWarning

REAL = Path(glomclf.__file__).parents[2] / "shared" / "data"
needs_real_data = pytest.mark.skipif(
    not REAL.is_dir(), reason=f"the real data is not at {REAL}"
)
PATCH_NAMES = ["18-162_PAS_5of6_a.png", "18-162_PAS_6of6_b.png", "32-2_PAS_1of2_c.png"]


@pytest.fixture
def folder(tmp_path):
    """Three empty files with names of patches: a manifest never opens an image."""
    for name in PATCH_NAMES:
        (tmp_path / name).touch()
    return tmp_path


def write(folder, text, name="public.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def patch_csv(labels=(0, 1, 0), header="name,ground truth"):
    rows = [f"{name},{label}" for name, label in zip(PATCH_NAMES, labels, strict=True)]
    return "\n".join([header, *rows, ""])


# -- reading --------------------------------------------------------------------------


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_patch_csv_is_read_whatever_its_line_ends_and_byte_order_mark(
    folder, newline, mark
):
    text = mark + patch_csv().replace("\n", newline).encode()
    manifest = read_manifest(write(folder, text))
    assert list(manifest.columns) == ["path", "label", "slide", "participant"]
    assert manifest["path"].tolist() == [str(folder / name) for name in PATCH_NAMES]
    assert manifest["label"].tolist() == [0, 1, 0]
    assert manifest["label"].dtype == np.int64
    assert manifest["slide"].tolist() == [
        "18-162_PAS_5of6",
        "18-162_PAS_6of6",
        "32-2_PAS_1of2",
    ]
    assert manifest["participant"].tolist() == ["18-162", "18-162", "32-2"]
    assert manifest.index.equals(pd.RangeIndex(3))


@pytest.mark.parametrize(
    "header", ["name,label", "path,ground truth", "Name, Ground_Truth", "NAME,LABEL"]
)
def test_other_titles_of_name_and_label_are_understood(folder, header):
    manifest = read_manifest(write(folder, patch_csv(header=header)))
    assert manifest["label"].tolist() == [0, 1, 0]


def test_labels_that_passed_through_floats_are_understood(folder):
    manifest = read_manifest(write(folder, patch_csv(("0.0", "1.0", " 1 "))))
    assert manifest["label"].tolist() == [0, 1, 1]
    assert manifest["label"].dtype == np.int64


@pytest.mark.parametrize(
    "text",
    ["name\n" + "\n".join(PATCH_NAMES), patch_csv(labels=("", " ", ""))],
    ids=["no column", "empty column"],
)
def test_csv_without_labels_gives_no_label_column(folder, text):
    manifest = read_manifest(write(folder, text))
    assert list(manifest.columns) == ["path", "slide", "participant"]


def test_row_order_of_the_csv_is_kept(folder):
    text = "name\n" + "\n".join(reversed(PATCH_NAMES))
    manifest = read_manifest(write(folder, text))
    assert [Path(path).name for path in manifest["path"]] == PATCH_NAMES[::-1]


def test_given_slides_participants_and_further_columns_are_kept(folder):
    text = "centre,name,participant,slide,age,note,\n" + "".join(
        f"SAS,{name},{person},007,{age},nan,{index}\n"
        for index, (name, person, age) in enumerate(
            zip(PATCH_NAMES, ["p2", "p1", "p1"], [41, "", 63], strict=True)
        )
    )
    manifest = read_manifest(write(folder, text))
    assert list(manifest.columns) == [
        *["path", "slide", "participant", "centre", "age", "note"]
    ]
    assert manifest["participant"].tolist() == ["p2", "p1", "p1"]
    assert manifest["slide"].tolist() == ["007"] * 3
    assert manifest["centre"].tolist() == ["SAS"] * 3
    np.testing.assert_array_equal(manifest["age"], [41, np.nan, 63])


def test_blanks_around_names_of_participants_and_centres_say_nothing(folder):
    header = "name,ground truth,participant,centre"
    cells = ["P1,Graz", " P1 ,Graz ", "P2, Graz"]
    rows = [f"{name},0,{cell}" for name, cell in zip(PATCH_NAMES, cells, strict=True)]
    manifest = read_manifest(write(folder, "\n".join([header, *rows, ""])))
    assert manifest["participant"].tolist() == ["P1", "P1", "P2"]
    assert set(manifest["centre"]) == {"Graz"}


def test_blank_lines_and_rows_of_empty_cells_are_passed_over(folder):
    text = patch_csv().replace("\n", "\n\n") + ",\n,\n"
    assert len(read_manifest(write(folder, text))) == 3


def test_csv_that_pandas_wrote_with_its_index_is_read(folder):
    table = pd.DataFrame({"name": PATCH_NAMES, "label": [0, 1, 0]})
    table.to_csv(folder / "public.csv")
    manifest = read_manifest(folder / "public.csv")
    assert list(manifest.columns) == ["path", "label", "slide", "participant"]


@pytest.mark.parametrize("subfolder", ["", *CLASS_FOLDERS])
@pytest.mark.parametrize("place", ["beside", "images"])
def test_image_is_found_in_each_documented_place(tmp_path, place, subfolder):
    image = tmp_path / place / subfolder / PATCH_NAMES[0]
    image.parent.mkdir(parents=True)
    image.touch()
    (tmp_path / "beside").mkdir(exist_ok=True)
    csv = write(tmp_path / "beside", f"name\n{PATCH_NAMES[0]}\n")
    images = tmp_path / "images" if place == "images" else None
    assert read_manifest(csv, images)["path"].tolist() == [str(image)]


def test_named_image_folder_comes_before_the_folder_of_the_csv(folder):
    other = folder / "other"
    other.mkdir()
    (other / PATCH_NAMES[0]).touch()
    manifest = read_manifest(write(folder, patch_csv()), images=other)
    assert [Path(path).parent for path in manifest["path"]] == [other, folder, folder]


def test_path_is_absolute_when_the_csv_is_named_relative(folder, monkeypatch):
    write(folder, patch_csv())
    monkeypatch.chdir(folder)
    assert read_manifest("public.csv")["path"].tolist() == [
        str(folder / name) for name in PATCH_NAMES
    ]


def test_images_that_are_elsewhere_are_named_as_they_are(tmp_path):
    manifest = read_manifest(write(tmp_path, patch_csv()), images=False)
    assert manifest["path"].tolist() == PATCH_NAMES
    assert manifest["participant"].nunique() == 2


def test_a_name_given_twice_is_refused_without_images_as_well(tmp_path):
    text = patch_csv() + f"./{PATCH_NAMES[0]},0\n{PATCH_NAMES[0]},0\n"
    with pytest.raises(ManifestError, match="named more than once"):
        read_manifest(write(tmp_path, text), images=False)


def test_linked_image_folder_is_followed(folder, tmp_path_factory):
    link = tmp_path_factory.mktemp("elsewhere") / "link"
    link.symlink_to(folder)
    write(folder, patch_csv())
    assert len(read_manifest(link / "public.csv")) == 3


characters = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\")
file_names = st.text(characters, min_size=1, max_size=40).filter(
    lambda name: (
        name.strip()
        and name not in (".", "..")
        and len(name.encode()) < 200
        and not has_controls(name)
    )
)


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    names=st.lists(file_names, min_size=1, max_size=5, unique=True),
    newline=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv_format.QUOTE_MINIMAL, csv_format.QUOTE_ALL]),
    mark=st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_any_file_name_survives_the_csv(tmp_path, names, newline, quoting, mark):
    """Commas, quotes, spaces and any script, quoted or not."""
    images = tmp_path / "images"
    images.mkdir(exist_ok=True)
    for name in names:
        (images / name).touch()
    csv = tmp_path / "public.csv"
    with csv.open("w", encoding=mark, newline="") as file:
        writer = csv_format.writer(file, lineterminator=newline, quoting=quoting)
        writer.writerow(["name", "label", "participant"])
        writer.writerows([name, 1, f"p{i}"] for i, name in enumerate(names))
    manifest = read_manifest(csv, images)
    assert manifest["path"].tolist() == [str(images / name) for name in names]
    assert manifest["participant"].tolist() == [f"p{i}" for i in range(len(names))]


# -- faults ---------------------------------------------------------------------------


def fault_of(csv, images=None):
    with pytest.raises(ManifestError) as caught:
        read_manifest(csv, images)
    return str(caught.value)


def test_all_faults_of_a_csv_are_listed_at_once_with_their_lines(folder):
    (folder / CLASS_FOLDERS[0]).mkdir()
    (folder / CLASS_FOLDERS[0] / "healthy.png").touch()
    text = (
        "name,ground truth,slide\n"
        f"{PATCH_NAMES[0]},0,s1\n"
        f"{PATCH_NAMES[0]},0,s1\n"
        f"{PATCH_NAMES[1]},sclerotic,s1\n"
        "healthy.png,1,s1\n"
        "lost.png,0,s1\n"
        "../secret.png,0,s1\n"
        f"{PATCH_NAMES[2]},0,\n"
        ",1,s1\n"
        "short.png\n"
    )
    assert fault_of(write(folder, text)).splitlines() == [
        f"{folder / 'public.csv'} cannot be used.",
        "  rows that do not have the 3 fields of the header:",
        "    line 10: 1 fields",
        "  rows without a name:",
        "    line 9: ''",
        "  unknown labels; 1 (globally sclerotic) or 0 (the rest) was expected; other "
        "texts need labels={'GS': 1, 'NGS': 0}:",
        "    line 4: 'sclerotic'",
        "    line 10: ''",
        "  names that lead out of the image folder (absolute, through '..' or by a "
        "link); name files relative to the folder that holds them:",
        "    line 7: '../secret.png'",
        f"  images not found in {folder}, nor in class folders there:",
        "    line 6: 'lost.png'",
        "    line 10: 'short.png'",
        "  images named more than once; keep one row each:",
        f"    line 2: {PATCH_NAMES[0]!r}",
        f"    line 3: {PATCH_NAMES[0]!r}",
        "  images in the class folder of the other label; mend the label or move them:",
        "    line 5: 'healthy.png'",
    ]


def test_missing_name_column_is_told_beside_the_other_faults(folder):
    message = fault_of(write(folder, "file,label\na.png,7\n"))
    assert "no column 'name'" in message
    assert "its columns are 'file', 'label'" in message
    assert "line 2: '7'" in message


def test_two_columns_for_one_thing_are_refused(folder):
    text = f"name,label,ground truth,a,a\n{PATCH_NAMES[0]},0,1,2,3\n"
    message = fault_of(write(folder, text))
    assert "'label' and 'ground truth'" in message
    assert "'a' and 'a'" in message


@pytest.mark.parametrize("label", ["2", "-1", "sclerotic", "", "nan", "0.5"])
def test_unknown_label_among_known_ones_is_refused(folder, label):
    message = fault_of(write(folder, patch_csv(labels=(0, label, 1))))
    assert f"line 3: {label!r}" in message
    assert "line 2" not in message


def test_image_under_two_names_counts_as_named_twice(folder):
    (folder / "link.png").symlink_to(folder / PATCH_NAMES[0])
    text = f"name\n{PATCH_NAMES[0]}\nlink.png\n./{PATCH_NAMES[1]}\n{PATCH_NAMES[1]}\n"
    message = fault_of(write(folder, text))
    assert "named more than once" in message
    assert [f"line {n}: " in message for n in (2, 3, 4, 5)] == [True] * 4


def test_name_that_is_in_two_folders_of_one_place_is_refused(folder):
    (folder / CLASS_FOLDERS[1]).mkdir()
    (folder / CLASS_FOLDERS[1] / PATCH_NAMES[0]).touch()
    message = fault_of(write(folder, patch_csv()))
    assert (
        f"more than one folder; keep one of each:\n    line 2: {PATCH_NAMES[0]!r}"
        in (message)
    )


@pytest.mark.parametrize("label", [0, 1])
def test_class_folder_that_contradicts_the_label_is_refused(tmp_path, label):
    (tmp_path / CLASS_FOLDERS[1 - label]).mkdir()
    (tmp_path / CLASS_FOLDERS[1 - label] / PATCH_NAMES[0]).touch()
    csv = write(tmp_path, f"name,label\n{PATCH_NAMES[0]},{label}\n")
    assert "class folder of the other label" in fault_of(csv)
    csv = write(tmp_path, f"name,label\n{PATCH_NAMES[0]},{1 - label}\n")
    assert read_manifest(csv)["label"].tolist() == [1 - label]


def test_names_that_lead_out_of_the_image_folder_are_refused(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    outside = tmp_path / "secret.png"
    outside.touch()
    (inside / "link.png").symlink_to(outside)
    (inside / "folder").symlink_to(tmp_path)
    names = ["../secret.png", str(outside), "link.png", "folder/secret.png"]
    names.append(f"../inside/../inside/{outside.name}")
    message = fault_of(write(inside, "\n".join(["name", *names])))
    assert "lead out of the image folder" in message
    assert all(f"line {n}: {name!r}" in message for n, name in enumerate(names, 2))
    assert message.count("    line ") == len(names)


def test_csv_of_which_no_image_is_found_gets_one_sentence(tmp_path):
    names = "\n".join(f"{n}.png" for n in range(50))
    message = fault_of(write(tmp_path, f"name\n{names}\n"))
    assert f"images not found in {tmp_path}" in message
    assert "none of its 50 images, such as '0.png'; pass images=FOLDER" in message
    assert len(message.splitlines()) == 3


def test_every_missing_image_is_listed_when_some_are_there(folder):
    missing = [f"{n}.png" for n in range(50)]
    message = fault_of(write(folder, "\n".join(["name", PATCH_NAMES[0], *missing])))
    assert all(repr(name) in message for name in missing)


def test_image_folder_that_is_not_there_is_a_fault(folder):
    message = fault_of(write(folder, patch_csv()), images=folder / "nowhere")
    assert f"images is not a folder:\n    {folder / 'nowhere'}" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds 0 rows"),
        (b"name,label\n", "holds 1 rows"),
        ("name\nn\xe9phron.png\n".encode("latin-1"), "not UTF-8"),
        ("name\na.png\n".encode("utf-16")[:-1], "not UTF-8 or UTF-16"),
        (b"name\na\0b.png\n", "is not text"),
        (b'name\n"a.png\n', "not a well-formed csv: line 2"),
    ],
)
def test_file_that_is_no_csv_of_text_is_refused(tmp_path, content, message):
    assert message in fault_of(write(tmp_path, content))


def test_csv_that_cannot_be_opened_is_a_manifest_error(tmp_path):
    assert "No such file" in fault_of(tmp_path / "public.csv")
    assert "is a folder; a csv was expected" in fault_of(tmp_path)
    assert issubclass(ManifestError, GlomclfError)


# -- participants ---------------------------------------------------------------------


def test_given_slide_stands_for_the_participant_with_a_warning(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    csv = write(tmp_path, "name,slide\na.png,s1\nb.png,s1\n")
    with pytest.warns(
        ParticipantWarning, match=r"2 of 2 .*Each of their slides is"
    ) as log:
        manifest = read_manifest(csv)
    assert manifest["participant"].tolist() == ["s1", "s1"]
    assert log[0].filename == __file__


def test_image_stands_for_itself_with_a_warning_where_nothing_is_known(folder):
    (folder / "a.b.png").touch()
    csv = write(folder, f"name\n{PATCH_NAMES[0]}\na.b.png\n")
    with pytest.warns(ParticipantWarning, match=r"1 of 2 .*Each of these images is"):
        manifest = read_manifest(csv)
    assert manifest["slide"].tolist() == ["18-162_PAS_5of6", "a.b"]
    assert manifest["participant"].tolist() == ["18-162", "a.b"]


def test_given_participant_stands_for_an_unknown_slide_without_a_warning(tmp_path):
    (tmp_path / "a.png").touch()
    manifest = read_manifest(write(tmp_path, "name,participant\na.png,p7\n"))
    assert manifest[["slide", "participant"]].to_numpy().tolist() == [["p7", "p7"]]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("name,participant\na.png,p\nb.png,q\n", "participant"),
        ("name,slide\na.png,s\nb.png,t\n", "slide"),
        ("name\na.png\nb.png\n", "image"),
        (f"name\na.png\n{PATCH_NAMES[0]}\n", "group"),
        (f"name\n{PATCH_NAMES[0]}\n", "participant"),
    ],
)
@pytest.mark.filterwarnings("ignore::glomclf.errors.ParticipantWarning")
def test_a_manifest_knows_what_its_participants_are(folder, text, kind):
    for name in ("a.png", "b.png"):
        (folder / name).touch()
    manifest = read_manifest(write(folder, text))
    assert participant_kind(manifest) == kind
    assert participant_kind(manifest.iloc[:1].copy()) == kind
    assert participant_kind(stack_manifests(manifest, manifest)) == kind


def test_an_empty_cell_of_another_column_is_missing(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    text = "name,participant,centre\na.png,p,Lyon\nb.png,q, \n"
    manifest = read_manifest(write(tmp_path, text))
    assert manifest["centre"].isna().tolist() == [False, True]


@pytest.mark.filterwarnings("ignore::glomclf.errors.ParticipantWarning")
def test_participants_that_are_put_in_later_stand_for_nobody(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    manifest = read_manifest(write(tmp_path, "name\na.png\nb.png\n"))
    assert participant_kind(manifest.assign(participant=["p", "q"])) == "participant"
    manifest["participant"] = ["p", "q"]
    assert participant_kind(manifest) == "participant"


@pytest.mark.filterwarnings("ignore::glomclf.errors.ParticipantWarning")
def test_known_participants_do_not_hide_unknown_ones_of_another_file(folder):
    (folder / "a.png").touch()
    known = read_manifest(write(folder, f"name\n{PATCH_NAMES[0]}\n"))
    unknown = read_manifest(write(folder, "name\na.png\n"))
    stacked = stack_manifests(known, unknown)
    assert participant_kind(stacked) == "image"
    assert participant_kind(pd.concat([known, unknown])) == "participant"  # forgotten


def test_what_is_not_known_in_one_manifest_is_not_known_of_all():
    tables = {}
    for kind in ("participant", "slide", "image"):
        tables[kind] = pd.DataFrame({"slide": ["a"], "participant": ["a"]})
        tables[kind].attrs = {"glomclf.participants": kind}
    assert participant_kind(tables["participant"], tables["slide"]) == "group"
    assert participant_kind(tables["slide"], tables["image"]) == "image"


def same_groups(names):
    """Return which of the names share a participant."""
    labels = infer_participants([f"{name}_x.png" for name in names])
    return [label == labels[0] for label in labels]


@pytest.mark.parametrize(
    ("names", "together"),
    [
        (["18-142_PAS_1of6", "18-142_PAS_6of6"], True),
        (["18-142_PAS_1of6", "18-162_PAS_1of6"], False),
        (["18-142_PAS_1of2", "18-141_PAS_2of2"], False),
        (["S-2102-006223_PAS_1of2", "S-2102-006222_PAS_2of2"], True),
        (["S-2102-006222_PAS_1of2", "S-2102-006223_PAS_2of2"], False),
        (["S-2102-006223_PAS_1of2", "S-2102-006222_PAS_1of2"], False),
        (["S-2102-006223_PAS_1of2", "S-2103-006222_PAS_2of2"], False),
        (["S-2102-006223_PAS_1of2", "S-2102-006221_PAS_2of2"], False),
        (["S-2006-002084_PAS_1of3", "S-2006-002095_PAS_2of3"], True),
        (["S-2006-000100_PAS_1of3", "S-2006-000150_PAS_3of3"], True),
        (["S-2006-000100_PAS_1of3", "S-2006-000151_PAS_3of3"], False),
        (["S-2006-000100_PAS_1of3", "S-2006-000101_PAS_1of3"], False),
        (["S-2006-000100_PAS_1of3", "S-2006-000101_PAS_2of4"], False),
        (["S-2006-000100_PAS_1of3", "S-2007-000101_PAS_2of3"], False),
        (["S-2006-000000_PAS_1of2", "S-2006-000000_PAS_2of2"], True),
        (["S-2006-000008_PAS_1of2", "S-2006-000008_HE_1of2"], True),
    ],
)
def test_participant_rule_links_slides(names, together):
    assert same_groups(names) == [True, together]
    assert same_groups(names[::-1]) == [True, together]


def test_links_of_the_participant_rule_add_up():
    parts = ["S-2006-000100_PAS_1of3", "S-2006-000140_PAS_2of3"]
    third = "S-2006-000180_PAS_3of3"
    assert same_groups([parts[0], third]) == [True, False]
    assert same_groups([*parts, third]) == [True, True, True]


def test_pairs_that_follow_one_another_stay_apart():
    pairs = [f"S-2102-{n:06d}_PAS_{2 - n % 2}of2_x.png" for n in range(2, 10)]
    found = infer_participants(pairs).tolist()
    assert found == [f"S-2102-{n - n % 2:06d}" for n in range(2, 10)]


@pytest.mark.parametrize(
    "name",
    [
        *["patch.png", "SAS_21891_001-0.png", "18-162_PAS_5of6.png", ""],
        "S-200-000100_PAS_1of2_x.png",
    ],
)
def test_other_names_have_no_inferred_participant(name):
    assert infer_participants([name, PATCH_NAMES[0]]).tolist() == [None, "18-162"]


def test_no_names_have_no_participants():
    assert infer_participants([]).shape == (0,)


pair_sections = st.builds(
    "S-2102-{:06d}_PAS_{}of2_x.png".format, st.integers(1, 30), st.integers(1, 2)
)


@settings(max_examples=10)
@given(names=st.lists(pair_sections, min_size=1, max_size=15), data=st.data())
def test_participants_do_not_depend_on_the_order_of_the_names(names, data):
    shuffled = data.draw(st.permutations(names))
    expected = dict(zip(names, infer_participants(names), strict=True))
    assert dict(zip(shuffled, infer_participants(shuffled), strict=True)) == expected


@pytest.mark.parametrize("number", [1, 10, 999_999])
def test_sections_of_a_pair_get_one_name_even_in_separate_files(number):
    """So that a training csv and a test csv can be compared by participant."""
    first = infer_participants([f"S-2102-{number:06d}_PAS_1of2_x.png"])
    second = infer_participants([f"S-2102-{number - 1:06d}_PAS_2of2_y.png"])
    assert first == second


@needs_real_data
def test_seed_data_has_227_slides_and_the_known_112_participants():
    known = pd.read_csv(REAL / "cmil_manifest_5758.csv")
    pairs = pd.DataFrame(
        {"known": known["participant"], "found": infer_participants(known["name"])}
    )
    assert pairs.nunique().tolist() == [112, 112]
    assert len(pairs.drop_duplicates()) == 112, "the two partitions differ"


@needs_real_data
def test_the_patch_csv_is_read_by_its_names(tmp_path):
    known = pd.read_csv(REAL / "cmil_manifest_5758.csv")[::29]
    for label, folder in enumerate(CLASS_FOLDERS):
        (tmp_path / folder).mkdir()
        for name in known.loc[known["label"] == label, "name"]:
            (tmp_path / folder / name).touch()
    table = known.rename(columns={"label": "ground truth"})[["name", "ground truth"]]
    table.to_csv(tmp_path / "public.csv", index=False)
    manifest = read_manifest(tmp_path / "public.csv")
    assert manifest["label"].tolist() == known["label"].tolist()
    assert manifest["slide"].tolist() == known["slide"].tolist()


@needs_real_data
def test_aidpath_is_read_with_slides_for_participants():
    with pytest.warns(ParticipantWarning, match="717 of 717 .*Each of their slides"):
        manifest = read_manifest(REAL / "aidpath" / "public.csv")
    assert manifest["label"].value_counts().to_dict() == {0: 566, 1: 151}
    assert manifest[["slide", "participant", "centre"]].nunique().tolist() == [
        23,
        23,
        3,
    ]


# -- folders without a csv ------------------------------------------------------------


@pytest.fixture
def class_folders(tmp_path):
    for folder, name in zip(CLASS_FOLDERS, PATCH_NAMES, strict=False):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).touch()
    return tmp_path


def test_globally_sclerotic_is_class_1_although_it_sorts_first(class_folders):
    manifest = image_folder_manifest(class_folders)
    assert list(manifest.columns) == ["path", "label", "slide", "participant"]
    assert manifest["label"].dtype == np.int64
    labels = {
        Path(path).parent.name: label
        for path, label in zip(manifest["path"], manifest["label"], strict=True)
    }
    assert labels == {
        "globally_sclerotic_glomeruli": 1,
        "non_globally_sclerotic_glomeruli": 0,
    }


def test_folder_and_csv_of_the_same_images_agree(class_folders):
    csv = write(class_folders, f"name,label\n{PATCH_NAMES[1]},1\n{PATCH_NAMES[0]},0\n")
    pd.testing.assert_frame_equal(
        read_manifest(csv), image_folder_manifest(class_folders)
    )


def test_plain_folder_gives_its_images_without_labels(folder):
    for name in ("SHOUTED_18-162_x.PNG", ".hidden.png", "notes.txt", "public.csv"):
        (folder / name).touch()
    (folder / "masks.png").mkdir()
    with pytest.warns(ParticipantWarning, match="1 of 4 images"):
        manifest = image_folder_manifest(folder)
    assert list(manifest.columns) == ["path", "slide", "participant"]
    assert [Path(path).name for path in manifest["path"]] == [
        *PATCH_NAMES,
        "SHOUTED_18-162_x.PNG",
    ]


def test_all_faults_of_class_folders_are_listed_at_once(class_folders):
    (class_folders / "stray.png").touch()
    (class_folders / CLASS_FOLDERS[1] / PATCH_NAMES[0]).touch()
    outside = class_folders.parent / f"{class_folders.name}.png"
    outside.touch()
    (class_folders / CLASS_FOLDERS[0] / "link.png").symlink_to(outside)
    with pytest.raises(ManifestError) as caught:
        image_folder_manifest(class_folders)
    blocks = [line for line in str(caught.value).splitlines() if line[:4] == " " * 4]
    link = f"{CLASS_FOLDERS[0]}/link.png"
    assert blocks == [f"    {n!r}" for n in ("stray.png", PATCH_NAMES[0], link)]


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_folder_alone_is_refused(class_folders, label):
    """A mistyped folder name would otherwise leave one class out in silence."""
    (class_folders / CLASS_FOLDERS[label]).rename(class_folders / "sclerotic")
    with pytest.raises(ManifestError, match=f"missing:\n    '{CLASS_FOLDERS[label]}'"):
        image_folder_manifest(class_folders)


def test_folder_without_images_is_refused(tmp_path):
    with pytest.raises(ManifestError, match=r"no file ends in \.bmp, \.jpeg"):
        image_folder_manifest(tmp_path)
    with pytest.raises(ManifestError, match="is not a folder"):
        image_folder_manifest(tmp_path / "nowhere")


def test_no_warning_is_given_when_all_participants_are_known(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_manifest(write(folder, patch_csv()))
        image_folder_manifest(folder)


def test_a_corrected_label_stands_above_the_label_and_the_class_folder(tmp_path):
    for kind, names in (("non_globally", "ab"), ("globally", "c")):
        (tmp_path / f"{kind}_sclerotic_glomeruli").mkdir()
        for name in names:
            (tmp_path / f"{kind}_sclerotic_glomeruli" / f"{name}.png").touch()
    header = "name,label,Corrected label,participant\n"
    csv = write(tmp_path, header + "a.png,0,1,P1\nb.png,0,,P2\nc.png,1,1,P2\n")
    manifest = read_manifest(csv)
    assert manifest["label"].tolist() == [1, 0, 1]
    assert manifest["corrected label"].tolist()[::2] == [1, 1]
    csv = write(tmp_path, header + "a.png,0,maybe,P1\nb.png,1,,P2\nc.png,1,,P2\n")
    with pytest.raises(ManifestError, match="maybe") as caught:
        read_manifest(csv)
    assert "class folder of the other label" in str(caught.value)


def test_corrected_labels_have_the_meanings_of_labels(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.png").touch()
    csv = write(
        tmp_path, "name,label,corrected label,slide\na.png,NGS,GS,1\nb.png,GS,,2\n"
    )
    with pytest.warns(ParticipantWarning):
        manifest = read_manifest(csv, labels={"GS": 1, "NGS": 0})
    assert manifest["label"].tolist() == [1, 1]
