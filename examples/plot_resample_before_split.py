"""
The pitfall: resampling before the split
========================================

Three ways to balance and split, as published, and two of them by participant. Each
reports a score on a test set of its own, and is then judged on participants that none
of them touched. The network is the same throughout; only who may see what differs.
"""

# %%
# The patches
# -----------
# Two serial sections of each glomerulus, as in many archives of biopsies.

import numpy as np
import pandas as pd

from glomclf import GlomeruliClassifier, evaluate, make_glomeruli
from glomclf.model.approaches import compare_approaches
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
# The participants are dealt into folds. Each fold is untouched once: the approaches
# run on the others, the same others for all. Approach 1 balances first and splits then;
# that can be done nowhere else in glomclf.

comparison = compare_approaches(
    X,
    y,
    participants,
    estimator=GlomeruliClassifier(
        backbone="cnn",
        weights=None,
        image_size=64,
        learning_rate=3e-4,
        epochs=30,
        patience=5,
    ),
    n_folds=3,
    random_state=0,
)

# %%
# What is in the test sets
# ------------------------
# ``synthetic`` patches were made by the sampler. ``kin_trained_on`` counts those whose
# image, or another made from the same image, was trained on;
# ``participant_trained_on`` those whose participant was.

comparison.counts()

# %%
# What is reported, and what is got
# ---------------------------------

display = ApproachesDisplay.from_comparison(comparison)

# %%
# The inflation of F1, with its interval: in every replicate of the bootstrap the same
# resampled participants make up both sides.

table = comparison.to_frame().xs("f1", level="score")
table[["reported", "untouched", "inflation", "inflation_low", "inflation_high"]].round(
    2
)

# %%
# Where the inflation comes from
# ------------------------------
# The test set of approach 1 is easier in two ways: it is half sclerotic, which lifts
# precision, and it is full of relatives of training images. Without its synthetic
# patches it is about as balanced as the untouched participants are.

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
# Right
# -----
# Split by participant, and let the classifier balance what it is given: see
# :doc:`plot_cross_validate`.
