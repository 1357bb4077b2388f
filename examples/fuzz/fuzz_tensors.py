"""Files of tensors, damaged: safetensors, and PyTorch's in both formats."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from fuzzing import Kind, Wrong, mutated
from safetensors.numpy import save

from glomclf.data.tensor_files import read_tensors

# Opcodes and names that mean something to a pickle, and what JSON and zip begin with.
_WORDS = (
    *(b"cos\nsystem\n", b"cbuiltins\neval\n", b"ctorch._utils\n_rebuild_tensor_v2\n"),
    *(b"ctorch\nFloatStorage\n", b"R", b"b", b"Q", b"}", b"(", b"t", b"."),
    *(b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", b"J\xff\xff\xff\x7f", b"K\x00"),
    *(b"PK\x03\x04", b"PK\x01\x02", b"F32", b"[9]", b"[0,999999999999]"),
)
_MOST_BYTES_A_FILE_BYTE = 64  # of arrays: more is a bomb


def _prepare(folder: Path) -> list[tuple[str, bytes]]:
    """Write two tensors as safetensors, and as torch.save did and does."""
    numbers = np.arange(12, dtype=np.float32)
    arrays = {"a": numbers.reshape(3, 4), "b": numbers[:2].copy()}
    return [
        ("safetensors", save(arrays, metadata={"license": "mit"})),
        ("legacy", _legacy(numbers)),
        ("pickle", _pickled()),
    ]


def _pickled() -> bytes:
    """Describe a view of four numbers of a storage of twelve."""
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    storage += b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x0ctQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n("
    tensor += storage + b"K\x02(K\x02K\x02t(K\x04K\x01t\x89}tR"
    return b"\x80\x02}X\x01\x00\x00\x00a" + tensor + b"s."


def _legacy(numbers: np.ndarray) -> bytes:
    head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    parts = [*(pickle.dumps(part, 2) for part in head), _pickled()]
    count = len(numbers).to_bytes(8, "little")
    return b"".join([*parts, pickle.dumps(["0"], 2), count, numbers.tobytes()])


def _case(known: Any, folder: Path, rng: np.random.Generator) -> str:
    """Damage a file; of a zip, the pickle in it, so that its checksum is right."""
    name, whole = known[rng.integers(len(known))]
    content = mutated(whole, rng, _WORDS)
    file = folder / "a.pth"
    file.write_bytes(content)
    if name == "pickle":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", content)
            archive.writestr("archive/data/0", np.arange(12, dtype="<f4").tobytes())
    arrays = read_tensors(file)
    n_bytes = sum(array.nbytes for array in arrays.values())
    if n_bytes > _MOST_BYTES_A_FILE_BYTE * file.stat().st_size:
        raise Wrong(f"{n_bytes} bytes of arrays")
    return f"read: {name}"


KIND = Kind(_prepare, _case, 2000)
