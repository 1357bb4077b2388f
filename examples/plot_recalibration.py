"""
Recalibrate at a new site
=========================

A model meets patients of another hospital. Sclerosis is rarer there and the stain is
another, so its probabilities are wrong. Labels of a few participants mend them.
"""

# %%
# Two sites
# ---------
# The second one has a third of the sclerosis, and its scanner sees less blue.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from glomclf import PatchEncoder, make_classifier, make_glomeruli
from glomclf.evaluation import evaluate
from glomclf.model import recalibration_gain
from glomclf.report.displays import BiopsyPercentageDisplay

here = make_glomeruli(
    200, n_participants=25, sclerotic_fraction=0.45, image_size=64, random_state=0
)
X, y, participants = make_glomeruli(
    280, n_participants=28, sclerotic_fraction=0.15, image_size=64, random_state=1
)
X = (X * [1.0, 0.97, 0.9]).round().astype(np.uint8)

# %%
# The model of the first site
# ---------------------------

encoder = PatchEncoder("cnn", weights=None)  # small and quick
classifier = make_classifier("linear", encoder=encoder, image_size=64)
classifier.fit(here[0], here[1], groups=here[2])

# %%
# Some participants of the second site are labelled. The others judge.

split = GroupShuffleSplit(1, train_size=0.5, random_state=0)
labelled, others = next(split.split(X, y, participants))
judged = {"y_true": y[others], "groups": participants[others]}
before = classifier.predict_proba(X[others])[:, 1]

# %%
# Is it worth it?
# ---------------
# F1, and the mean error of a participant's percentage, before and after recalibration
# on so many participants. The other labelled ones judge. With few, it can do harm.

gain = recalibration_gain(
    y[labelled],
    classifier.predict_proba(X[labelled])[:, 1],
    participants[labelled],
    n_draws=20,
)
gain[["f1_before", "f1_after", "error_before", "error_after"]].round(2)

# %%
# Recalibrate
# -----------
# It learns from so few participants only how to shift and stretch the logit.

classifier.recalibrate(X[labelled], y[labelled], groups=participants[labelled])
after = classifier.predict_proba(X[others])[:, 1]
print(classifier.recalibration_)

# %%
# Percentage of globally sclerotic glomeruli of each participant that judges. On the
# dashed line it is right.

figure, axes = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained")
for ax, title, probability in zip(
    axes, ("as trained", "recalibrated"), (before, after), strict=True
):
    BiopsyPercentageDisplay.from_predictions(**judged, y_score=probability, ax=ax)
    ax.set_title(title)

# %%
# What it changed
# ---------------
# The order of patches, and so ROC AUC, stays. The probabilities and the calls change.

shown = ["roc_auc", "f1", "precision", "recall", "expected_calibration_error"]
table = evaluate(**judged, y_score=before).to_frame()[["value"]]
table["recalibrated"] = evaluate(**judged, y_score=after).to_frame()["value"]
table.loc[shown].round(2)
