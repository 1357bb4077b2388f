"""Files to features in one pass, beside decoding alone and the trunk alone."""

from __future__ import annotations

import numpy as np

from ..data.loader import ImageLoader
from ..network import PatchEncoder
from .figures import Figure, Setting, figure, in_turn

__all__ = ["measure_streaming"]

_N_IMAGES = 128


def measure_streaming(setting: Setting) -> list[Figure]:
    """Time both parts and the whole, nothing kept before."""
    files = setting.manifest["path"][:_N_IMAGES]
    eager = ImageLoader(setting.image_size, n_jobs=-1, cache_dir=False)
    lazy = ImageLoader(setting.image_size, n_jobs=-1, cache_dir=False, lazy=True)
    trunk = PatchEncoder(weights=setting.weights, cache_dir=False)
    images = eager.fit_transform(files)
    trunk.fit(images).transform(images[:8])
    times = in_turn(
        {
            "decoding alone": lambda: eager.transform(files),
            "trunk alone": lambda: trunk.transform(images),
            "files to features": lambda: trunk.transform(lazy.transform(files)),
        },
        setting.repeats,
    )
    slower = np.maximum(times["decoding alone"], times["trunk alone"])
    note = f"{len(files)} files of the patches, engine='auto', float32"
    rates = [
        figure("engines", name, len(files) / taken, "images/s", note)
        for name, taken in times.items()
    ]
    ratio = times["files to features"] / slower
    note = "time of the whole over that of its slower part"
    return [*rates, figure("engines", "files to features: time", ratio, "x", note)]
