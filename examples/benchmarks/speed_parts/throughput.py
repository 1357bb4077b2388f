"""Files to features from an empty store: what limits it, decoding or the network.

On as many cores as each alone takes, two things at the same time take the time of both:
so the processor time of an image is told beside the clock's, and its sum is the limit.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from glomclf import make_glomeruli
from glomclf._runtime import n_threads
from glomclf.data.loader import ImageLoader
from glomclf.network import PatchEncoder

from .figures import Figure, Setting, figure

_SIDE = 600
_N_DRAWN = 12
_BACKBONE = "efficientnet-lite0"


def measure_throughput(setting: Setting) -> list[Figure]:
    """Time decoding, the network, and both with an empty store."""
    n = setting.memory_images[-1]
    files = _write_files(setting.folder / "large", n)
    size = setting.image_size
    decode = ImageLoader(size, n_jobs=-1, cache_dir=False)
    encode = PatchEncoder(_BACKBONE, cache_dir=False)
    images = decode.transform(files)
    encode.fit(images).transform(images[:8])

    def overlapped() -> None:
        with tempfile.TemporaryDirectory(dir=setting.folder) as store:
            loader = ImageLoader(size, n_jobs=-1, cache_dir=store, lazy=True)
            encoder = PatchEncoder(_BACKBONE, cache_dir=store)
            encoder.fit_transform(loader.transform(files))

    ways = {
        "decoding alone": lambda: decode.transform(files),
        "network alone": lambda: encode.transform(images),
        "both, into an empty store": overlapped,
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(setting.repeats):
        for name, way in ways.items():
            taken[name].append(_times(way))
    return _figures({name: np.array(times) for name, times in taken.items()}, n)


def _figures(taken: dict[str, Any], n: int) -> list[Figure]:
    note = f"{n} PNG files of {_SIDE} px, {_BACKBONE}"
    found = []
    for name, times in taken.items():
        clock, processor = times.T
        rate = n_threads() * n / processor
        about = f"at full use of {n_threads()} cores: images over processor time"
        found += [
            figure(f"{name}: rate", n / clock, "images/s", note),
            figure(f"{name}: processor time", 1e3 * processor / n, "ms an image", note),
            figure(f"{name}: rate of idle cores", rate, "images/s", about),
        ]
    decoding, network, both = (times[:, 1] for times in taken.values())
    slower = np.maximum(decoding, network)
    return [
        *found,
        figure("both over the sum of the parts", both / (decoding + network), "x"),
        figure(
            "both over the slower part on one core", both / n_threads() / slower, "x"
        ),
    ]


def _times(way: Callable[[], Any]) -> tuple[float, float]:
    clock, processor = time.perf_counter(), time.process_time()
    way()
    return time.perf_counter() - clock, time.process_time() - processor


def _write_files(folder: Path, n: int) -> list[Path]:
    """Write files that all differ: a few drawn patches, moved around their edges."""
    folder.mkdir()
    drawn, _, _ = make_glomeruli(
        _N_DRAWN, n_participants=4, image_size=_SIDE, random_state=0
    )
    rng = np.random.default_rng(0)
    files = []
    for number in range(n):
        shift = tuple(rng.integers(_SIDE, size=2).tolist())
        patch = np.roll(drawn[number % _N_DRAWN], shift, (0, 1))
        patch[0, 0] = number % 256, number // 256, 0
        files.append(folder / f"{number}.png")
        Image.fromarray(patch).save(files[-1], compress_level=1)
    return files
