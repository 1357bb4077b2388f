"""Model files: what is read is what was written, or a named error."""

import ast
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from glomclf import GlomeruliClassifier
from glomclf.data import archive
from glomclf.data.archive import read_header, read_model, write_model
from glomclf.errors import ModelFileError

HEADER = {"classes": [0, 1], "history": {"loss": [0.5, 0.25]}, "note": 'ü "quoted"\n'}
ARRAYS = {
    "net/000": np.arange(6, dtype=np.float32).reshape(2, 3),
    "net/001": np.float32([1.5]),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A file of two small arrays: its format is that of the largest network."""
    path = tmp_path_factory.mktemp("models") / "tiny.glomclf"
    write_model(path, HEADER, ARRAYS)
    return path


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch") / "changed.glomclf"


# -- round trip ------------------------------------------------------------------------


def test_a_model_comes_back_as_it_was_written(model):
    header, arrays = read_model(str(model))
    assert read_header(model) == header
    assert {name: header[name] for name in HEADER} == HEADER
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


DTYPES = st.sampled_from([np.float32, np.float64, np.float16, np.uint8, np.int64])


@settings(max_examples=12)
@given(
    array=hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0)),
    transposed=st.booleans(),
)
def test_arrays_come_back_to_the_bit_whatever_their_layout(scratch, array, transposed):
    array = array.T if transposed else array
    write_model(scratch, {}, {"a": array})
    restored = read_model(scratch)[1]["a"]
    assert (restored.dtype, restored.shape) == (array.dtype, array.shape)
    assert restored.tobytes() == array.tobytes()


def test_numbers_of_numpy_are_written_as_pythons(tmp_path):
    given = {"epochs": np.int64(3), "dropout": np.float32(0.5), "lazy": np.bool_(True)}
    write_model(tmp_path / "m", given, {})
    header = read_model(tmp_path / "m")[0]
    assert [header[name] for name in given] == [3, 0.5, True]


def test_a_file_names_the_versions_that_wrote_it(model):
    versions = read_model(model)[0]["versions"]
    assert set(versions) == {"python", "glomclf", *archive._LIBRARIES}
    assert versions["numpy"] == np.__version__


@pytest.mark.parametrize("value", [object(), float("nan"), np.float32("nan")])
def test_a_header_that_is_not_json_is_refused_and_nothing_is_written(tmp_path, value):
    with pytest.raises(ModelFileError, match=r"written as JSON.*plain number"):
        write_model(tmp_path / "m", {"value": value}, {})
    assert list(tmp_path.iterdir()) == []


def test_failure_while_writing_keeps_the_old_model(tmp_path, monkeypatch):
    path = tmp_path / "model"
    write_model(path, HEADER, ARRAYS)

    def fail(self, data):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fail)
        with pytest.raises(OSError, match="No space left"):
            write_model(path, {"classes": ["new"]}, {})
    assert read_model(path)[0]["classes"] == [0, 1]
    assert list(tmp_path.iterdir()) == [path]


# -- damaged and foreign files ---------------------------------------------------------


def padding_of(data):
    """Return the range of the blanks that align the arrays behind the header."""
    end = 8 + int.from_bytes(data[:8], "little")
    return range(len(data[:end].rstrip(b" ")), end)


@settings(max_examples=20)
@given(position=st.integers(0, 10**9), flip=st.integers(1, 255))
@example(position=0, flip=1)
@example(position=7, flip=0x80)
@example(position=-1, flip=1)
def test_any_flipped_byte_is_refused(model, scratch, position, flip):
    data = bytearray(model.read_bytes())
    position %= len(data)
    # Another blank in the padding is read as the same model: nothing lies there.
    assume(position not in padding_of(data))
    data[position] ^= flip
    scratch.write_bytes(data)
    with pytest.raises(ModelFileError, match=scratch.name):
        read_model(scratch)


@settings(max_examples=15)
@given(kept=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused(model, scratch, kept):
    data = model.read_bytes()
    scratch.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(ModelFileError, match="truncated, or another kind of file"):
        read_model(scratch)


@settings(max_examples=15)
@given(content=st.binary(max_size=400))
@example(content=pickle.dumps({"a": 1}))
@example(content=b"\x89HDF\r\n\x1a\n")
def test_a_foreign_file_is_refused(scratch, content):
    scratch.write_bytes(content)
    for read in (read_model, read_header):
        with pytest.raises(ModelFileError, match=r"another kind of file|not a glomclf"):
            read(scratch)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ModelFileError, match="is not a file"):
            read_model(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_safetensors_of_another_library_are_refused(tmp_path, metadata):
    path = tmp_path / "foreign.safetensors"
    safetensors.numpy.save_file(ARRAYS, path, metadata=metadata)
    with pytest.raises(ModelFileError, match="is not a glomclf model"):
        read_model(path)


def test_types_that_numpy_does_not_know_are_a_named_error(tmp_path, model):
    def written(metadata):
        entry = {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}
        header = json.dumps({"__metadata__": metadata, "a": entry}).encode()
        path = tmp_path / "foreign.glomclf"
        path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
        return path

    for metadata in ({}, {"glomclf": "{}", "sha256": ""}):
        with pytest.raises(ModelFileError, match=r"foreign\.glomclf"):
            read_model(written(metadata))


@pytest.mark.parametrize("change", [{"colour": "red"}, None])
def test_parameters_of_another_glomclf_are_a_named_error(change):
    def build(header, arrays):
        return GlomeruliClassifier(**header["parameters"])

    header = {"versions": {"glomclf": "9.0"}}
    if change is not None:
        header["parameters"] = change
    with pytest.raises(ModelFileError, match=r"does not describe .* wrote it: 9\.0"):
        archive.rebuilt("model.glomclf", build, header, {})


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ({"format_version": 2}, "version 2;"),
        ({"format_version": 4}, "version 4;"),
        ({"format_version": None}, "version None;"),
        ({"format": "other"}, "'other'"),
    ],
)
def test_another_format_or_version_names_the_glomclf_to_install(
    tmp_path, header, found
):
    write_model(tmp_path / "m", {"versions": {"glomclf": "7.0"}, **header}, {})
    with pytest.raises(
        ModelFileError, match=rf"{found}.*reads 'glomclf-model' version 3.*wrote it: 7"
    ):
        read_model(tmp_path / "m")


def test_reading_and_writing_never_pickle(model, scratch, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("pickle was used")

    for name in ("load", "loads", "dump", "dumps", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    write_model(scratch, *read_model(model))


def test_the_archive_imports_nothing_that_runs_code_from_a_file():
    tree = ast.parse(Path(archive.__file__).read_text())
    imported = {
        name.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    } | {
        (node.module or "").partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }
    assert imported.isdisjoint({"pickle", "joblib", "marshal", "shelve", "keras"})
    called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert called.isdisjoint({"eval", "exec", "compile", "__import__"})
