"""read_embeddings: every kind of file, the manifest's order, and all that is wrong."""

import io
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest

from glomclf.data import embedding_files, read_embeddings
from glomclf.errors import EmbeddingsError

NAMES = ["S-1_PAS_1of2_a.png", "S-1_PAS_1of2_b.png", "S-2_PAS_1of2_c.png"]
VALUES = np.arange(12, dtype=np.float32).reshape(3, 4)
BACKWARDS = VALUES[::-1], NAMES[::-1]


@pytest.fixture
def manifest():
    return pd.DataFrame(
        {
            "path": [f"/data/patches/{name}" for name in NAMES],
            "label": [0, 1, 0],
            "slide": ["S-1_PAS_1of2", "S-1_PAS_1of2", "S-2_PAS_1of2"],
            "participant": ["S-1", "S-1", "S-2"],
            "x": [10, 20, 5],
            "y": [7, 8, 9],
        }
    )


def hdf5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def as_table(values, names):
    table = pd.DataFrame(values, columns=[f"f{i}" for i in range(values.shape[1])])
    return table.assign(name=names, label=1, participant="P")


def write(path, values, names):
    """Write rows as the ending of the path says."""
    if path.suffix == ".h5":
        hdf5(path, features=values, names=names, coords=np.zeros((len(names), 2)))
    elif path.suffix == ".npz":
        np.savez(path, features=values, names=np.array(names))
    elif path.suffix == ".csv":
        as_table(values, names).to_csv(path, index=False)
    else:
        as_table(values, names).to_parquet(path)
    return path


# -- kinds of files -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["e.h5", "e.npz", "e.csv", "e.parquet"])
def test_rows_come_in_the_order_of_the_manifest(tmp_path, manifest, name):
    values = read_embeddings(write(tmp_path / name, *BACKWARDS), manifest)
    assert values.dtype == np.float32
    assert values.tolist() == VALUES.tolist()


@pytest.mark.parametrize("name", ["e.h5", "e.npz"])
def test_a_vector_may_be_called_by_its_image(tmp_path, manifest, name):
    vectors = dict(zip(NAMES, VALUES, strict=True))
    write_all = hdf5 if name == "e.h5" else np.savez
    write_all(tmp_path / name, **vectors)
    assert (read_embeddings(tmp_path / name, manifest) == VALUES).all()


def test_parquet_may_hold_one_column_of_lists(tmp_path, manifest):
    table = pd.DataFrame({"name": NAMES[::-1], "embedding": VALUES[::-1].tolist()})
    table.to_parquet(tmp_path / "e.parquet")
    assert (read_embeddings(tmp_path / "e.parquet", manifest) == VALUES).all()


def test_coordinates_name_the_rows_of_a_slide(tmp_path, manifest):
    coords = np.array([[20, 8], [1, 1], [10, 7]])
    path = hdf5(tmp_path / "e.h5", features=VALUES, coords=coords)
    assert (read_embeddings(path, manifest[:2]) == VALUES[[2, 0]]).all()


def test_a_folder_has_one_file_a_slide(tmp_path, manifest):
    hdf5(tmp_path / "S-1_PAS_1of2.h5", features=VALUES[:2], coords=[[20, 8], [10, 7]])
    hdf5(tmp_path / "S-2_PAS_1of2.h5", features=VALUES[2:], coords=[[5, 9]])
    mixed = manifest.iloc[[1, 2, 0]]
    assert (read_embeddings(tmp_path, mixed) == VALUES[[0, 2, 1]]).all()


@pytest.mark.parametrize(
    "spelt",
    [
        lambda name: name.removesuffix(".png"),
        lambda name: f"patches/{name}",
        lambda name: f"/elsewhere/of/another/machine/{name}",
    ],
)
def test_names_may_have_other_folders_or_no_ending(tmp_path, manifest, spelt):
    path = write(tmp_path / "e.npz", VALUES[::-1], [spelt(n) for n in NAMES[::-1]])
    assert (read_embeddings(path, manifest) == VALUES).all()


def test_what_the_manifest_has_is_no_feature(tmp_path, manifest):
    table = as_table(VALUES, NAMES).assign(x=0.5, slide="S", centre=7)
    table.to_csv(tmp_path / "e.csv", index=False)
    assert read_embeddings(tmp_path / "e.csv", manifest).shape == (3, 4)


# -- what does not fit ----------------------------------------------------------------


def test_all_that_does_not_fit_is_told_at_once(tmp_path, manifest):
    values = np.array([[1, 2], [np.nan, np.inf], [3, 4]])
    path = write(tmp_path / "e.npz", values, [NAMES[0], NAMES[1], NAMES[0]])
    with pytest.raises(EmbeddingsError) as caught:
        read_embeddings(path, manifest)
    told = str(caught.value)
    assert f"or leave them out:\n    /data/patches/{NAMES[2]}" in told
    assert f"keep one row each:\n    /data/patches/{NAMES[0]}: 2 rows" in told
    assert f"not finite numbers:\n    /data/patches/{NAMES[1]}: 2 of 2" in told


def test_one_row_cannot_be_two_images(tmp_path, manifest):
    manifest["path"] = ["one/a.png", "two/a.png", "c.png"]
    path = write(tmp_path / "e.npz", VALUES, ["a.png", "b.png", "c.png"])
    with pytest.raises(EmbeddingsError, match=r"several:\n    one/a.png.*\n    two/"):
        read_embeddings(path, manifest)


def test_a_file_of_other_images_gets_one_sentence(tmp_path, manifest):
    path = write(tmp_path / "e.npz", VALUES, ["u", "v", "w"])
    with pytest.raises(EmbeddingsError, match=r"all 3; the rows .* called 'u', 'v'"):
        read_embeddings(path, manifest)


@pytest.mark.parametrize("of_label", [lambda y: y, lambda y: 1 - y])
def test_a_feature_that_is_the_label_is_refused(tmp_path, of_label):
    label = np.arange(12) % 2
    manifest = pd.DataFrame({"path": list("abcdefghijkl"), "label": label})
    values = np.column_stack([np.arange(12.0), of_label(label)])
    path = write(tmp_path / "e.npz", values, manifest["path"].tolist())
    with pytest.raises(EmbeddingsError, match=r"label itself.*\n    feature 1"):
        read_embeddings(path, manifest)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"features": VALUES}, "which row is which image"),
        ({"features": VALUES[0], "names": NAMES}, r"shape \(4,\)"),
        (
            {"features": VALUES, "a": NAMES, "b": NAMES},
            r"several arrays of text.*: a, b",
        ),
        ({"a": VALUES[0], "b": VALUES[0], "c": VALUES[0, :2]}, r"'c' \(2,\)"),
        ({"a": VALUES, "b": VALUES}, "no embeddings that are known by their image"),
        ({"features": VALUES, "coords": VALUES[:, :2]}, "coords.*are of one slide"),
    ],
)
def test_arrays_that_are_no_embeddings_are_named(tmp_path, manifest, arrays, message):
    with pytest.raises(EmbeddingsError, match=message):
        read_embeddings(hdf5(tmp_path / "e.h5", **arrays), manifest)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("f0,f1\n1,2\n", "has 0 columns 'name'"),
        ("name,label\na.png,1\n", "no columns of features"),
        ("name,f0,f1\na.png,1,2\nb.png,n/k,3\n", "not numbers: 'f0'"),
        ("", "cannot be read as .csv"),
    ],
)
def test_tables_that_are_no_embeddings_are_refused(tmp_path, manifest, table, message):
    (tmp_path / "e.csv").write_text(table)
    with pytest.raises(EmbeddingsError, match=message):
        read_embeddings(tmp_path / "e.csv", manifest)


def test_slides_without_a_file_are_listed(tmp_path, manifest):
    hdf5(tmp_path / "S-1_PAS_1of2.h5", features=VALUES[:2], names=NAMES[:2])
    with pytest.raises(EmbeddingsError, match=r"<slide>\.h5:\n    S-2_PAS_1of2$"):
        read_embeddings(tmp_path, manifest)


def test_another_kind_of_file_is_refused(tmp_path, manifest):
    (tmp_path / "e.xlsx").touch()
    with pytest.raises(EmbeddingsError, match=r"'\.xlsx'.*\.h5, \.hdf5, \.npz"):
        read_embeddings(tmp_path / "e.xlsx", manifest)


# -- files that are not to be trusted -------------------------------------------------


def test_hdf5_that_reaches_elsewhere_is_refused(tmp_path, manifest):
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file["features"] = h5py.ExternalLink("other.h5", "features")
    with pytest.raises(EmbeddingsError, match="links to data outside"):
        read_embeddings(tmp_path / "e.h5", manifest)


def test_python_objects_are_not_read(tmp_path, manifest):
    np.savez(tmp_path / "e.npz", features=VALUES, names=np.array(NAMES, dtype=object))
    with pytest.raises(EmbeddingsError, match="Python objects"):
        read_embeddings(tmp_path / "e.npz", manifest)


def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path, manifest):
    header = io.BytesIO()
    about = {"descr": "<f4", "fortran_order": False, "shape": (10**9, 10**3)}
    np.lib.format.write_array_header_1_0(header, about)
    with zipfile.ZipFile(tmp_path / "e.npz", "w") as archive:
        archive.writestr("features.npy", header.getvalue())
    with pytest.raises(EmbeddingsError, match="cannot be read as"):
        read_embeddings(tmp_path / "e.npz", manifest)


@pytest.mark.parametrize("name", ["e.h5", "e.npz", "e.csv", "e.parquet"])
def test_a_file_is_measured_before_it_is_read(tmp_path, manifest, name, monkeypatch):
    path = write(tmp_path / name, VALUES, NAMES)
    monkeypatch.setattr(embedding_files, "MAX_BYTES", 40)
    with pytest.raises(EmbeddingsError, match=r"at most 0\.0 GB"):
        read_embeddings(path, manifest)


@pytest.mark.parametrize("name", ["e.h5", "e.npz", "e.parquet"])
def test_a_file_cut_short_is_refused(tmp_path, manifest, name):
    path = write(tmp_path / name, VALUES, NAMES)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(EmbeddingsError, match=r"damaged|not an HDF5 file"):
        read_embeddings(path, manifest)
