"""
Three approaches
================

One pipeline was published in three versions, which balance the classes and split off a
test set in different ways. Each version reports scores on its own test set. Here all
are also judged on participants that none of them has touched.

1. Balance all patches by SMOTE and augmentation, then split. This is the mistake.
2. Split, then balance the rest by SMOTE and augmentation.
3. Split, then balance the rest: drop patches of the larger class, augment the smaller
   one.

These split by patch. Approaches 2 and 3 also run split by participant.
"""

# %%
# The patches
# -----------
# There are two serial sections of each glomerulus, as in many archives of biopsies.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import ConfusionMatrixDisplay

from glomclf import PatchEncoder, evaluate, make_classifier, make_glomeruli
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
# approaches run on the others, with the same quick classifier: a logistic regression on
# the output of a small network.

comparison = compare_approaches(
    X,
    y,
    participants,
    estimator=make_classifier(
        "linear",
        encoder=PatchEncoder("cnn", weights=None),
        network__C=1.0,
        predict_views=1,
        image_size=64,
    ),
    n_folds=3,
    random_state=0,
)

# %%
# What each reports, and what it gets
# -----------------------------------
# Two dots that are far apart mean a score that new participants will not confirm.

display = ApproachesDisplay.from_comparison(comparison)

# %%
# The same in numbers, for the three approaches as published:

scores = ["accuracy", "precision", "recall", "f1"]
published = {name: comparison.evaluations[name] for name in "123"}
pd.DataFrame(
    {
        (f"approach {name}", part): [evaluation.scores[score] for score in scores]
        for name, parts in published.items()
        for part, evaluation in parts.items()
    },
    index=scores,
).T.round(2)

# %%
# Above, the test sets that the approaches made. That of approach 1 is half sclerotic.
# Below, untouched participants. Class 1 is globally sclerotic.

figure, axes = plt.subplots(2, 3, figsize=(8, 5.2), layout="constrained")
for column, (name, parts) in zip(axes.T, published.items(), strict=True):
    for ax, (part, evaluation) in zip(column, parts.items(), strict=True):
        matrix = ConfusionMatrixDisplay(evaluation.confusion_matrix)
        matrix.plot(ax=ax, colorbar=False, cmap="Blues")
        ax.set_title(f"approach {name}, {part}", fontsize="medium")
        ax.label_outer()

# %%
# Where the inflation comes from
# ------------------------------
# The inflation is the difference of the reported score and the untouched one. Its
# interval is paired: each replicate of the bootstrap draws the same participants for
# both.

table = comparison.to_frame().xs("f1", level="score")
table[["inflation", "inflation_low", "inflation_high"]].round(2)

# %%
# What is in the test sets? ``synthetic`` counts patches that the sampler made.
# ``source_trained_on`` counts those whose image was trained on, or another one made
# from it. ``participant_trained_on`` counts those whose participant was trained on.

counts = comparison.counts()
counts[["synthetic", "source_trained_on", "participant_trained_on"]]

# %%
# The test set of approach 1 is easier in two ways. Half of it is sclerotic, which
# raises precision. And it is full of relatives of training images. Its real patches
# alone:

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
# Split by participant, and let the classifier resample what ``fit`` is given. The
# example "From patches to a model" does. ``glomclf compare`` makes this comparison on
# patches of your own.
