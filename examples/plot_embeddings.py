"""
Embeddings that are there already
=================================

Another program has turned each patch into a row of numbers, its embedding: a foundation
model of pathology, perhaps. glomclf trains on the file. It needs no images then.
"""

# %%
# A csv and a file of embeddings
# ------------------------------
# A network with ImageNet weights stands for the other program. The file names each
# patch. :func:`~glomclf.read_embeddings` lists the other kinds of files.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

import glomclf
from glomclf.model import predict_folds

folder = Path(tempfile.mkdtemp())
drawn = glomclf.make_glomeruli(
    160,
    n_participants=20,
    sclerotic_fraction=0.35,
    image_size=96,
    directory=folder / "glomeruli",
    random_state=0,
)
images = glomclf.ImageLoader(96).transform(drawn)
features = glomclf.PatchEncoder("efficientnet-lite0").fit_transform(images)
names = [Path(path).name for path in drawn["path"]]
np.savez(folder / "features.npz", features=features, names=names)

# %%
# Read them
# ---------
# Rows come in the order of the csv. What is missing or there twice is an error.

manifest = glomclf.read_manifest(folder / "glomeruli" / "public.csv", images=False)
X = glomclf.read_embeddings(folder / "features.npz", manifest)
print(X.shape, X.dtype)

# %%
# Look at them
# ------------
# The two directions in which standardised embeddings differ most. Patches that look
# alike to the network lie near each other, and the frame tells the class.

places = PCA(2).fit_transform(StandardScaler().fit_transform(X))
figure, ax = plt.subplots(figsize=(8, 5.6), layout="constrained")
for label, name in enumerate(["not globally sclerotic", "globally sclerotic"]):
    ax.plot(*places[manifest["label"] == label].T, "o", color=f"C{label}", label=name)
ax.set(xticks=[], yticks=[], xlabel="component 1", ylabel="component 2")
ax.legend()
for row in range(0, len(places), 3):
    frame = {"edgecolor": f"C{manifest['label'][row]}", "linewidth": 2}
    picture = OffsetImage(images[row], zoom=0.3)
    ax.add_artist(AnnotationBbox(picture, places[row], pad=0.1, bboxprops=frame))

# %%
# Train and judge
# ---------------
# All is as for images: folds by participant, intervals, the report, the model file.

classifier = glomclf.make_classifier("linear", encoder=None, predict_views=1)
y, participants = manifest["label"], manifest["participant"]
cv = StratifiedGroupKFold(5, shuffle=True, random_state=0)
table = predict_folds(classifier, X, y, groups=participants, cv=cv)
rows = table["row"]
result = glomclf.evaluate(y[rows], table["probability"], groups=participants[rows])
result.to_frame().loc[["recall", "precision", "f1", "roc_auc"]].round(2)

# %%
# The command line does the same: ``glomclf train public.csv --embeddings features.npz
# --cv 5``. :doc:`../encoders` says more, also how to use a network as an ONNX file.
