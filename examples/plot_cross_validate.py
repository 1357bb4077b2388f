"""
Cross-validate by participant
=============================

scikit-learn's ``cross_validate`` compares three samplers. Each participant stays on one
side of every split. A small network with random weights keeps the example quick and
offline. It shows how to do it, not what scores are possible.
"""

# %%
# A csv and a folder
# ------------------
# Patches of different sizes, written like a real data set and read back.

import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, cross_validate

from glomclf import (
    GlomeruliClassifier,
    ImageLoader,
    PatchClassifier,
    make_glomeruli,
    read_manifest,
)
from glomclf.report.displays import ClassProportionsDisplay, SyntheticImagesDisplay
from glomclf.samplers import make_sampler
from glomclf.samplers.trace import trace_resampling

folder = tempfile.TemporaryDirectory()
make_glomeruli(
    160,
    n_participants=16,
    sclerotic_fraction=0.2,
    image_size=(60, 110),
    directory=f"{folder.name}/glomeruli",
    random_state=0,
)
manifest = read_manifest(f"{folder.name}/glomeruli/public.csv")
manifest[["label", "slide", "participant"]].head()

# %%
# The folds
# ---------
# The folds are stratified by class and grouped by participant.

cv = StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=0)
X, y, participants = manifest, manifest["label"], manifest["participant"]
for train, test in cv.split(X, y, participants):
    shared = set(participants.iloc[train]) & set(participants.iloc[test])
    print(
        f"{len(train)} to train, {len(test)} to judge, "
        f"{y.iloc[test].sum()} of them sclerotic, {len(shared)} participants in both"
    )

# %%
# What a sampler does
# -------------------
# The training rows of one fold, before and after each step of ``"smote+augment"``. New
# images are mixed from similar ones of the smaller class, or are other views of one.

images, labels = ImageLoader(64).transform(X)[train], y.iloc[train].to_numpy()
sampler = make_sampler("smote+augment", random_state=0)
sampler.fit_resample(images, labels)
trace = trace_resampling(sampler, images, labels, n_examples=9)

figure, ax = plt.subplots(figsize=(9, 4.4), layout="constrained")
SyntheticImagesDisplay(trace).plot(ax)

# %%

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ClassProportionsDisplay.from_trace(trace, ax=ax)

# %%
# Three samplers
# --------------
# Each sampler sees the training rows of a fold only.

SAMPLERS = (None, "smote+augment", "undersample+augment")
SCORES = ("recall", "precision", "f1", "roc_auc")

results = {}
for sampler in SAMPLERS:
    classifier = GlomeruliClassifier(
        sampler,
        network=PatchClassifier("cnn", weights=None, epochs=10),
        image_size=64,
        random_state=0,
    )
    results[str(sampler)] = cross_validate(
        classifier,
        X,
        y,
        groups=participants,
        cv=cv,
        scoring=SCORES,
        error_score="raise",
    )

means = {
    sampler: {score: folds[f"test_{score}"].mean() for score in SCORES}
    for sampler, folds in results.items()
}
pd.DataFrame(means).T.round(3)

# %%
# Each dot is a fold. Each bar is the mean of a sampler. With so few participants, folds
# differ a lot. Do not choose a sampler from a picture like this one.

figure, axes = plt.subplots(1, len(SCORES), figsize=(9, 3), sharey=True)
for ax, score in zip(axes, SCORES, strict=True):
    for place, (sampler, folds) in enumerate(results.items()):
        values = folds[f"test_{score}"]
        ax.bar(place, values.mean(), color=f"C{place}", alpha=0.35, label=sampler)
        jitter = place + np.linspace(-0.2, 0.2, len(values))
        ax.plot(jitter, values, "o", color=f"C{place}", markersize=4)
    ax.set(title=score, xticks=[], ylim=(0, 1.03))
axes[0].set_ylabel("score of a fold")
handles, labels = axes[0].get_legend_handles_labels()
figure.legend(handles, labels, title="sampler", ncols=3, loc="lower center")
figure.tight_layout(rect=(0, 0.17, 1, 1))

folder.cleanup()
