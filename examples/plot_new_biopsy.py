"""
A new biopsy
============

A pathologist reports the percentage of globally sclerotic glomeruli. A model estimates
it for biopsies without labels, and says how sure it is. For that, it keeps a record of
what it said about people that it had not seen.
"""

# %%
# Patches to train on
# -------------------
# These are drawn. With patches of your own, give ``read_manifest`` the name of your
# csv.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import glomclf
from glomclf.evaluation import OutOfFoldRecord, summarize_biopsies
from glomclf.model import predict_folds
from glomclf.report.displays import BiopsyIntervalsDisplay

folder = Path(tempfile.mkdtemp())
drawn = {"sclerotic_fraction": 0.3, "image_size": 64}
train = glomclf.make_glomeruli(
    240, n_participants=30, directory=folder / "train", random_state=0, **drawn
)

# %%
# Train, with a record
# --------------------
# Each participant is predicted once by a model that did not see them. The record keeps
# these probabilities, without names. ``glomclf train --cv 5`` does the same.

encoder = glomclf.PatchEncoder("cnn", weights=None)  # small and quick
classifier = glomclf.make_classifier("linear", encoder=encoder, image_size=64)
classifier.fit(train, train["label"])

folds = predict_folds(
    classifier, train, train["label"], groups=train["participant"], cv=5, random_state=0
)
classifier.out_of_fold_record_ = OutOfFoldRecord.from_predictions(
    train["label"].iloc[folds["row"]],
    folds["probability"],
    train["participant"].iloc[folds["row"]],
)
classifier.save(folder / "mine.glomclf")

# %%
# New biopsies
# ------------
# Nobody has labelled them: each is a folder of patches. Here they are drawn, too.

new = glomclf.make_glomeruli(
    180, n_participants=6, directory=folder / "new", random_state=1, **drawn
)
model = glomclf.read_classifier(folder / "mine.glomclf")
probability = model.predict_proba(new[["path"]])[:, 1]
estimates = summarize_biopsies(
    probability, new["participant"], model.out_of_fold_record_
)
estimates.table[["n_glomeruli", "predicted", "estimate"]].round(1)

# %%
# ``predicted`` counts patches above the threshold. ``estimate`` reads the probabilities
# as the record teaches: a model that is often too sure is believed less.
#
# Two intervals
# -------------
# The thick bar answers: what is the percentage of the glomeruli **in this biopsy**?
# That is unsure because the model errs. The thin bar answers: what is it **in the
# kidney**? That is also unsure because few glomeruli were sampled. Both hold with 95 %.
# Dotted lines mark 20 % and 50 %. A cross is the truth, which only a drawn biopsy has.

figure, ax = plt.subplots(figsize=(7.2, 3.6), layout="constrained")
truth = 100 * new.groupby("participant")["label"].mean()[estimates.table.index]
ax.plot(truth, np.arange(len(truth)), "kx", zorder=4)
BiopsyIntervalsDisplay(estimates).plot(ax)

# %%
# Above or below 20 %?
# --------------------
# The verdict is "above" or "below" only if the whole interval is on that side.

estimates.table[["biopsy_verdict_20", "kidney_verdict_20", "adequacy"]]

# %%
# On the command line
# -------------------
# ``glomclf predict FOLDER --model mine.glomclf`` writes these tables and a page for
# each biopsy. It also says which biopsies are unlike all that the model was trained on.
