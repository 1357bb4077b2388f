"""The pickle in a PyTorch file, read without running anything.

A pickle is a program: it names what is to be called. Here it may name tensors, their
storages and ordered dictionaries, each of which stands for a plain tuple; any other
name ends the reading. Neither torch nor what the file names is imported.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import Any, NamedTuple

BFLOAT16 = "V2"  # two bytes: NumPy has no such numbers
# Storages by the name of their class in torch, as NumPy knows them.
DTYPES = {
    **{"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2"},
    **{"LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2"},
    **{"CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?"},
    "BFloat16Storage": BFLOAT16,
}
_MAX_VISITED = 200_000
_MAX_DEPTH = 16
# No state dict needs them: they reserve memory, or reach for what Python has loaded.
_REFUSED_OPCODES = (
    *(pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
    *(pickle.EXT1, pickle.EXT2, pickle.EXT4),
    *(pickle.INST, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX),
)


class Storage(NamedTuple):
    """Numbers of a file: where they lie, what they are and how many."""

    key: str
    dtype: str
    n_numbers: int


class Tensor(NamedTuple):
    """A view of a storage, in numbers rather than bytes; nothing of it is checked."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class UnknownGlobal(Exception):
    """The pickle names something that is no part of a tensor."""


def _made_tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, *_: Any
) -> Tensor:
    if not isinstance(storage, Storage):
        raise ValueError("a tensor without a storage")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _made_parameter(tensor: Any, *_: Any) -> Any:
    return tensor


# What a pickle may call.
_GLOBALS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _made_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _made_tensor,
    ("torch._utils", "_rebuild_parameter"): _made_parameter,
    **{("torch", name): dtype for name, dtype in DTYPES.items()},
}


# The one in Python: the one in C reserves as much memory as a file asks for.
class Unpickler(pickle._Unpickler):
    """Reads one pickle after the other; `storages` are those that they named."""

    def load_build(self: Any) -> None:
        """Leave out attributes, such as the metadata of a state dict."""
        self.stack.pop()

    dispatch = {
        code: load
        for code, load in pickle._Unpickler.dispatch.items()
        if bytes([code]) not in _REFUSED_OPCODES
    } | {pickle.BUILD[0]: load_build}

    def __init__(self, file: Any):
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for an allowed global."""
        if (module, name) not in _GLOBALS:
            raise UnknownGlobal(f"{module}.{name}")
        return _GLOBALS[module, name]

    def persistent_load(self, pid: Any) -> Storage:
        """Return the storage that is named in torch's way."""
        kind, dtype, key, _, n_numbers, *view = pid
        if kind != "storage" or any(part is not None for part in view):
            raise ValueError(f"a storage described as {kind!r}")
        if not (isinstance(key, str) and isinstance(n_numbers, int) and n_numbers >= 0):
            raise ValueError("a storage without a name or a number")
        if dtype not in DTYPES.values():
            raise ValueError("a storage of unknown numbers")
        storage = Storage(key, dtype, n_numbers)
        if self.storages.setdefault(key, storage) != storage:
            raise ValueError(f"the storage {key!r} is described in two ways")
        return storage


def named_tensors(value: Any) -> dict[str, Tensor]:
    """Name the tensors in nested dictionaries and lists; plain values are left out.

    Parameters
    ----------
    value : object
        As `Unpickler` gives it.

    Returns
    -------
    dict of str to Tensor
        Names of the levels are joined by dots. A tensor alone is named ``""``.

    Raises
    ------
    ValueError
        If it is nested too deep, or in more parts than weights have.
    """
    found: dict[str, Tensor] = {}
    waiting: list[tuple[tuple[str, ...], Any]] = [((), value)]
    for _ in range(_MAX_VISITED):
        if not waiting:
            return found
        names, item = waiting.pop()
        if isinstance(item, Tensor):
            found[".".join(names)] = item
            continue
        waiting += [((*names, name), part) for name, part in _parts(item)[::-1]]
        if len(names) > _MAX_DEPTH or len(waiting) > _MAX_VISITED:
            break
    raise ValueError("it is nested too deep, or has too many parts")


def _parts(item: Any) -> list[tuple[str, Any]]:
    if isinstance(item, dict):
        return [(str(k), v) for k, v in item.items() if isinstance(k, str | int)]
    if isinstance(item, list | tuple):
        return [(str(place), part) for place, part in enumerate(item)]
    return []
