"""Sphinx configuration: `make docs` builds everything offline."""

import importlib
import os
import re
import shutil
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib

import glomclf
from glomclf.errors import GlomclfWarning

matplotlib.use("agg")
# What the examples print is part of the page; their warnings would be errors unseen.
warnings.filterwarnings("error", category=GlomclfWarning)

project = "glomclf"
author = "The glomclf developers"
copyright = author
version = release = glomclf.__version__

# OWNER/NAME on GitHub, where these pages are the branch gh-pages. Then notebooks install
# glomclf from there, and examples have a badge that opens them in Google Colab.
repository = os.environ.get("GLOMCLF_REPOSITORY", "")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_click",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_examples/**/*.ipynb", "auto_examples/**/*.py"]
templates_path = ["_templates"]
default_role = "py:obj"

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

_SOURCE = f" @ git+https://github.com/{repository}" if repository else ""
_FIRST_CELL = f"""\
# Installs glomclf where it is missing, as in Google Colab.
import importlib.util

if importlib.util.find_spec("glomclf") is None:
    %pip install --quiet "glomclf[pretrained,slides]{_SOURCE}"

MOUNT_DRIVE = False  # True in Colab: your patches are then in /content/drive/MyDrive
if MOUNT_DRIVE:
    from google.colab import drive

    drive.mount("/content/drive")
"""

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "/plot_",
    "ignore_pattern": r"benchmarks|__init__\.py",
    "within_subsection_order": "ExampleTitleSortKey",
    "backreferences_dir": None,
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "first_notebook_cell": _FIRST_CELL,
    "ignore_repr_types": "matplotlib|displays",  # their pictures are shown
}

html_theme = "pydata_sphinx_theme"
html_title = "glomclf"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
}
# The pages of the guide stand alone; the reference and the examples have a list beside.
html_sidebars = {page.stem: [] for page in Path(__file__).parent.glob("*.rst")}

# The packages of the reference, in the order of the way of the data. A name has its page
# under `glomclf` if that offers it, otherwise under the first package that does.
PUBLIC_PACKAGES = (
    "data",
    "samplers",
    "network",
    "model",
    "leakage",
    "evaluation",
    "tuning",
    "report",
    "report.displays",
    "errors",
)


def write_reference(app, config):
    """Write the page of the reference from each package's `__all__`.

    Autosummary looks for tables in the pages' own text, not in what they include, and
    in pages that are there before the build begins.
    """
    blocks = [_HEAD, _table("glomclf", glomclf.__all__)]
    home = dict.fromkeys(glomclf.__all__, "glomclf")
    for package in PUBLIC_PACKAGES:
        module = importlib.import_module(f"glomclf.{package}")
        title, summary = f"glomclf.{package}", module.__doc__.partition("\n\n")[0]
        block = [title, "-" * len(title), "", summary, ""]
        names = [name for name in module.__all__ if name not in home]
        if shared := [name for name in module.__all__ if name in home]:
            links = (f":py:obj:`{home[name]}.{name}`" for name in shared)
            block += [f"Also offered here: {', '.join(links)}.", ""]
        if names:
            block.append(_table(title, names))
        home.update(dict.fromkeys(names, title))
        blocks.append("\n".join(block))
    folder = Path(app.srcdir, "api", "generated")
    _write(folder / "index.rst", "\n".join(blocks))
    for page in folder.glob("glomclf.*.rst"):
        name, _, last = page.stem.rpartition(".")
        if home.get(last) != name:
            page.unlink()  # of a name that is gone


def write_recipes(app, config):
    """Write what each recipe sets, a column a recipe; equal rows are left out."""
    from glomclf.model.recipes import RECIPES, make_classifier

    made = {name: make_classifier(name).get_params() for name in RECIPES}
    rows = [["parameter", *RECIPES]]
    for parameter in dict.fromkeys(
        key for values in RECIPES.values() for key in values
    ):
        cells = [
            _cell({**made[name], **values}.get(parameter, ...))
            for name, values in RECIPES.items()
        ]
        if len(set(cells)) > 1:
            rows.append([f"``{parameter}``", *cells])
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        lines += [f"   {'  -' if k else '* -'} {cell}" for k, cell in enumerate(row)]
    _write(Path(app.srcdir, "api", "generated", "recipes.inc"), "\n".join(lines) + "\n")


def _cell(value):
    if value is ...:
        return ""
    steps = [step for _, step in getattr(value, "steps", [(None, value)])]
    return f"``{' + '.join(repr(step) for step in steps)}``"


def _write(file, text):
    """Leave a file alone that has the text, so that its page is not built again."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists() or file.read_text() != text:
        file.write_text(text)


_HEAD = """
=============
API reference
=============

Everything named here is public. Importing ``glomclf`` loads neither TensorFlow nor
matplotlib: what needs them is loaded on first use. Methods that come from scikit-learn
and imbalanced-learn as they are (``fit_transform``, ``fit_resample``, ``score``,
``get_params`` and so on) are described there.

glomclf
-------

"""


def _table(module, names):
    rows = "\n".join(f"   {module}.{name}" for name in names)
    options = "   :toctree: .\n   :nosignatures:\n"
    return f".. autosummary::\n{options}\n{rows}\n"


def add_badge(app, docname, source):
    """Put a badge below the title of a published example: it opens Colab."""
    folder, _, name = docname.rpartition("/")
    if repository and folder == "auto_examples" and name.startswith("plot_"):
        notebook = f"{repository}/blob/gh-pages/notebooks/{name}.ipynb"
        badge = _BADGE.format(notebook=notebook)
        source[0] = re.sub(r"^=+\n", rf"\g<0>{badge}", source[0], count=1, flags=re.M)


_BADGE = """
.. image:: https://colab.research.google.com/assets/colab-badge.svg
   :target: https://colab.research.google.com/github/{notebook}
   :alt: Open in Colab

"""


def publish_notebooks(app, exception):
    """Put the notebooks where the badges look for them."""
    if repository and exception is None:
        folder = Path(app.outdir, "notebooks")
        folder.mkdir(exist_ok=True)
        for notebook in Path(app.srcdir, "auto_examples").glob("plot_*.ipynb"):
            shutil.copy(notebook, folder)


def skip_routing_methods(app, what, name, obj, skip, options):
    """Leave out what scikit-learn writes into every estimator."""
    routing = name.startswith("set_") and name.endswith("_request")
    return True if routing else None


def mend_references(app, what, name, obj, options, lines):
    """Keep `(n_features_in_,)` in a type, and scikit-learn's glossary, from being links."""
    lines[:] = [re.sub(r"(\(n_\w+)_(?=[,)])", r"\1\\_", line) for line in lines]
    lines[:] = [re.sub(r":term:`(\w+)`", r"``\1``", line) for line in lines]


def setup(app):
    app.connect("config-inited", write_reference)
    app.connect("config-inited", write_recipes)
    app.connect("source-read", add_badge)
    app.connect("build-finished", publish_notebooks)
    app.connect("autodoc-process-docstring", mend_references, priority=100)
    app.connect("autodoc-skip-member", skip_routing_methods)
