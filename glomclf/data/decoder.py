"""Pillow as it was delivered, and heard: no switch of others, no complaint unheard.

Pillow's switches are those of the whole process. libtiff, which decodes compressed
TIFF files for it, writes to the terminal what it finds wrong, and sometimes goes on.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import PIL._imaging
from PIL import ImageFile, TiffImagePlugin

_SWITCHES = (
    (ImageFile, "LOAD_TRUNCATED_IMAGES", False),
    (TiffImagePlugin, "READ_LIBTIFF", False),
)
_lock = threading.Lock()
_found: list[tuple[Any, str, Any]] = []
_n_inside = 0


@contextmanager
def as_delivered() -> Iterator[None]:
    """Set Pillow's switches as they were delivered, while any thread is in here.

    Nothing is touched where nobody has set one.
    """
    global _n_inside
    with _lock:
        if _n_inside == 0:
            _found[:] = [
                (place, name, getattr(place, name)) for place, name, _ in _SWITCHES
            ]
            _set(_SWITCHES)
        _n_inside += 1
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            if _n_inside == 0:
                _set(_found)


def _set(values: Any) -> None:
    for place, name, value in values:
        if getattr(place, name) is not value:
            setattr(place, name, value)


_heard = threading.local()  # `said`: what libtiff says to a thread that listens
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)


@contextmanager
def complaints() -> Iterator[list[str]]:
    """Collect what libtiff calls an error in this thread, which it would print."""
    _listen()
    said: list[str] = []
    _heard.said = said
    try:
        yield said
    finally:
        _heard.said = None


@functools.cache
def _listen() -> Any:
    """Stand before libtiff's own handler of errors, which gets what others cause."""
    try:
        setter = ctypes.CDLL(PIL._imaging.__file__).TIFFSetErrorHandler
    except (AttributeError, OSError):  # built into Pillow: then it is printed
        return None
    setter.argtypes, setter.restype = [_HANDLER], ctypes.c_void_p

    def hear(module: bytes | None, form: bytes | None, values: int | None) -> None:
        said = getattr(_heard, "said", None)
        if said is not None:
            said.append((form or b"").decode("ascii", "backslashreplace"))
        elif earlier:
            _HANDLER(earlier)(module, form, values)

    handler, earlier = _HANDLER(hear), None
    earlier = setter(handler)
    return handler
