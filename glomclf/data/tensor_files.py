"""Files of tensors as NumPy arrays: safetensors, and PyTorch's without torch.

Nothing in a file runs, and no more memory is used than the file is long, a few times:
sizes are compared with the file before anything is decoded.
"""

from __future__ import annotations

import math
import mmap
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .._runtime import user_path
from ..errors import TensorFileError
from .torch_pickle import (
    BFLOAT16,
    Storage,
    Tensor,
    UnknownGlobal,
    Unpickler,
    named_tensors,
)

_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"
# The first of the pickles in a file of torch before 1.6: this number alone.
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_N_COUNT_BYTES = 8
# Tensors may share their numbers, and halves become floats.
_MOST_BYTES_A_FILE_BYTE = 8
_Reader = Callable[[Path], dict[str, np.ndarray]]
_SAFETENSORS_DTYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": BFLOAT16, "BOOL": "?"},
    **{"I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1"},
    **{"U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1"},
}


def read_tensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the tensors of a safetensors or PyTorch file; nothing in it is run.

    Parameters
    ----------
    path : str or Path
        Of any ending: the kind is seen from its content. PyTorch's are those of
        ``torch.save``, in the zip format and in the one before it.

    Returns
    -------
    dict of str to ndarray
        Floats of all lengths as float32; integers and booleans as they are. Names of
        nested dictionaries and lists are joined by dots, as in
        ``"state_dict.conv1.weight"``; a tensor saved alone has the name ``""``.

    Raises
    ------
    TensorFileError
        If it is no such file, damaged, or holds anything but tensors and plain values.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from safetensors.numpy import save_file
    >>> from glomclf.data.tensor_files import read_tensors
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "a.safetensors")
    ...     save_file({"bias": np.zeros(3, np.float16)}, file)
    ...     read_tensors(file)
    {'bias': array([0., 0., 0.], dtype=float32)}
    """
    path = user_path(path)
    if not path.is_file():
        raise TensorFileError(f"{path} is not a file. Expected a file of tensors.")
    if (reader := _kind_of(path)) is None:
        raise TensorFileError(
            f"{path} is neither a safetensors file nor one of PyTorch's. Expected what "
            "safetensors' save_file or torch.save writes."
        )
    try:
        return reader(path)
    except UnknownGlobal as error:
        raise TensorFileError(
            f"{path} names {error}, which is no tensor; loaded by torch it could run "
            "any code, so it is not read. Save tensors alone: "
            "torch.save(model.state_dict(), FILE), or safetensors."
        ) from error
    except Exception as error:  # whatever a damaged file makes of a reader
        raise TensorFileError(
            f"{path} cannot be read as a file of tensors; it is damaged or cut short "
            f"({type(error).__name__}: {str(error)[:200]}). Get the file again."
        ) from error


def is_tensor_file(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as safetensors or PyTorch's files do."""
    return _kind_of(user_path(path)) is not None


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return what a safetensors file says of itself; nothing for any other file."""
    from safetensors import SafetensorError, safe_open

    if _kind_of(Path(path)) is not _read_safetensors:
        return {}
    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}
    except SafetensorError as error:
        raise TensorFileError(f"{path} is damaged ({error}).") from error


def _kind_of(path: Path) -> _Reader | None:
    with path.open("rb") as file:
        head = file.read(_N_COUNT_BYTES + 1)
    header_ends = _N_COUNT_BYTES + int.from_bytes(head[:_N_COUNT_BYTES], "little")
    if head[_N_COUNT_BYTES:] == b"{" and header_ends <= path.stat().st_size:
        return _read_safetensors
    if head.startswith(_ZIP):
        return _read_zip
    return _read_legacy if head.startswith(_PICKLE) else None


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import deserialize

    arrays = {}
    for name, entry in deserialize(path.read_bytes()):
        dtype = _SAFETENSORS_DTYPES.get(entry["dtype"])
        if dtype is None:
            raise ValueError(f"{name} has numbers of the unknown kind {entry['dtype']}")
        arrays[name] = _plain(_numbers(entry["data"], dtype).reshape(entry["shape"]))
    return arrays


def _read_zip(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("its entries are compressed, which torch never does")
        if sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise ValueError("its entries are larger than the file")
        (pickled,) = (e.filename for e in entries if e.filename.endswith("data.pkl"))
        folder = pickled.removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise ValueError("its numbers are big-endian")
        with archive.open(pickled) as file:
            reader = Unpickler(file)
            value = reader.load()
        buffers = {key: archive.read(f"{folder}data/{key}") for key in reader.storages}
    return _arrays(path, value, reader.storages, buffers)


def _read_legacy(path: Path) -> dict[str, np.ndarray]:
    """Read pickles (magic, version, machine, value, keys), then the numbers."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        magic, protocol = Unpickler(content).load(), Unpickler(content).load()
        if (magic, protocol) != (_LEGACY_MAGIC, _LEGACY_PROTOCOL):
            raise ValueError("it is a pickle that torch.save did not write")
        if Unpickler(content).load().get("little_endian") is not True:
            raise ValueError("its numbers are big-endian")
        reader = Unpickler(content)
        value = reader.load()
        buffers = {}
        for key in Unpickler(content).load():
            n_numbers = int.from_bytes(content.read(_N_COUNT_BYTES), "little")
            storage = reader.storages[key]
            if n_numbers != storage.n_numbers or key in buffers:
                raise ValueError(f"the storage {key!r} is described in two ways")
            buffers[key] = content.read(n_numbers * np.dtype(storage.dtype).itemsize)
    return _arrays(path, value, reader.storages, buffers)


def _arrays(
    path: Path, value: Any, storages: dict[str, Storage], buffers: dict[str, bytes]
) -> dict[str, np.ndarray]:
    """Check all views against their storages, then copy them out."""
    if not (tensors := named_tensors(value)):
        raise ValueError("it holds no tensors")
    numbers = {key: _numbers(buffers[key], storages[key].dtype) for key in storages}
    for key, storage in storages.items():
        if len(numbers[key]) != storage.n_numbers:
            raise ValueError(f"the storage {key!r} has another length than it says")
    n_numbers = sum(_n_numbers(name, tensor) for name, tensor in tensors.items())
    if n_numbers > _MOST_BYTES_A_FILE_BYTE * path.stat().st_size:
        raise ValueError("its tensors together are much larger than the file")
    return {
        name: _plain(_view(tensor, numbers[tensor.storage.key]))
        for name, tensor in tensors.items()
    }


def _n_numbers(name: str, tensor: Tensor) -> int:
    """Count the numbers of a tensor that lies within its storage."""
    storage, offset, shape, strides = tensor
    if not all(isinstance(n, int) and n >= 0 for n in (offset, *shape, *strides)):
        raise ValueError(f"{name} has a shape of other things than numbers")
    n_numbers = math.prod(shape)
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if n_numbers > storage.n_numbers or (n_numbers and last >= storage.n_numbers):
        raise ValueError(f"{name} is larger than its storage")
    return n_numbers


def _view(tensor: Tensor, numbers: np.ndarray) -> np.ndarray:
    """Return what `_n_numbers` found to lie within the storage."""
    steps = [step * numbers.itemsize for step in tensor.strides]
    return np.lib.stride_tricks.as_strided(
        numbers[tensor.offset :], tensor.shape, steps, writeable=False
    )


def _numbers(buffer: bytes, dtype: str) -> np.ndarray:
    """Return numbers as NumPy's; a bfloat16 is the upper half of a float32."""
    numbers = np.frombuffer(buffer, dtype)
    if dtype != BFLOAT16:
        return numbers
    return (numbers.view("<u2").astype("<u4") << 16).view("<f4")


def _plain(numbers: np.ndarray) -> np.ndarray:
    """Copy numbers into an array of its own, floats as float32."""
    dtype = np.float32 if numbers.dtype.kind == "f" else numbers.dtype
    with np.errstate(over="ignore"):  # a double too large becomes infinite
        return np.array(numbers, dtype=dtype, order="C")
