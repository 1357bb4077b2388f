"""What all tests share: a feature cache of their own, and a few tiny patches."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import hypothesis
import joblib
import pytest

from glomclf import PatchClassifier, make_glomeruli
from glomclf.report import Picture

ROOT = Path(__file__).parents[1]
for scripts in ("benchmarks", "fuzz"):  # no packages
    sys.path.append(str(ROOT / "examples" / scripts))
CACHE = pytest.StashKey[str]()
# Jobs in a script's background ignore these, and what they start inherits that.
for name, handler in (
    ("SIGINT", signal.default_int_handler),
    ("SIGHUP", signal.SIG_DFL),
):
    number = getattr(signal, name, None)
    if number is not None and signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile(
    "glomclf",
    deadline=None,
    max_examples=50,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "thorough", hypothesis.settings.get_profile("glomclf"), max_examples=10_000
)
hypothesis.settings.load_profile("glomclf")


def pytest_configure(config):
    # Set here rather than in a fixture, so that doctests stay out of the user's cache
    # as well; child processes inherit it.
    config.stash[CACHE] = tempfile.mkdtemp(prefix="glomclf-tests-")
    os.environ["GLOMCLF_CACHE_DIR"] = config.stash[CACHE]
    os.environ.pop("GLOMCLF_CACHE_MAX_BYTES", None)
    # Workers share the cores as those of joblib do; two that take all of them both are
    # slower for it.
    if n_workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
        share = max(1, joblib.cpu_count() // n_workers)
        os.environ.setdefault("OMP_NUM_THREADS", str(share))


def pytest_collection_modifyitems(items):
    # Files are dealt in this order: one with slow tests must not be the last.
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_unconfigure(config):
    shutil.rmtree(config.stash[CACHE], ignore_errors=True)


@pytest.fixture(scope="session")
def patches():
    """24 synthetic patches of 32 pixels a side, half of them sclerotic."""
    X, y, _ = make_glomeruli(
        24, n_participants=6, sclerotic_fraction=0.5, image_size=32, random_state=0
    )
    return X, y


@pytest.fixture
def undrawn(monkeypatch):
    """Leave the files of pictures empty: they take long, and few tests look at them."""
    monkeypatch.setattr(Picture, "svg", "<svg/>")
    monkeypatch.setattr(Picture, "png", b"")


@pytest.fixture
def equal_pixels_alone(monkeypatch):
    """Find copies, no near-duplicates: laying images over each other takes long."""
    monkeypatch.setattr("glomclf.leakage.duplicates._near_pairs", lambda *_: ())


@pytest.fixture(scope="module")
def tiny_net(patches):
    """Return one fit for all tests of a file that only read: a fit costs seconds."""
    net = PatchClassifier(
        "cnn", weights=None, dense_units=8, epochs=2, batch_size=8, random_state=0
    )
    return net.fit(*patches)


@pytest.fixture(scope="session")
def postgresql_server():
    """Run a real server of these tests' own until they end."""
    from postgresql import private_server

    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(private_server())
        except FileNotFoundError as error:
            pytest.skip(str(error))
        yield server


@pytest.fixture
def postgresql_url(postgresql_server):
    """Return the URL, with its password, of an empty database."""
    return postgresql_server.create_database()


@pytest.fixture(scope="session")
def run_python():
    """Run code in a fresh interpreter, with TensorFlow's log level as users have it."""

    def run(code, **environment):
        inherited = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            cwd=ROOT,
            env={**inherited, **environment},
            capture_output=True,
            text=True,
            timeout=600,
        )

    return run
