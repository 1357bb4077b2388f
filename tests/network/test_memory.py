"""Memory stays level: with the number of images, and with the number of fits."""

import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="memory is read as Linux reports it"
)

N_FEW, N_MANY = 200, 900


@pytest.fixture(scope="module")
def grown(run_python, tmp_path_factory):
    """Kilobytes an image, and a fit with a head and with a layer, of one process."""
    tmp_path = tmp_path_factory.mktemp("memory")
    code = f"""
    import resource
    from pathlib import Path
    import numpy as np
    from PIL import Image
    from glomclf import GlomeruliClassifier, ImageLoader, PatchClassifier, PatchEncoder
    from glomclf import make_glomeruli

    rng = np.random.default_rng(0)
    files = [r"{tmp_path}/" + f"{{n}}.bmp" for n in range({N_MANY})]
    for file in files:
        Image.fromarray(rng.integers(0, 256, (128, 128, 3), np.uint8)).save(file)

    def peak_after(n_images):
        loader = ImageLoader(128, lazy=True, cache_dir=r"{tmp_path / "cache"}")
        trunk = PatchEncoder("cnn", weights=None, cache_dir=loader.cache_dir)
        trunk.fit_transform(loader.transform(files[:n_images]))
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    # The most that there ever was: so this comes first.
    few = peak_after({N_FEW})
    print((peak_after({N_MANY}) - few) / ({N_MANY - N_FEW}))

    X, y, groups = make_glomeruli(
        40, n_participants=8, sclerotic_fraction=0.4, image_size=32, random_state=0
    )

    def resident():
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e3

    def fit(trainable_layers):
        network = PatchClassifier(
            "cnn", weights=None, trainable_layers=trainable_layers, epochs=2
        )
        GlomeruliClassifier(
            network=network, image_size=32, cache_dir=r"{tmp_path / "fits"}",
            random_state=0,
        ).fit(X, y, groups=groups).predict(X)

    for trainable_layers in (0, 1):
        for _ in range(2):
            fit(trainable_layers)
        before = resident()
        for _ in range(3):
            fit(trainable_layers)
        print((resident() - before) / 3)
    """
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    return [float(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_images(grown):
    """A 128 px image has 49 kB, its features have half of one."""
    assert grown[0] < 30


@pytest.mark.slow
def test_repeated_fits_do_not_grow_memory(grown):
    assert len(grown) == 3
    assert max(grown[1:]) < 20_000
