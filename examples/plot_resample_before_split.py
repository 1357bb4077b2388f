"""
The pitfall: resampling before the split
========================================

One classifier and one set of patches, judged in three ways. The network is the same
throughout; only who may see what differs.
"""

# %%
# The patches
# -----------
# Two serial sections of each glomerulus, as in many archives of biopsies.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_validate,
)

from glomclf import GlomeruliClassifier, make_glomeruli
from glomclf.samplers import make_sampler

X, y, participants = make_glomeruli(
    160,
    n_participants=12,
    sclerotic_fraction=0.2,
    image_size=64,
    serial_sections=True,
    random_state=1,
)
np.bincount(y)

# %%
# Wrong: balance, then split
# --------------------------
# The sampler makes minority images out of minority images. After a random split,
# relatives of most test images are in the training set.

settings = {
    "backbone": "cnn",
    "weights": None,
    "image_size": 64,
    "epochs": 15,
    "patience": 4,
    "random_state": 0,
}
SCORES = ("recall", "precision", "f1", "average_precision")
by_image = StratifiedKFold(3, shuffle=True, random_state=0)

balanced_X, balanced_y = make_sampler("smote+augment", random_state=0).fit_resample(
    X, y
)
before = cross_validate(
    GlomeruliClassifier(None, **settings),
    balanced_X,
    balanced_y,
    cv=by_image,
    scoring=SCORES,
    error_score="raise",
)

# %%
# Better: split by image, balance inside
# --------------------------------------
# The sampler is part of the classifier, so that it sees training rows only. But the
# patients, and the other sections of the same glomeruli, are known to the network.

classifier = GlomeruliClassifier("smote+augment", **settings)
inside = cross_validate(
    classifier, X, y, cv=by_image, scoring=SCORES, error_score="raise"
)

# %%
# Right: split by participant, balance inside
# -------------------------------------------
# ``groups`` keeps participants whole between folds; ``params`` hands them on to
# ``fit``, whose own validation split keeps them whole as well.

by_participant = StratifiedGroupKFold(3, shuffle=True, random_state=0)
honest = cross_validate(
    classifier,
    X,
    y,
    groups=participants,
    params={"groups": participants},
    cv=by_participant,
    scoring=SCORES,
    error_score="raise",
)

# %%
# What is reported
# ----------------

results = {
    "balanced, then split": before,
    "split by image": inside,
    "split by participant": honest,
}
means = {
    way: {score: folds[f"test_{score}"].mean() for score in SCORES}
    for way, folds in results.items()
}
pd.DataFrame(means).T.round(3)

# %%
# The first row is no better model. It is judged on a test set that is half sclerotic,
# and full of relatives of its training images.

figure, axes = plt.subplots(1, len(SCORES), figsize=(9, 3), sharey=True)
for ax, score in zip(axes, SCORES, strict=True):
    for place, (way, folds) in enumerate(results.items()):
        values = folds[f"test_{score}"]
        ax.bar(place, values.mean(), color=f"C{place}", alpha=0.35, label=way)
        jitter = place + np.linspace(-0.2, 0.2, len(values))
        ax.plot(jitter, values, "o", color=f"C{place}", markersize=4)
    ax.set(title=score.replace("_", " "), xticks=[], ylim=(0, 1.03))
axes[0].set_ylabel("score of a fold")
handles, labels = axes[0].get_legend_handles_labels()
figure.legend(handles, labels, ncols=3, loc="lower center")
figure.tight_layout(rect=(0, 0.1, 1, 1))
