"""
The pitfall: resampling before the split
========================================

Three published ways to balance and split, and two of them by participant. Each reports
a score on its own test set. Then each is judged on participants that none of them has
touched. All use the same network.
"""

# %%
# The patches
# -----------
# There are two serial sections of each glomerulus, as in many archives of biopsies.

import numpy as np
import pandas as pd

from glomclf import evaluate, make_classifier, make_glomeruli
from glomclf.model import compare_approaches
from glomclf.report.displays import ApproachesDisplay

X, y, participants = make_glomeruli(
    320,
    n_participants=40,
    sclerotic_fraction=0.2,
    image_size=64,
    serial_sections=True,
    random_state=0,
)
np.bincount(y), len(np.unique(participants))

# %%
# All approaches at once
# ----------------------
# The participants are divided into folds. Each fold is left untouched once, while all
# approaches run on the others. Approach 1 balances first and splits afterwards. It
# exists for this comparison only.

comparison = compare_approaches(
    X,
    y,
    participants,
    estimator=make_classifier(
        "features",
        network__backbone="cnn",
        network__weights=None,
        image_size=64,
    ),
    n_folds=3,
    random_state=0,
)

# %%
# What is in the test sets
# ------------------------
# ``synthetic`` counts patches that the sampler made. ``source_trained_on`` counts those
# whose image was trained on, or another one made from it. ``participant_trained_on``
# counts those whose participant was trained on.

comparison.counts()

# %%
# The reported score, and the real one
# ------------------------------------

display = ApproachesDisplay.from_comparison(comparison)

# %%
# The inflation is the difference of the two. Its interval is paired: each replicate of
# the bootstrap draws the same participants for both scores.

table = comparison.to_frame().xs("f1", level="score")
table[["reported", "untouched", "inflation", "inflation_low", "inflation_high"]].round(
    2
)

# %%
# Where the inflation comes from
# ------------------------------
# The test set of approach 1 is easier in two ways. Half of it is sclerotic, which
# raises precision. And it is full of relatives of training images. Without its
# synthetic patches, it is about as balanced as the untouched participants.

reported = comparison.predictions.query("approach == '1' and part == 'reported'")
real = reported[~reported["synthetic"]]
on_real = evaluate(real["label"], real["probability"], groups=real["participant"])
pd.DataFrame(
    {
        "all patches": comparison.evaluations["1"]["reported"].scores,
        "real patches": on_real.scores,
        "untouched participants": comparison.evaluations["1"]["untouched"].scores,
    }
).loc[["f1", "recall", "precision", "roc_auc"]].round(2)

# %%
# How to do it right
# ------------------
# Split by participant, and let the classifier resample what ``fit`` is given:
# :doc:`plot_cross_validate`.
