"""What can be measured in a fresh process alone: memory and start-up."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
from PIL import Image

from glomclf.data.images import read_image

from .figures import Figure, Setting, figure, in_turn

_MEMORY_PROGRAM = """
import json, resource, sys, time
begin = time.perf_counter()
from glomclf import ImageLoader, PatchEncoder
folder, cache, size, backbone, weights, n = json.loads(sys.argv[1])
files = [f"{folder}/{i}.bmp" for i in range(n)]
loader = ImageLoader(size, n_jobs=-1, cache_dir=cache, lazy=True)
trunk = PatchEncoder(backbone, weights=weights, cache_dir=cache)
features = trunk.fit_transform(loader.fit_transform(files))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
bytes_of_peak = peak if sys.platform == "darwin" else 1024 * peak
print(json.dumps([bytes_of_peak, time.perf_counter() - begin]))
"""


def measure_memory(setting: Setting) -> list[Figure]:
    """Measure files to features: memory by number of images, time once known."""
    folder = setting.folder / "many"
    folder.mkdir(exist_ok=True)
    _write_images(setting, folder, max(setting.memory_images))
    figures, peaks = [], {}
    for n in setting.memory_images:
        runs = [_two_runs(setting, folder, n, k) for k in range(setting.repeats)]
        peaks[n], known = np.array(runs).T
        about = "files to features, imports and all"
        figures += [
            figure(f"{n} images", peaks[n] / 1e6, "MB", "files to features"),
            figure(f"{n} images, second run", known, "s", about),
        ]
    few, many = min(peaks), max(peaks)
    growth = (peaks[many] - peaks[few]) / (many - few) / 1e3
    note = f"from {few} to {many} images; an image has "
    note += f"{3 * setting.image_size**2 / 1e3:.0f} kB, its features 8 kB"
    return [*figures, figure("growth", growth, "kB an image", note)]


def _write_images(setting: Setting, folder: os.PathLike[str], n_images: int) -> None:
    """Write files that all differ, quickly: a few patches with a number in them."""
    paths = setting.manifest["path"][:8]
    patches = [read_image(path, setting.image_size) for path in paths]
    for number in range(n_images):
        image = patches[number % len(patches)].copy()
        image[0, :8, 0] = [(number >> bit) & 1 for bit in range(0, 16, 2)]
        image[0, 8:10, 0] = divmod(number, 256)[1], number // 256 % 256
        Image.fromarray(image).save(os.path.join(folder, f"{number}.bmp"))


def _two_runs(
    setting: Setting, folder: os.PathLike[str], n_images: int, repeat: int
) -> tuple[float, float]:
    """Return the peak of a run with an empty cache, the seconds of the next process."""
    cache = str(setting.folder / f"memory-{n_images}-{repeat}")
    arguments = [
        os.fspath(folder),
        cache,
        setting.image_size,
        setting.backbone,
        setting.weights,
        n_images,
    ]
    first, second = (
        json.loads(_python("-c", _MEMORY_PROGRAM, json.dumps(arguments)))
        for _ in range(2)
    )
    return first[0], second[1]


def measure_startup(setting: Setting) -> list[Figure]:
    """Time Python, the import of glomclf and its help, in fresh processes."""
    calls = {
        "Python alone": ("-c", "pass"),
        "import glomclf": ("-c", "import glomclf"),
        "glomclf --help": ("-m", "glomclf", "--help"),
    }
    times = in_turn(
        {
            name: lambda arguments=arguments: _python(*arguments)  # type: ignore[misc]
            for name, arguments in calls.items()
        },
        max(5, setting.repeats),
    )
    figures = [figure(name, taken, "s") for name, taken in times.items()]
    beyond = times["import glomclf"] - times["Python alone"]
    return [*figures, figure("import glomclf beyond Python", beyond, "s")]


def _python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"a measured process failed:\n{done.stderr[-2000:]}")
    return done.stdout
