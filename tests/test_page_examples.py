"""The Python of the pages runs as it stands, on a few drawn patches."""

from __future__ import annotations

import copy
import os
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from glomclf import make_classifier, make_glomeruli, read_manifest
from glomclf.evaluation import OutOfFoldRecord
from tests.commands import run

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted({*DOCS.glob("*.rst")} - {*DOCS.glob("sg_*")})  # sg: left by a build

# Patches of 48 pixels need no network of 224, and no eight views.
SMALL = ("--set", "image_size=32", "--set", "predict_views=1")

READERS = ["reader A", "reader B", "reader C"]

# What is not run: a line of the block, and why.
NOT_RUN = {
    "import torch": "PyTorch is not installed, and UNI is handed out on request",
    "import girder_client": "needs a Digital Slide Archive",
    "from distributed import Client": "needs a Dask scheduler",
}
# What would take minutes: the page's number, and the number here.
FEWER = {
    "    200, n_participants=20, image_size=(150, 400)": (
        "    120, n_participants=20, image_size=(48, 64)"
    ),
    "StratifiedGroupKFold(5, shuffle=True": "StratifiedGroupKFold(2, shuffle=True",
    "n_trials=50": "n_trials=2, cv=2",
    'search, manifest, manifest["label"], cv=5': (
        'search, manifest, manifest["label"], cv=3'
    ),
    'make_classifier("linear")': (
        'make_classifier("linear", predict_views=1, image_size=32)'
    ),
    'cv=5, threshold="f1"': 'cv=2, threshold="f1"',
    "make_classifier(recipe, random_state=0)": (
        "make_classifier(recipe, random_state=0, **small[recipe])"
    ),
}


def python_blocks(page: Path) -> list[str]:
    """Return the blocks of Python of a page, also of those that stand in a list."""
    found = re.findall(
        r"^( *)\.\. code-block:: python\n\n((?:\1   .*\n|\n)+)",
        page.read_text(),
        re.MULTILINE,
    )
    return [re.sub(rf"^{indent}   ", "", text, flags=re.M) for indent, text in found]


def is_run(block: str) -> bool:
    return not any(line in block.splitlines() for line in NOT_RUN)


WITH_PYTHON = [page for page in PAGES if any(map(is_run, python_blocks(page)))]


@pytest.fixture(scope="module")
def model():
    """Fit once for all pages."""
    X, y, participants = make_glomeruli(
        36, n_participants=12, sclerotic_fraction=0.4, image_size=32, random_state=0
    )
    return make_classifier(
        "features",
        sampler="augment",
        network__backbone="cnn",
        network__weights=None,
        network__epochs=2,
        image_size=32,
        random_state=0,
    ).fit(X, y, groups=participants)


@pytest.fixture(scope="module")
def record():
    """Forty people whom a model had not seen, as `glomclf train --cv` keeps them."""
    rng = np.random.default_rng(0)
    probability = rng.random(800)
    label = rng.random(800) < probability
    return OutOfFoldRecord.from_predictions(label, probability, np.arange(800) // 20)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Draw the files that pages name, once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("drawn"))
        table = draw_patches("patches")
        table["path"] = list(map(os.path.relpath, table["path"]))
        rng = np.random.default_rng(0)
        for reader in READERS:
            slips = rng.random(len(table)) < 0.1
            table[reader] = table["label"].where(~slips, 1 - table["label"])
        for name in ("public.csv", "patches.csv", "train.csv"):
            table.rename(columns={"label": "ground truth"}).to_csv(name, index=False)
        other = {"path": "file", "label": "diagnosis", "participant": "patient"}
        named = table.assign(label=table["label"].map({1: "GS", 0: "NGS"}))
        columns = [*other.values(), *READERS]
        named.rename(columns=other)[columns].to_excel("patches.xlsx", index=False)
        write_features(table)
        return Path.cwd()


@pytest.fixture
def folder(drawn, tmp_path, monkeypatch):
    """Files as the pages name them, in the current folder."""
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def draw_patches(directory):
    """Draw patches of twelve participants, and a new biopsy without labels."""
    drawn = {"image_size": 48, "random_state": 0, "sclerotic_fraction": 0.4}
    make_glomeruli(6, n_participants=2, directory="drawn", **drawn)
    Path("new_biopsies").mkdir()
    Path("drawn/non_globally_sclerotic_glomeruli").rename("new_biopsies/B08")
    make_glomeruli(60, n_participants=12, directory=directory, **drawn)
    return read_manifest(Path(directory, "public.csv"))


def write_features(table):
    """Write what another program made of the patches, and a network as ONNX."""
    import h5py

    from tests.network.test_onnx_encoder import write_onnx

    names = [Path(path).name for path in table["path"]]
    values = np.random.default_rng(0).normal(size=(len(names), 8))
    with h5py.File("features.h5", "w") as file:
        file["features"] = values.astype(np.float32)
        file["names"] = names
    write_onnx("uni.onnx")


@pytest.fixture
def names(folder, model, record):
    """Return the names that a page takes as given: see each page for what they are."""
    manifest = read_manifest("patches.csv")
    y, participants = (manifest[name].to_numpy() for name in ("label", "participant"))
    classifier = copy.copy(model)
    classifier.out_of_fold_record_ = record
    probability = model.predict_proba(manifest)[:, 1]
    rng = np.random.default_rng(0)
    test = manifest.assign(centre=np.where(rng.random(len(y)) < 0.5, "A", "B"))
    return {
        "X": manifest,
        "X_new": manifest,
        "X_site": manifest,
        "y": y,
        "y_site": y,
        "participants": participants,
        "groups": participants,
        "new_groups": participants,
        "probability": probability,
        "classifier": classifier,
        "manifest": manifest,
        "train": manifest,
        "y_train": y,
        "test": test,
        "small": {
            "linear": {"predict_views": 1, "image_size": 32},
            "fine-tune": {
                "predict_views": 1,
                "image_size": 32,
                "network__trainable_layers": 2,
                "network__epochs": 2,
                "network__head_epochs": 1,
                "network__warmup_epochs": 0,
            },
            "scratch": {
                "predict_views": 1,
                "image_size": 32,
                "network__backbone": "cnn",
                "network__epochs": 2,
                "network__warmup_epochs": 1,
            },
        },
        "features": rng.normal(size=(len(y), 8)),
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::glomclf.errors.GlomclfWarning")
@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.stem)
def test_python_of_a_page_runs(page, names):
    for place, block in enumerate(python_blocks(page), 1):
        if not is_run(block):
            continue
        for much, few in FEWER.items():
            block = block.replace(much, few)
        exec(compile(block, f"{page.name}, block {place}", "exec"), names)


def commands_of(text: str) -> list[list[str]]:
    """Return the first lines of a page that begin with `$ glomclf`, as words."""
    lines = re.search(r"(?:^ *\$ glomclf .+\n)+", text, re.MULTILINE).group()
    return [shlex.split(line)[2:] for line in lines.splitlines()]


@pytest.mark.slow
def test_commands_of_the_readme_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw_patches("data")
    Path("data", "public.csv").rename("data/patches.csv")
    commands = commands_of((ROOT / "README.md").read_text())
    assert [words[0] for words in commands] == [
        *("split", "audit", "train", "evaluate", "predict")
    ]

    for words in commands:
        run(*words, *(SMALL if words[0] == "train" else ()))

    written = ("mine.glomclf", "glomclf-evaluation/report.html", "results/biopsies.csv")
    assert all(Path(file).is_file() for file in written)


def test_the_quickstart_begins_with_the_commands_of_the_readme():
    readme, quickstart = (
        [words[0] for words in commands_of((ROOT / page).read_text())]
        for page in ("README.md", "docs/quickstart.rst")
    )
    assert quickstart == readme


def test_what_is_not_run_or_made_smaller_is_on_a_page():
    blocks = [block for page in PAGES for block in python_blocks(page)]
    lines = [line for block in blocks for line in block.splitlines()]
    assert [lines.count(line) for line in NOT_RUN] == [1] * len(NOT_RUN)
    assert all(any(much in block for block in blocks) for much in FEWER)
