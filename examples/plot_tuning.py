"""
Tune, and know what it is worth
===============================

A study chooses settings on training participants. Nested cross-validation says what
this is worth on other participants. A logistic regression on the features of a small
network keeps the example quick and offline. It shows how to do it, not what scores are
possible.
"""

# %%
# Patches, and their features
# ---------------------------
# The encoder learns nothing from the images, so it may see all of them at once.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from glomclf import GlomeruliSearchCV, PatchEncoder, make_glomeruli
from glomclf.tuning import nested_cross_validate

images, y, participants = make_glomeruli(
    240, n_participants=24, sclerotic_fraction=0.25, image_size=64, random_state=0
)
X = PatchEncoder("cnn", weights=None).fit_transform(images)

# %%
# What is tried
# -------------
# A function of the trial that returns parameters. For a
# :class:`~glomclf.GlomeruliClassifier` you may leave it out: there is a default.


def space(trial):
    """Choose what SMOTE makes, and how strongly the regression is regularised."""
    return {
        "smote__k_neighbors": trial.suggest_int("neighbors", 1, 9),
        "smote__sampling_strategy": trial.suggest_float("ratio", 0.5, 1.0),
        "logisticregression__C": trial.suggest_float("C", 1e-5, 10, log=True),
    }


classifier = make_pipeline(StandardScaler(), SMOTE(), LogisticRegression(max_iter=1000))

# %%
# A study
# -------
# All trials are scored on the same folds. Each participant is in one fold only.

search = GlomeruliSearchCV(
    classifier, space, scoring="average_precision", n_trials=10, random_state=0
)
search.fit(X, y, groups=participants)
print(search.audit_)
print(search.best_params_)

# %%
# Each dot is a trial. The line is the best score so far.

results = pd.DataFrame(search.cv_results_)
scores = results["mean_test_score"]
figure, ax = plt.subplots(figsize=(7, 3.2))
ax.plot(results["trial"], scores, "o", label="trial")
ax.step(results["trial"], scores.cummax(), where="post", label="best so far")
ax.set(xlabel="trial", ylabel="average precision, mean of folds")
ax.legend()
figure.tight_layout()

# %%
# What it is worth
# ----------------
# The best score is too good: it is the best of many on the same folds. In nested
# cross-validation, the whole search runs again in each outer fold. It is judged on the
# participants of that fold.

result = nested_cross_validate(
    search, X, y, groups=participants, cv=3, default=classifier, random_state=0
)
result.folds.round(3)

# %%
# The optimism of the best score, and what tuning changed. If the interval of the
# difference includes zero, tuning has not been shown to help.

print(
    f"best {result.best_score:.3f}, on untouched participants {result.test_score:.3f}"
)
compared = result.comparison.to_frame()
print(compared.loc["average_precision", ["a", "b", "value", "low", "high"]])

# %%
# The best score of the study in each outer fold, and its score on untouched
# participants.

folds = result.folds
figure, ax = plt.subplots(figsize=(5, 3.2))
for place, column in enumerate(["best_score", "test_score"]):
    ax.plot(np.full(len(folds), place), folds[column], "o", color="C0")
ax.plot([0, 1], folds[["best_score", "test_score"]].T, color="C0", alpha=0.4)
ax.set(
    xticks=[0, 1],
    xticklabels=["best of the study", "untouched participants"],
    xlim=(-0.4, 1.4),
    ylabel="average precision",
)
figure.tight_layout()
