"""
What augmentation does to patches
=================================

A network should not care how a glomerulus lies on the slide, or how dark its stain is.
:class:`~glomclf.PatchAugmenter` changes both. Look at the views before you train. If no
laboratory would send you such a patch, the network learns nothing from it.

To see your own patches, run ``python examples/plot_augmentation.py --images FOLDER
--output views.png``. It draws the last picture with them.
"""

# %%
# Patches, and a way to draw views
# --------------------------------
# The first column of each picture is the patch itself. A view depends on the patch and
# on a key. Here the key is the number of the patch and of the view.

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from glomclf import ImageLoader, PatchAugmenter, make_glomeruli
from glomclf.data.augmenter import make_augmenter
from glomclf.data.images import IMAGE_SUFFIXES

X, y, _ = make_glomeruli(
    40, n_participants=8, sclerotic_fraction=0.5, image_size=128, random_state=3
)
shown = np.concatenate([X[y == 0][:2], X[y == 1][:2]])


def draw_views(images, augmenter, n_views=8):
    """Draw each patch, with views of it beside it."""
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
# ``"dihedral"`` makes quarter turns and mirrors. Pixels move, but do not change.

draw_views(shown, make_augmenter("dihedral"))

# %%
# Any rotation, zoom and shift
# ----------------------------
# ``"geometry"`` fills the space beyond an edge with the mirrored patch. Look at the
# corners: tissue continues there. Black corners would tell the network that it sees a
# changed image.

draw_views(shown, make_augmenter("geometry"))

# %%
# Stain, contrast, brightness
# ---------------------------
# Here only the stain changes. It is scaled in optical density, where stains add up. So
# more stain darkens the tissue and leaves the glass white.

still = {"flips": False, "rotation_range": 0, "zoom_range": 0, "shift_range": 0}
draw_views(shown, PatchAugmenter(**still, light_range=0))

# %%
# By default the white of the scanner, the contrast and the brightness change too.

draw_views(shown, PatchAugmenter(**still))

# %%
# Everything
# ----------
# ``"geometry+stain"`` does all of it.

parser = argparse.ArgumentParser()
parser.add_argument("--images", type=Path, help="folder of patches, searched through")
parser.add_argument("--output", help="file to write the picture to")
options, _ = parser.parse_known_args()  # a notebook has arguments of its own
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
