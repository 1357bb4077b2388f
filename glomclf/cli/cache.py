"""``glomclf cache``: what is kept on disk, and its removal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .console import print_table, say, text_of_bytes

if TYPE_CHECKING:
    from ..data.store import CacheInfo, NamespaceInfo


@click.command()
@click.option(
    "--cache-dir",
    type=options.PATH,
    show_default="the user's cache folder",
    metavar="DIR",
    help="Folder of the cache.",
)
@click.option("--clear", is_flag=True, help="Remove all that is kept.")
def command(cache_dir: Path | None, clear: bool) -> None:
    """Show or clear what is kept on disk.

    Decoded images and features are kept, so that each is computed once. Clearing costs
    time alone: what is needed is computed again.

    Example: glomclf cache --clear
    """
    from ..data.store import cache_info

    if clear:
        _clear(cache_dir)
    else:
        _show(cache_info(cache_dir))


def _clear(cache_dir: Path | None) -> None:
    from ..data.store import clear_cache, resolve_cache_dir
    from ..data.store.database import own_folders

    folder = resolve_cache_dir(cache_dir)
    before = own_folders(folder)
    say(f"{text_of_bytes(clear_cache(folder))} removed.")
    for own in before:
        told = "kept, with files of others in it" if own.exists() else "removed"
        say(f"  {own}: {told}")


def _show(info: CacheInfo) -> None:
    from datetime import datetime

    say(f"{info.cache_dir}: {text_of_bytes(info.n_bytes)} on disk")
    if not info.namespaces:
        return
    kept: dict[str, list[NamespaceInfo]] = {}
    for namespace in info.namespaces:  # the last used first
        kept.setdefault(_told(namespace.fingerprint), []).append(namespace)
    rows = [
        (
            what,
            max(one.n_entries for one in of_it),  # beside values are their keys
            text_of_bytes(sum(one.n_bytes for one in of_it)),
            f"{datetime.fromtimestamp(of_it[0].last_used):%Y-%m-%d %H:%M}",
        )
        for what, of_it in kept.items()
    ]
    print_table("Kept", ["what", "entries", "size", "last used"], rows)


# What a fingerprint begins with, and what that is to a reader.
_KINDS = (
    (r"(?:keys of )?decoded images (\d+) (\w+)", r"images, \1 px, \2"),
    (
        r"(?:keys of )?images of one stain \['(\w+)'.*\((\d+),",
        r"images, \2 px, one stain (\1)",
    ),
    (r"fingerprints ", "fingerprints of networks"),
    (r"(\S+) ([0-9a-f]{8})[0-9a-f]{56}\b", r"features of \1, weights \2"),
)


def _told(fingerprint: str) -> str:
    """Say in words what was kept; of what is unknown its own words."""
    for pattern, told in _KINDS:
        if found := re.match(pattern, fingerprint):
            return found.expand(told)
    return fingerprint
