"""
Audit a split before you believe its score
==========================================

Patches with serial sections, one hidden copy, and two ways to split them.
"""

# %%
# The patches
# -----------
# There are two sections of each glomerulus. One file is saved again as a JPEG. In the
# csv, the copy belongs to another participant.

import tempfile
from pathlib import Path

import pandas as pd
from PIL import Image
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from glomclf import GlomeruliClassifier, PatchClassifier, make_glomeruli
from glomclf.leakage import audit_fit, audit_splits
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
# Participants and sections of the same glomerulus are on both sides.

by_image = StratifiedKFold(3, shuffle=True, random_state=0)
audit = audit_splits(manifest, manifest["label"], by_image)
audit.to_frame().groupby("kind", sort=False).size()

# %%
# Split by participant
# --------------------
# This is better. But the copy is still on both sides: no split by participant can
# correct a wrong participant.

by_participant = StratifiedGroupKFold(3, shuffle=True, random_state=0)
audit = audit_splits(manifest, manifest["label"], by_participant)
print(audit)

# %%
# Look at the pairs:

LeakyPairsDisplay.from_audit(audit, manifest, n_pairs=3)

# %%
# Without the copy
# ----------------
# Now the split is clean. Each fold has both classes.

clean = manifest.drop(index=len(manifest) - 1)
audit = audit_splits(clean, clean["label"], by_participant)
audit.raise_if_leaky()
audit.folds.head(6)

# %%
# Audit the fit
# -------------
# Neither the sampler nor early stopping sees the judged participants. Validation rows
# are real images.

classifier = GlomeruliClassifier(
    network=PatchClassifier("cnn", weights=None, epochs=2),
    image_size=64,
    validation_fraction=0.3,
    random_state=0,
)
watched = audit_fit(classifier, clean, clean["label"])
print(watched)
watched.folds.query("role == 'validation'")
