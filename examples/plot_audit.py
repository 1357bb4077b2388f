"""
Audit a split before you believe its score
==========================================

A set of patches with serial sections, one copy under another name, and two ways of
splitting it.
"""

# %%
# The patches
# -----------
# Each glomerulus is there in two sections. One file was saved again as JPEG, and in the
# csv the copy belongs to somebody else.

import tempfile
from pathlib import Path

import pandas as pd
from PIL import Image
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from glomclf import GlomeruliClassifier, make_glomeruli
from glomclf.leakage.splits import audit_fit, audit_splits
from glomclf.report.displays import LeakyPairsDisplay

folder = Path(tempfile.mkdtemp(), "patches")
manifest = make_glomeruli(
    48,
    n_participants=8,
    sclerotic_fraction=0.4,
    serial_sections=True,
    image_size=96,
    directory=folder,
    random_state=0,
)
copy = {**manifest.iloc[0], "path": str(folder / "copy.jpg"), "participant": "unknown"}
Image.open(manifest["path"][0]).convert("RGB").save(copy["path"], quality=80)
manifest = pd.concat([manifest, pd.DataFrame([copy])], ignore_index=True)

# %%
# Split by image
# --------------
# Participants, and sections of the same glomerulus, are on both sides.

by_image = StratifiedKFold(3, shuffle=True, random_state=0)
audit = audit_splits(manifest, manifest["label"], by_image)
audit.to_frame().groupby("kind", sort=False).size()

# %%
# Split by participant
# --------------------
# Better. But the copy still gives it away: no grouping mends a wrong participant.

by_participant = StratifiedGroupKFold(3, shuffle=True, random_state=0)
audit = audit_splits(manifest, manifest["label"], by_participant)
print(audit)

# %%
# The pairs, to judge by eye:

LeakyPairsDisplay.from_audit(audit, manifest, n_pairs=3)

# %%
# Without the copy
# ----------------
# Now the split is clean, and each fold has both classes.

clean = manifest.drop(index=len(manifest) - 1)
audit = audit_splits(clean, clean["label"], by_participant)
audit.raise_if_leaky()
audit.folds.head(6)

# %%
# Watch the fit
# -------------
# No sampler, no early stopping sees the judged participants, and validation rows are
# real images.

classifier = GlomeruliClassifier(
    backbone="cnn",
    weights=None,
    image_size=64,
    epochs=2,
    validation_fraction=0.3,
    random_state=0,
)
watched = audit_fit(classifier, clean, clean["label"])
print(watched)
watched.folds.query("role == 'validation'")
