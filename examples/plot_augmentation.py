"""
What augmentation does to patches
=================================

A network should not care how a glomerulus lies on the slide, nor how much stain it took
up. :class:`~glomclf.PatchAugmenter` shows it patches as they might have been as well.
Look at the views before you train: what no laboratory would send you teaches nothing.

``python examples/plot_augmentation.py --images FOLDER --output views.png`` draws the
last picture with patches of your own.
"""

# %%
# Patches, and a way to draw views
# --------------------------------
# The first column of each picture is the patch itself. A view depends on the patch and
# on a key: here the number of the patch, and of the view.

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from glomclf import AugmentedViews, ImageLoader, PatchAugmenter, make_glomeruli
from glomclf.data.augmenter import make_augmenter
from glomclf.data.images import IMAGE_SUFFIXES

X, y, _ = make_glomeruli(
    40, n_participants=8, sclerotic_fraction=0.5, image_size=128, random_state=3
)
shown = np.concatenate([X[y == 0][:2], X[y == 1][:2]])


def draw_views(images, augmenter, n_views=8):
    """Draw each patch, and views of it beside it."""
    figure, axes = plt.subplots(
        len(images),
        n_views + 1,
        figsize=(n_views + 1, len(images)),
        squeeze=False,
        subplot_kw={"xticks": [], "yticks": []},
    )
    for row, (image, line) in enumerate(zip(images, axes, strict=True)):
        keys = [(row, view) for view in range(n_views)]
        views = augmenter.transform(image[np.newaxis].repeat(n_views, axis=0), keys)
        for ax, drawn in zip(line, [image, *views], strict=True):
            ax.imshow(drawn)
            ax.spines[:].set_visible(False)
    figure.tight_layout(pad=0.2)
    return figure


# %%
# Eight ways to lay a patch down
# ------------------------------
# ``"dihedral"``: quarter turns and mirrors. Pixels move, and none changes.

draw_views(shown, make_augmenter("dihedral"))

# %%
# Any rotation, zoom and shift
# ----------------------------
# ``"geometry"``: pixels are sampled once, and what lies beyond an edge is the patch,
# mirrored. Look at the corners: tissue goes on, where black would mark a view as one.

draw_views(shown, make_augmenter("geometry"))

# %%
# Stain, contrast, brightness
# ---------------------------
# The stain alone: patches lie still. Factors apply to optical density, in which stains
# add up. So more stain darkens tissue and leaves glass as white as it was.

still = {"flips": False, "rotation_range": 0, "zoom_range": 0, "shift_range": 0}
stain = PatchAugmenter(**still, tint_range=0, contrast_range=0, brightness_range=0)
draw_views(shown, stain)

# %%
# All colours that change by default: with the stain the white of the scanner, the
# contrast and the brightness.

draw_views(shown, PatchAugmenter(**still))

# %%
# Everything
# ----------
# ``"geometry+stain"``, the default, on the patches above or on your own.

parser = argparse.ArgumentParser()
parser.add_argument("--images", type=Path, help="folder of patches, searched through")
parser.add_argument("--output", help="file to write the picture to")
options = parser.parse_args()
if options.images is not None:
    files = sorted(
        file
        for file in options.images.rglob("*")
        if file.suffix.lower() in IMAGE_SUFFIXES
    )
    shown = ImageLoader(128).transform(files[:: max(1, len(files) // 8)][:8])
everything = draw_views(shown, make_augmenter("geometry+stain"))
if options.output is not None:
    everything.savefig(options.output, dpi=130)

# %%
# Stored views
# ------------
# Frozen layers run once per image, so a new view in each epoch is out of their reach.
# :class:`~glomclf.AugmentedViews` gives them some views of each training image, of all
# classes alike. As a sampler it sees training rows only.

X_new, y_new = AugmentedViews(n_views=2, random_state=0).fit_resample(X, y)
len(X), len(X_new), np.bincount(y), np.bincount(y_new)
