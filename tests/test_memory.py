"""Memory stays level: with the number of images, and with the number of fits."""

import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="memory is read as Linux reports it"
)

N_FEW, N_MANY = 300, 1500


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_images(run_python, tmp_path):
    """A 128 px image has 49 kB, its features have half of one."""
    code = f"""
    import resource
    import numpy as np
    from PIL import Image
    from glomclf import ImageLoader, ResNet50Trunk

    rng = np.random.default_rng(0)
    files = [r"{tmp_path}/" + f"{{n}}.bmp" for n in range({N_MANY})]
    for file in files:
        Image.fromarray(rng.integers(0, 256, (128, 128, 3), np.uint8)).save(file)

    def peak_after(n_images):
        loader = ImageLoader(128, lazy=True, cache_dir=r"{tmp_path / "cache"}")
        trunk = ResNet50Trunk("cnn", weights=None, cache_dir=loader.cache_dir)
        trunk.fit_transform(loader.transform(files[:n_images]))
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    few = peak_after({N_FEW})
    print((peak_after({N_MANY}) - few) / ({N_MANY - N_FEW}))
    """
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 30, "kB an image"


@pytest.mark.slow
def test_repeated_fits_do_not_grow_memory(run_python, tmp_path):
    code = f"""
    import resource
    from pathlib import Path
    from glomclf import GlomeruliClassifier, make_glomeruli

    X, y, groups = make_glomeruli(
        40, n_participants=8, sclerotic_fraction=0.4, image_size=32, random_state=0
    )

    def resident():
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6

    def fit(trainable_layers):
        GlomeruliClassifier(
            backbone="cnn", weights=None, image_size=32, epochs=2,
            trainable_layers=trainable_layers, cache_dir=r"{tmp_path}",
            random_state=0,
        ).fit(X, y, groups=groups).predict(X)

    for trainable_layers in (0, 1):
        for _ in range(3):
            fit(trainable_layers)
        before = resident()
        for _ in range(6):
            fit(trainable_layers)
        print((resident() - before) / 6)
    """
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    grown = [float(line) for line in done.stdout.splitlines()]
    assert len(grown) == 2
    assert max(grown) < 20, "MB a fit"
