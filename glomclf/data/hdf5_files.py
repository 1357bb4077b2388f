"""HDF5 files of others: whether they hold their own data, and nothing else's."""

from __future__ import annotations

import os
from typing import Any


def hdf5_fault(path: str | os.PathLike[str]) -> str | None:
    """Say why an HDF5 file must not be read, before anything in it is.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    str or None
        What is wrong, to stand behind the file's name: it is no HDF5 file, or it
        reaches into other files. None: its data are its own.
    """
    import h5py

    if not h5py.is_hdf5(path):
        return "is not an HDF5 file"
    links: dict[str, Any] = {}
    items: dict[str, Any] = {}
    with h5py.File(path, "r") as file:
        file.visititems_links(links.__setitem__)
        file.visititems(items.__setitem__)
        kinds = h5py.ExternalLink, h5py.SoftLink
        foreign = [name for name, link in links.items() if isinstance(link, kinds)]
        sets = {name: x for name, x in items.items() if isinstance(x, h5py.Dataset)}
        foreign += [name for name, x in sets.items() if x.external or x.is_virtual]
    return f"links to data outside itself at {', '.join(foreign)}" if foreign else None
