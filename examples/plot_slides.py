"""
From a slide and its polygons to a coloured slide
=================================================

Polygons are cut out of a slide, a model predicts the patches, and the polygons get
their classes: as QuPath, Digital Slide Archive or ImageScope will show them. The extra
``slides`` is needed.

``python examples/plot_slides.py --output slides.png`` writes the picture to a file.
"""

# %%
# A slide
# -------
# A piece of a biopsy is drawn, with the outlines that a pathologist would draw.

import argparse
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

import glomclf

X, y, _ = glomclf.make_glomeruli(
    120, n_participants=12, sclerotic_fraction=0.4, image_size=128, random_state=3
)
folder = Path(tempfile.mkdtemp())
slide = np.full((620, 1080, 3), 238, dtype=np.uint8)
angles = np.linspace(0, 2 * np.pi, 61)
features = []
for place, image in enumerate(X[:15]):
    top, left = 10 + 205 * (place // 5), 15 + 215 * (place % 5) + 20 * (place // 5 % 2)
    slide[top : top + 128, left : left + 128] = image
    x, y_ = left + 64 + 62 * np.cos(angles), top + 64 + 58 * np.sin(angles)
    outline = np.column_stack([x, y_]).round(1).tolist()
    geometry = {"type": "Polygon", "coordinates": [[*outline[:-1], outline[0]]]}
    feature = {"type": "Feature", "id": f"glomerulus-{place}", "geometry": geometry}
    features.append({**feature, "properties": {"objectType": "annotation"}})
Image.fromarray(slide).save(folder / "slide.png")
document = {"type": "FeatureCollection", "features": features}
(folder / "slide.geojson").write_text(json.dumps(document))

# %%
# Patches
# -------
# A drawn slide does not say its scale, so that `mpp` gives it. All polygons are taken:
# they have no classes yet.

pair = {"slide": folder / "slide.png", "annotations": folder / "slide.geojson"}
patches = glomclf.extract_patches(
    pd.DataFrame([{**pair, "participant": "new", "mpp": 2.0}]),
    folder / "patches",
    labels=None,
    scale=2.0,
    margin=4.0,
)
patches[["annotation_id", "area_um2"]].head(3)

# %%
# Classes
# -------
# The model was trained on other patches. A small network with random weights is enough
# for drawings.

encoder = glomclf.PatchEncoder("cnn", weights=None)
model = glomclf.make_classifier("linear", encoder=encoder, image_size=64)
probability = model.fit(X[15:], y[15:]).predict_proba(patches)[:, 1]
written = folder / "predicted.geojson"
near = np.abs(probability - 0.5) < 0.3
glomclf.write_annotations(
    folder / "slide.geojson",
    written,
    dict(zip(patches["annotation_id"], probability, strict=True)),
    borderline=set(patches["annotation_id"][near]),
)

# %%
# What the viewer shows
# ---------------------


def draw_slide(pixels, features):
    """Draw a slide with polygons in the colours of their classes."""
    figure, ax = plt.subplots(figsize=(7.4, 4.6))
    ax.imshow(pixels)
    for feature in features:
        kind = feature["properties"]["classification"]
        name = kind["name"].removeprefix("predicted_").replace("_", " ")
        line = np.array(feature["geometry"]["coordinates"][0]).T
        ax.plot(*line, color=np.array(kind["color"]) / 255, lw=2.5, label=name)
    handles = dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "frameon": False}
    ax.legend(handles.values(), handles, ncols=3, fontsize="small", **place)
    ax.set_axis_off()
    figure.tight_layout(pad=0.3)
    return figure


figure = draw_slide(slide, json.loads(written.read_text())["features"])

# %%
# As a file:

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, help="where to save the picture")
if (output := parser.parse_known_args()[0].output) is not None:
    figure.savefig(output, dpi=100)
