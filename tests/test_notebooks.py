"""Notebooks that the pages offer: they run as they stand, in Jupyter and in Colab."""

from __future__ import annotations

import re
import runpy
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

nbclient = pytest.importorskip("nbclient", reason="the extra test has nbclient")
nbformat = pytest.importorskip("nbformat")
writer = pytest.importorskip("sphinx_gallery.notebook")

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))
NOTEBOOKS = ("plot_patches_to_model", "plot_new_biopsy", "plot_three_approaches")
# What would take longer: the page's number, and the number here.
FEWER = {
    "plot_patches_to_model": {
        "    160,\n    n_participants=32": "    72,\n    n_participants=18",
        "image_size=96": "image_size=64",
    },
    "plot_new_biopsy": {"    240, n_participants=30": "    96, n_participants=16"},
    "plot_three_approaches": {
        "    320,\n    n_participants=40": ("    120,\n    n_participants=24")
    },
}
CONF = ROOT / "docs" / "conf.py"

pytestmark = pytest.mark.skipif(not CONF.is_file(), reason="installed without pages")


@pytest.fixture
def read_conf(monkeypatch):
    """Return a function that reads conf.py, published at a repository or not."""

    def read(repository=""):
        monkeypatch.setenv("GLOMCLF_REPOSITORY", repository)
        with warnings.catch_warnings():
            return runpy.run_path(str(CONF))

    return read


@pytest.fixture
def write_notebook(tmp_path, read_conf):
    """Return a function that makes the notebook of an example, as the pages do."""

    def write(name, repository=""):
        script = tmp_path / f"{name}.py"
        script.write_text((ROOT / "examples" / script.name).read_text())
        conf = read_conf(repository)["sphinx_gallery_conf"]
        writer.python_to_jupyter_cli([str(script)], sphinx_gallery_conf=conf)
        return nbformat.read(script.with_suffix(".ipynb"), as_version=4)

    return write


@pytest.mark.slow
def test_notebooks_run_and_show_pictures(write_notebook, tmp_path):
    notebooks = {name: write_notebook(name) for name in NOTEBOOKS}
    for name, fewer in FEWER.items():
        cells = notebooks[name].cells
        for much, few in fewer.items():
            assert any(much in cell.source for cell in cells)
            for cell in cells:
                cell.source = cell.source.replace(much, few)

    cells = iter(run_in_one_kernel(list(notebooks.values()), tmp_path))
    for notebook in notebooks.values():
        ran = [next(cells) for _ in notebook.cells]
        next(cells)  # what it left is forgotten
        outputs = [one for cell in ran for one in cell.get("outputs", [])]
        assert not [one for one in outputs if one.output_type == "error"]
        assert any("image/png" in one.get("data", {}) for one in outputs)
        assert any("text/html" in one.get("data", {}) for one in outputs)
        assert not ran[0].outputs  # nothing to install, nothing to mount


def run_in_one_kernel(notebooks, folder):
    """Run the cells of all: each kernel would load TensorFlow anew."""
    forget = nbformat.v4.new_code_cell("%reset -f")
    whole = notebooks[0].copy()
    whole.cells = [cell for one in notebooks for cell in (*one.cells, forget.copy())]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Jupyter's own
        ran = nbclient.NotebookClient(
            whole,
            timeout=300,
            startup_timeout=300,  # a busy machine is slow to start and to answer
            iopub_timeout=60,
            resources={"metadata": {"path": str(folder)}},
        ).execute()
    return ran.cells


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_text_of_a_notebook_holds_no_markup_of_the_pages(name, write_notebook):
    cells = write_notebook(name).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert not re.findall(r":\w+:`|^\.\. ", text, re.MULTILINE)


def test_first_cell_installs_what_is_missing_from_where_it_is_published(write_notebook):
    published, unpublished = (
        write_notebook(NOTEBOOKS[0], repository).cells[0].source
        for repository in ("lab/glomclf", "")
    )
    assert "@ git+https://github.com/lab/glomclf" in published
    assert "github" not in unpublished
    assert 'if importlib.util.find_spec("glomclf") is None:' in unpublished


def test_published_example_has_a_badge_that_opens_its_notebook(read_conf, tmp_path):
    page = "Title\n=====\n\nText.\n\nSection\n=======\n"
    source, plain, guide = [page], [page], [page]
    name = "auto_examples/plot_new_biopsy"
    conf = read_conf("lab/glomclf")
    conf["add_badge"](None, name, source)
    conf["add_badge"](None, "quickstart", guide)
    read_conf()["add_badge"](None, name, plain)

    (target,) = re.findall(r":target: (\S+)", source[0])
    assert source[0].startswith("Title\n=====\n\n.. image:: ")
    assert guide == plain == [page]
    start = "https://colab.research.google.com/github/lab/glomclf/blob/gh-pages/"
    assert target.startswith(start)

    app = SimpleNamespace(srcdir=tmp_path / "docs", outdir=tmp_path / "html")
    (tmp_path / "html").mkdir()
    (tmp_path / "docs" / "auto_examples").mkdir(parents=True)
    (tmp_path / "docs" / f"{name}.ipynb").write_text("{}")
    conf["publish_notebooks"](app, None)
    assert (tmp_path / "html" / target.removeprefix(start)).read_text() == "{}"


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.stem)
def test_example_takes_the_arguments_of_a_notebook(script):
    assert ".parse_args(" not in script.read_text()
