"""
Patches drawn by code
=====================

:func:`~glomclf.make_glomeruli` draws PAS-like patches: enough like glomeruli to try a
method on, without the data of any patient.

``python examples/plot_synthetic_glomeruli.py --output sheet.png`` writes the first
picture to a file.
"""

# %%
# A data set
# ----------
# Participants differ in their stain and in their share of sclerosis.

import argparse

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from glomclf import make_glomeruli

X, y, participants = make_glomeruli(
    120, n_participants=12, sclerotic_fraction=0.25, image_size=128, random_state=3
)
pd.DataFrame({"participant": participants, "label": y}).groupby("participant")[
    "label"
].agg(patches="size", sclerotic="sum")

# %%
# The two classes
# ---------------
# Above, a tuft with nuclei and open capillaries in Bowman's space. Below, globally
# sclerotic: a solid ball. As in real biopsies, some patches lie in between: tufts with
# scars, and sclerotic ones with some capillaries left.


def draw_sheet(images, labels, n_columns=6):
    """Draw one row of patches a class."""
    figure, axes = plt.subplots(2, n_columns, figsize=(n_columns * 1.2, 2.65))
    for label, row in enumerate(axes):
        for ax, image in zip(row, images[labels == label], strict=False):
            ax.imshow(image)
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(f"class {label}")
    figure.tight_layout(pad=0.3)
    return figure


sheet = draw_sheet(X, y)

# %%
# Serial sections
# ---------------
# The same glomeruli on two slides of one biopsy. A split by image puts one of them into
# the training set and the other into the test set.

sections, _, _ = make_glomeruli(
    12, n_participants=3, image_size=128, serial_sections=True, random_state=0
)
len(sections)

# %%
# They are in random order, as in a real data set. The nearest neighbour in coarse grey
# is the twin of each one.

coarse = sections.mean(axis=3).reshape(12, 16, 8, 16, 8).mean(axis=(2, 4))
coarse = coarse.reshape(12, -1)
distance = np.linalg.norm(coarse[:, None] - coarse[None], axis=2)
np.fill_diagonal(distance, np.inf)
first = np.argsort(distance.min(axis=1), kind="stable")[:10:2]
figure, axes = plt.subplots(2, len(first), figsize=(len(first) * 1.4, 3))
for column, row in zip(axes.T, first, strict=True):
    for ax, section in zip(column, (row, distance[row].argmin()), strict=True):
        ax.imshow(sections[section])
        ax.set(xticks=[], yticks=[])
axes[0, 0].set_ylabel("patch")
axes[1, 0].set_ylabel("nearest")
figure.tight_layout(pad=0.3)

# %%
# The first picture goes to a file where one is asked for.

parser = argparse.ArgumentParser()
parser.add_argument("--output", help="file to write the sheet of the two classes to")
if (output := parser.parse_known_args()[0].output) is not None:
    sheet.savefig(output, dpi=85)
