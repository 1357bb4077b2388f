"""`kill -9` during cross-validations: the next run is as if nothing had happened.

``GLOMCLF_TEST_KILLS=20`` kills more often than the once of an ordinary test run.
"""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from glomclf import make_glomeruli
from glomclf.data.store import cache_info

ROOT = Path(__file__).parents[2]
N_KILLS = int(os.environ.get("GLOMCLF_TEST_KILLS", "1"))

pytestmark = pytest.mark.skipif(
    not hasattr(os, "killpg"), reason="process groups are killed as a whole"
)

# Of another stain the same patches have other features, so that the two
# cross-validations fill the store one after the other.
CROSS_VALIDATIONS = textwrap.dedent(
    """
    import sys
    from sklearn.model_selection import StratifiedGroupKFold, cross_validate
    from glomclf import make_classifier, read_manifest

    def scores_of(csv, cache_dir, n_jobs=None):
        manifest, scores = read_manifest(csv), []
        for stain_normalizer in ("fixed-reinhard", None):
            classifier = make_classifier(
                "features", network__backbone="cnn", network__weights=None,
                network__epochs=2, image_size=32, stain_normalizer=stain_normalizer,
                cache_dir=cache_dir, random_state=0,
            )
            # Each process would convert the network for OpenVINO.
            classifier.set_params(encoder__engine="keras")
            scores += cross_validate(
                classifier, manifest, manifest["label"],
                groups=manifest["participant"], cv=StratifiedGroupKFold(2),
                n_jobs=n_jobs, scoring="roc_auc", error_score="raise",
            )["test_score"].tolist()
        return scores

    if __name__ == "__main__":
        scores_of(*sys.argv[1:], n_jobs=2)
    """
)


def undisturbed(csv, cache_dir):
    """Return the scores of one fold after the other, without processes."""
    names = {"__name__": "cross_validations"}
    exec(CROSS_VALIDATIONS, names)
    return names["scores_of"](csv, cache_dir)


def start(csv, cache_dir):
    return subprocess.Popen(
        [sys.executable, "-c", CROSS_VALIDATIONS, str(csv), str(cache_dir)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own, workers included
    )


def kill_once(process, cache_dir, n_entries, delay):
    """End all of a run, some seconds after it has stored so much."""
    until = time.monotonic() + 600
    while cache_info(cache_dir).n_entries < n_entries:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.05)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
def test_cross_validations_killed_at_random_moments_complete_unchanged(tmp_path):
    make_glomeruli(
        64,
        n_participants=16,
        sclerotic_fraction=0.4,
        image_size=48,
        directory=tmp_path / "data",
        random_state=0,
    )
    csv, cache_dir = tmp_path / "data" / "public.csv", tmp_path / "cache"
    expected = undisturbed(csv, tmp_path / "undisturbed")
    n_entries = cache_info(tmp_path / "undisturbed").n_entries
    moments = random.Random(0)
    for kill in range(N_KILLS):
        # Spread over the whole, that both cross-validations are killed, and never
        # before the run has gone on with what the last one left.
        share = (kill + moments.random()) / N_KILLS
        more = min(cache_info(cache_dir).n_entries + 1, n_entries)
        process = start(csv, cache_dir)
        at_least = max(more, int(share * n_entries))
        kill_once(process, cache_dir, at_least, moments.random())
    assert undisturbed(csv, cache_dir) == pytest.approx(expected, abs=1e-3)
    assert cache_info(cache_dir).n_entries == n_entries
