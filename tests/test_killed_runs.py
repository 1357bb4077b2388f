"""`kill -9` during cross-validations: the next run is as if nothing had happened.

``GLOMCLF_TEST_KILLS=20`` kills more often than the twice of an ordinary test run.
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

ROOT = Path(__file__).parents[1]
N_KILLS = int(os.environ.get("GLOMCLF_TEST_KILLS", "2"))

pytestmark = pytest.mark.skipif(
    not hasattr(os, "killpg"), reason="process groups are killed as a whole"
)

CROSS_VALIDATION = textwrap.dedent(
    """
    import sys
    import pandas as pd
    from sklearn.model_selection import StratifiedGroupKFold, cross_validate
    from glomclf import GlomeruliClassifier, read_manifest

    manifest = read_manifest(sys.argv[1])
    for trainable_layers in (0, 1):
        classifier = GlomeruliClassifier(
            "smote+augment", backbone="cnn", weights=None, image_size=32, epochs=2,
            trainable_layers=trainable_layers, validation_fraction=None, patience=None,
            cache_dir=sys.argv[2], random_state=0,
        )
        result = cross_validate(
            classifier, manifest, manifest["label"], groups=manifest["participant"],
            cv=StratifiedGroupKFold(2), n_jobs=2, scoring="roc_auc",
            error_score="raise",
        )
        print(*map(repr, result["test_score"].tolist()))
    """
)


def start(csv, cache_dir):
    return subprocess.Popen(
        [sys.executable, "-c", CROSS_VALIDATION, str(csv), str(cache_dir)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own, workers included
    )


def scores_of(process):
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return [float(score) for score in output.split()]


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
    csv = tmp_path / "data" / "public.csv"
    begin = time.monotonic()
    expected = scores_of(start(csv, tmp_path / "undisturbed"))
    duration = time.monotonic() - begin
    moments = random.Random(0)
    for kill in range(N_KILLS):
        process = start(csv, tmp_path / "cache")
        # Spread over the whole, that both cross-validations are killed.
        time.sleep((0.2 + 0.8 * (kill + moments.random()) / N_KILLS) * duration)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    disturbed = scores_of(start(csv, tmp_path / "cache"))
    assert disturbed == pytest.approx(expected, abs=1e-3)
