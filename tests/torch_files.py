"""Files as torch.save writes them, written without torch."""

import pickle
import zipfile
from collections import OrderedDict
from typing import NamedTuple

import numpy as np

_STORAGES = {"f4": "Float", "f8": "Double", "f2": "Half", "i8": "Long", "u1": "Byte"}
_LEGACY_HEAD = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})


class View(NamedTuple):
    """A tensor whose description may lie about its storage."""

    numbers: np.ndarray
    offset: int
    shape: tuple
    strides: tuple
    n_numbers: int | None = None  # of the storage; None: the truth


class Call(NamedTuple):
    """A call that a pickle asks for."""

    module: str
    name: str
    arguments: tuple


def save_torch(value, path, *, legacy=False, compression=zipfile.ZIP_STORED, more=b""):
    """Write nested dicts of arrays as torch.save does, and more opcodes of a pickle."""
    storages = {}
    pickled = b"\x80\x02" + _described(value, storages) + more + b"."
    if legacy:
        parts = [*(pickle.dumps(part, 2) for part in _LEGACY_HEAD), pickled]
        parts.append(pickle.dumps(list(storages), 2))
        for numbers in storages.values():
            parts += [len(numbers).to_bytes(8, "little"), numbers.tobytes()]
        path.write_bytes(b"".join(parts))
        return path
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", "little")
        for key, numbers in storages.items():
            archive.writestr(f"archive/data/{key}", numbers.tobytes())
    return path


def _described(value, storages):
    """Return the opcodes that put the value on the stack."""
    if isinstance(value, np.ndarray):
        steps = np.array(value.strides, int) // value.itemsize
        value = View(value.ravel(order="K"), 0, value.shape, tuple(steps.tolist()))
    if isinstance(value, View):
        return _tensor(value, storages)
    if isinstance(value, Call):
        arguments = _described(value.arguments, storages)
        return f"c{value.module}\n{value.name}\n".encode() + arguments + b"R"
    if isinstance(value, dict):
        items = (_described(part, storages) for pair in value.items() for part in pair)
        return b"}(" + b"".join(items) + b"u"
    if isinstance(value, tuple):
        return b"(" + b"".join(_described(part, storages) for part in value) + b"t"
    return pickle.dumps(value, 2)[2:-1]


def _tensor(view, storages):
    key = str(len(storages))
    storages[key] = view.numbers
    n_numbers = len(view.numbers) if view.n_numbers is None else view.n_numbers
    kind = f"ctorch\n{_STORAGES[view.numbers.dtype.str[1:]]}Storage\n".encode()
    rest = [_described(part, {}) for part in (key, "cpu", n_numbers)]
    named = b"(" + _described("storage", {}) + kind + b"".join(rest) + b"tQ"
    where = [_described(part, {}) for part in (view.offset, view.shape, view.strides)]
    hooks = pickle.dumps(OrderedDict(), 2)[2:-1]
    call = b"ctorch._utils\n_rebuild_tensor_v2\n("
    return call + named + b"".join(where) + b"\x89" + hooks + b"tR"
