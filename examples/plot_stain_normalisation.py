"""
One stain for all slides
========================

Laboratories stain and scan differently. :class:`~glomclf.StainNormalizer` learns the
stain of the training images and brings other images to it.
"""

# %%
# Patches of different stains
# ---------------------------
# Each participant's slide has its own stain. Four participants are set aside and stand
# for another laboratory.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from glomclf import PatchEncoder, StainNormalizer, make_glomeruli
from glomclf.data.splitting import RepeatedStratifiedGroupKFold
from glomclf.data.stain import NORMALIZER_METHODS
from glomclf.model.folds import predict_folds

X, y, participants = make_glomeruli(
    72, n_participants=12, sclerotic_fraction=0.4, image_size=96, random_state=4
)
others = np.isin(participants, np.unique(participants)[:4])

# %%
# Fit on some, change others
# --------------------------
# The normalisers are fitted on the training participants. Each column shows a patch of
# a participant that they have not seen. Tissue changes, glass does not.

shown = [np.flatnonzero(participants == one)[0] for one in np.unique(participants)[:4]]
shown += [np.flatnonzero(participants == one)[1] for one in np.unique(participants)[:4]]
rows = {"as it is": X[shown]}
for method in NORMALIZER_METHODS:
    rows[method] = StainNormalizer(method).fit(X[~others]).transform(X[shown])

figure, axes = plt.subplots(len(rows), len(shown), figsize=(9.6, 4.9))
for line, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(line, images, strict=True):
        ax.imshow(image)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name)
figure.tight_layout(pad=0.3)

# %%
# How different the slides are
# ----------------------------
# The standard deviation, over participants, of the mean colour of their patches.

table = {}
for method in (None, *NORMALIZER_METHODS):
    images = X
    if method is not None:
        images = StainNormalizer(method).fit(X[~others]).transform(X)
    colours = pd.DataFrame(images.mean(axis=(1, 2)), columns=["red", "green", "blue"])
    table[method or "as it is"] = colours.groupby(participants).mean().std()
pd.DataFrame(table).round(1)

# %%
# In a pipeline
# -------------
# In a pipeline it is fitted in each fold, on the training rows only. For images in
# files, put ``ImageLoader(lazy=True)`` before it. Measure on your own data whether it
# helps: how dark the stain is also tells the classes apart.

pipeline = make_pipeline(
    StainNormalizer("macenko"),
    PatchEncoder("cnn", weights=None),
    LogisticRegression(class_weight="balanced", max_iter=1000),
)
cv = RepeatedStratifiedGroupKFold(3, 1, random_state=0)
predictions = predict_folds(pipeline, X, y, cv=list(cv.split(X, y, participants)))
predictions.groupby("fold")["probability"].describe().round(2)
