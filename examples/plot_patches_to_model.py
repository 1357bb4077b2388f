"""
From patches to a model
=======================

You have a csv that names patches of glomeruli. At the end of this page you have a model
in one file, and know how good it is on participants that it has never seen.
"""

# %%
# The patches
# -----------
# These are drawn, so that the page runs anywhere. They lie in two class folders, beside
# a csv. With patches of your own, give ``read_manifest`` the name of your csv.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import glomclf
from glomclf.leakage import audit_splits
from glomclf.report import evaluation_report
from glomclf.report.displays import (
    BiopsyPercentageDisplay,
    RocBandDisplay,
    ThresholdsDisplay,
)

folder = Path(tempfile.mkdtemp())
glomclf.make_glomeruli(
    160,
    n_participants=32,
    sclerotic_fraction=0.3,
    image_size=(60, 100),
    directory=folder / "glomeruli",
    random_state=0,
)
patches = glomclf.read_manifest(folder / "glomeruli" / "public.csv")
patches[["label", "slide", "participant"]].head(3)

# %%
# Set participants aside
# ----------------------
# Whole participants go into the test set. No step before the evaluation looks at them.

train, test, y_train, y_test = glomclf.train_test_split_by_participant(
    patches, patches["label"], test_size=0.4, random_state=0
)
len(train), len(test), test["participant"].nunique()

# %%
# Audit the split
# ---------------
# Is a participant or an image on both sides? Are there copies, or two sections of one
# glomerulus? The example "Audit a split" shows an audit that finds some.

audit = audit_splits(patches, patches["label"], [(train.index, test.index)])
print(audit)

# %%
# Train
# -----
# The recipe "linear" is a logistic regression on the output of a network with ImageNet
# weights. Small images keep this page quick; leave out ``image_size`` on your own.

classifier = glomclf.make_classifier("linear", image_size=96, random_state=0)
classifier.fit(train, y_train).save(folder / "mine.glomclf")

# %%
# Evaluate
# --------
# Every score has an interval over participants. With few of them, intervals are wide.

probability = classifier.predict_proba(test)[:, 1]
held_out = {"y_true": y_test, "groups": test["participant"]}
result = glomclf.evaluate(**held_out, y_score=probability)
result.to_frame().loc[["recall", "precision", "f1", "roc_auc"]].round(2)

# %%
# Left, how well the patches are ranked. Right, what a pathologist reports: the
# percentage of globally sclerotic glomeruli. Each dot is a biopsy.

figure, axes = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained")
RocBandDisplay.from_predictions(**held_out, y_score=probability, ax=axes[0])
BiopsyPercentageDisplay.from_predictions(**held_out, y_score=probability, ax=axes[1])

# %%
# What each threshold would bring. Choose one on other participants than these.

figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ThresholdsDisplay.from_predictions(**held_out, y_score=probability, ax=ax)

# %%
# The report
# ----------
# All of this, and more, in one file that a browser opens.

report = evaluation_report(
    test,
    y_test,
    probability,
    groups=test["participant"],
    classifier=classifier,
    train=train,
    audit=audit,
)
report.write(folder / "report.html")
[section.title for section in report.sections]

# %%
# What next? The example "A new biopsy" uses such a model, and "Cross-validate by
# participant" compares settings on the training participants.
