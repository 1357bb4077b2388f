"""Files of tensors: what is read, and that nothing else is."""

import pickle
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from glomclf.data.tensor_files import read_tensors
from glomclf.errors import TensorFileError
from tests.torch_files import Call, View, save_torch

FORMATS = pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])


@pytest.fixture(scope="module")
def state():
    rng = np.random.default_rng(0)
    return {
        "conv.weight": rng.normal(size=(4, 3, 2, 2)).astype(np.float32),
        "conv.turned": rng.normal(size=(3, 5)).astype(np.float32).T,
        "half": rng.normal(size=6).astype(np.float16),
        "double": rng.normal(size=(2, 2)),
        "steps": np.array(7),
        "empty": np.zeros((0, 3), np.float32),
    }


def assert_same(read, state):
    assert list(read) == list(state)
    for name, array in state.items():
        expected = np.float32 if array.dtype.kind == "f" else array.dtype
        assert read[name].dtype == expected, name
        np.testing.assert_array_equal(read[name], array.astype(expected))


# -- what is read ----------------------------------------------------------------------


@FORMATS
def test_a_state_dict_is_read_with_floats_of_one_length(tmp_path, state, legacy):
    assert_same(read_tensors(save_torch(state, tmp_path / "a", legacy=legacy)), state)


def test_safetensors_are_read_the_same(tmp_path, state):
    plain = {name: np.ascontiguousarray(array) for name, array in state.items()}
    save_file(plain, tmp_path / "a.bin")
    assert_same(
        dict(sorted(read_tensors(tmp_path / "a.bin").items())),
        dict(sorted(state.items())),
    )


@FORMATS
def test_what_wraps_a_state_dict_becomes_part_of_the_names(tmp_path, state, legacy):
    wrapped = {
        "epoch": 3,
        "model": {"a": state["half"]},
        "more": (state["double"], "x"),
    }
    read = read_tensors(save_torch(wrapped, tmp_path / "a.pth", legacy=legacy))
    assert list(read) == ["model.a", "more.0"]


@FORMATS
def test_the_metadata_of_a_state_dict_is_left_out(tmp_path, state, legacy):
    attributes = b"}X\x09\x00\x00\x00_metadataK\x01sb"
    file = save_torch(state, tmp_path / "a.pth", legacy=legacy, more=attributes)
    assert_same(read_tensors(file), state)


def test_a_tensor_alone_has_no_name(tmp_path, state):
    read = read_tensors(save_torch(state["double"], tmp_path / "a.pt"))
    assert list(read) == [""]


def test_views_of_one_storage_are_arrays_of_their_own(tmp_path):
    numbers = np.arange(6, dtype=np.float32)
    view = View(numbers, 1, (2, 2), (2, 1))
    read = read_tensors(save_torch({"a": view}, tmp_path / "a.pt"))["a"]
    np.testing.assert_array_equal(read, [[1, 2], [3, 4]])
    assert read.flags.owndata


def test_a_bfloat16_is_read_exactly(tmp_path):
    header = b'{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    numbers = np.array([0x3F80, 0xC020], "<u2").tobytes()
    file = tmp_path / "a.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header + numbers)
    np.testing.assert_array_equal(read_tensors(file)["a"], np.float32([1.0, -2.5]))


# -- what is refused -------------------------------------------------------------------


@FORMATS
def test_a_global_that_is_no_tensor_is_named_and_nothing_runs(tmp_path, legacy):
    ran = tmp_path / "ran"
    hostile = {"a": Call("os", "system", (f"touch {ran}",))}
    file = save_torch(hostile, tmp_path / "a.pth", legacy=legacy)
    with pytest.raises(TensorFileError, match=r"names os\.system, which is no tensor"):
        read_tensors(file)
    assert not ran.exists()


@FORMATS
@pytest.mark.parametrize(
    ("view", "message"),
    [
        (View(np.zeros(4, "f4"), 0, (1 << 40,), (0,)), "larger than its storage"),
        (View(np.zeros(4, "f4"), 3, (2,), (1,)), "larger than its storage"),
        (View(np.zeros(4, "f4"), 0, (2, 2), (3, 1)), "larger than its storage"),
        (View(np.zeros(4, "f4"), 3, (4,), (-1,)), "other things than numbers"),
        (View(np.zeros(4, "f4"), -1, (2,), (1,)), "other things than numbers"),
        (View(np.zeros(4, "f4"), 0, (2, 2), (1,)), "argument 2 is shorter"),
        (View(np.zeros(4, "f4"), 0, (9,), (1,), 9), "another length|in two ways"),
        (View(np.zeros(4, "f4"), 0, (1,), (1,), 1 << 60), "another length|in two ways"),
    ],
)
def test_a_tensor_beyond_its_storage_is_refused(tmp_path, legacy, view, message):
    file = save_torch({"a": view}, tmp_path / "a.pth", legacy=legacy)
    with pytest.raises(TensorFileError, match=message):
        read_tensors(file)


def test_compressed_entries_are_refused_unread(tmp_path):
    zeros = {"a": np.zeros(1 << 20, np.float32)}
    file = save_torch(zeros, tmp_path / "a.pth", compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(TensorFileError, match="compressed, which torch never does"):
        read_tensors(file)


def test_lists_that_double_at_every_level_are_refused(tmp_path):
    nested = []
    for _ in range(40):
        nested = [nested, nested]
    file = tmp_path / "a.pth"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(nested, 2))
    with pytest.raises(TensorFileError, match="nested too deep"):
        read_tensors(file)


@pytest.mark.parametrize(
    "code",
    [
        b"\x80\x02c__builtin__\neval\n.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}Xa\x00\x00\x00\x00K\x01s\x86b.",
        b"\x80\x05\x96" + (1 << 62).to_bytes(8, "little") + b".",
        b"\x80\x02\x82\x01.",
    ],
    ids=["eval", "set an attribute", "reserve memory", "registered class"],
)
def test_a_pickle_that_does_more_than_describe_is_refused(tmp_path, code):
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("archive/data.pkl", code)
    with pytest.raises(TensorFileError):
        read_tensors(tmp_path / "a.pth")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02", b"\x89HDF\r\n"])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(TensorFileError, match=r"a\.pth"):
        read_tensors(tmp_path / "a.pth")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(TensorFileError, match="is not a file"):
        read_tensors(tmp_path / "none.pth")


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_a_damaged_file_is_read_or_refused_by_name(tmp_path, state, kind):
    file = tmp_path / "a.pth"
    if kind == "safetensors":
        save_file({"a": state["conv.weight"], "b": state["half"]}, file)
    else:
        save_torch(state, file, legacy=kind == "legacy")
    whole, rng = bytearray(file.read_bytes()), np.random.default_rng(1)
    n_refused = 0
    for _ in range(50):
        damaged = whole[: rng.integers(1, len(whole) + 1)]
        for place in rng.integers(0, len(damaged), rng.integers(0, 6)):
            damaged[place] = rng.integers(256)
        file.write_bytes(damaged)
        try:
            read_tensors(file)
        except TensorFileError:
            n_refused += 1
    assert n_refused > 25
