"""
What the model looked at
========================

Which places of a patch spoke for globally sclerotic, and which against? A map shows it.
It says where the model looked, not why, and is no proof that a prediction is right.
"""

# %%
# A model
# -------
# A logistic regression on a network with ImageNet weights.

import matplotlib.pyplot as plt
import numpy as np

from glomclf import explain, make_classifier, make_glomeruli
from glomclf.report.overlays import overlay

X, y, participants = make_glomeruli(
    140, n_participants=20, sclerotic_fraction=0.4, image_size=128, random_state=0
)
is_new = np.isin(participants, np.unique(participants)[:6])
classifier = make_classifier("linear", image_size=128, random_state=0)
classifier.fit(X[~is_new], y[~is_new], groups=participants[~is_new])

# %%
# Explain new patches
# -------------------
# The classifier is applied to each place of the network's last feature maps. The mean
# of a map is the log odds of its patch.

shown = np.flatnonzero(is_new)
shown = np.concatenate([shown[y[shown] == 1][:4], shown[y[shown] == 0][:4]])
found = explain(classifier, X[shown])
print(found.method, found.maps.shape)

# %%
# Red speaks for globally sclerotic, blue against it. The number is the probability of
# the patch, from the one view that is explained.

strongest = np.quantile(np.abs(found.maps), 0.99)
probability = 1 / (1 + np.exp(-found.maps.mean(axis=(1, 2))))
figure, axes = plt.subplots(2, len(shown), figsize=(10, 3.2), layout="constrained")
for column, row in zip(axes.T, range(len(shown)), strict=True):
    heat = (found.maps[row] / strongest).clip(-1, 1)
    column[0].imshow(found.images[row])
    column[1].imshow(overlay(found.images[row], heat))
    column[0].set_title(f"class {y[shown[row]]}", fontsize="medium")
    column[1].set_xlabel(f"{probability[row]:.2f}")
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])

# %%
# ``glomclf evaluate --explain`` and ``glomclf predict --explain`` put such maps beside
# the worst mistakes, or beside patches of each biopsy: :doc:`../report`.
