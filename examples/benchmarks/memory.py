"""Peak memory of load, trunk and a feature-space sampler on synthetic patches.

::

    python examples/benchmarks/memory.py --n-samples 5758 --directory patches
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from pathlib import Path


def draw(options: argparse.Namespace) -> None:
    """Write the patches, once."""
    from glomclf import make_glomeruli

    make_glomeruli(
        options.n_samples,
        n_participants=max(2, options.n_samples // 50),
        sclerotic_fraction=0.18,
        image_size=options.image_size,
        directory=options.directory,
        random_state=0,
    )


def measure(options: argparse.Namespace) -> None:
    """Run the steps and print what they took."""
    from imblearn.over_sampling import SMOTE

    from glomclf import ImageLoader, ImageSampler, PatchEncoder, read_manifest

    manifest = read_manifest(options.directory / "public.csv")
    start = time.perf_counter()
    images = ImageLoader(options.image_size, n_jobs=-1).fit_transform(manifest)
    trunk = PatchEncoder(weights=None, cache_dir=options.cache_dir, verbose=1)
    features = trunk.fit_transform(images)
    sampler = ImageSampler(SMOTE(), random_state=0)
    resampled, _ = sampler.fit_resample(features, manifest["label"])
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if sys.platform == "darwin":
        peak /= 2**10  # bytes there
    print(
        f"{len(images)} images of {images.nbytes / 2**30:.2f} GiB -> features "
        f"{features.shape} -> {len(resampled)} rows: {seconds:.0f} s, "
        f"peak resident memory {peak:.2f} GiB"
    )


def main() -> None:
    """Draw in one process, measure in another: each peak is its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-samples", type=int, default=5758)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--cache-dir", default=None)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    steps = [measure] if options.directory.exists() else [draw, measure]
    for step in steps:
        process = context.Process(target=step, args=(options,))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
