"""The README and the pages: what they say can be run, and what they name exists."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import click
import matplotlib
import pytest

import glomclf

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = sorted({*DOCS.glob("*.rst")} - {*DOCS.glob("sg_*")})  # sg: left by a build

pytestmark = pytest.mark.skipif(
    not README.is_file(), reason="installed without the README and the pages"
)


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a Markdown text."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def directives(text: str, language: str) -> list[str]:
    """Return the code blocks of a reStructuredText page."""
    found = re.findall(
        rf"^\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)", text, re.MULTILINE
    )
    return [re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in found]


def command_lines() -> list[str]:
    """Return every `glomclf ...` of the README and the pages, each on one line."""
    scripts = blocks(README.read_text(), "console")
    for page in PAGES:
        for language in ("console", "bash"):
            scripts += directives(page.read_text(), language)
        scripts += re.findall(r"^     - ``(glomclf [^`]+)``", page.read_text(), re.M)
    lines = "\n".join(scripts).replace("\\\n", " ").splitlines()
    lines = [re.sub(r"^(\$ |srun )", "", line) for line in lines]
    return [line for line in lines if line.startswith("glomclf ")]


def test_readme_python_runs_and_prints_scores_with_intervals(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (code,) = blocks(README.read_text(), "python")
    assert len(code.splitlines()) <= 20
    many = "160, n_participants=32"
    assert many in code
    code = code.replace(many, "64, n_participants=20")
    namespace: dict = {}

    exec(compile(code, "README.md", "exec"), namespace)

    low, high = namespace["result"].interval("recall")
    assert 0 <= low <= namespace["result"].scores["recall"] <= high <= 1
    assert len(namespace["scores"]["test_score"]) == 3
    assert (tmp_path / "model.glomclf").is_file()
    printed = capsys.readouterr().out
    assert "ROC AUC in each fold: [" in printed
    assert "roc_auc" in printed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_of_a_page_compiles_and_imports_what_exists(page):
    for code in directives(page.read_text(), "python"):
        compile(code, page.name, "exec")
        imports = re.findall(r"^from glomclf\S* import .+$", code, re.MULTILINE)
        exec("\n".join(imports), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_calls_on_a_page_have_known_parameters(page):
    for code in directives(page.read_text(), "python"):
        names: dict = {}
        exec(
            "\n".join(re.findall(r"^from glomclf\S* import .+$", code, re.MULTILINE)),
            names,
        )
        for call in ast.walk(ast.parse(code)):
            called = names.get(getattr(getattr(call, "func", None), "id", ""))
            if callable(called):
                given = [keyword.arg for keyword in call.keywords]
                inspect.signature(called).bind_partial(**dict.fromkeys(given))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_things_that_exist(page):
    named = re.findall(r":(?:class|func|mod):`~?(glomclf[\w.]*)`", page.read_text())
    for name in named:
        owner, _, last = name.rpartition(".")
        assert hasattr(importlib.import_module(owner), last), name


# Pages of tables, questions and rules, where a picture would only fill space.
WITHOUT_PICTURE = {
    *("architecture", "benchmarks", "command_line", "faq", "install"),
    *("model_files", "speed", "weights"),
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_pictures_that_exist_and_say_what_they_show(page):
    text = page.read_text()
    pictures = re.findall(r"^ *\.\. image:: (\S+)\n +:alt: \S", text, re.MULTILINE)
    assert len(pictures) == len(re.findall(r"\.\. image::", text))
    assert (page.stem in WITHOUT_PICTURE) == (not pictures)
    for picture in pictures:
        drawn = re.fullmatch(
            r"auto_examples/images/sphx_glr_(plot_\w+)_\d{3}\.png", picture
        )
        source = f"../examples/{drawn[1]}.py" if drawn else picture
        assert (page.parent / source).is_file()


def test_addresses_are_whole_and_lead_out_by_https():
    pages = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *PAGES]
    text = "\n".join(page.read_text() for page in pages)
    found = re.findall(r"\bhttps?://[^\s`'\"<>)]*", text)
    assert found
    for address in found:
        scheme, host = urlsplit(address)[:2]
        assert scheme == "https", address
        assert re.fullmatch(r"[\w-]+(\.[\w-]+)+", host), address
        assert not address.endswith((".", ",", ";")), address


def test_what_stands_beside_other_libraries_can_be_called():
    text = (ROOT / "docs" / "data.rst").read_text()
    _, _, section = text.partition("Coming from another library")
    section, _, _ = section.partition("When something is wrong")
    cells = re.findall(r"^     - ``([^`]+)``", section, re.MULTILINE)
    calls = [cell for cell in cells if not cell.startswith("glomclf ")]
    assert len(calls) >= 4
    for code in calls:
        called = ast.parse(code, mode="eval").body
        while isinstance(called.func, ast.Attribute):
            called = called.func.value
        given = [keyword.arg for keyword in called.keywords]
        signature = inspect.signature(getattr(glomclf, called.func.id))
        signature.bind_partial(*called.args, **dict.fromkeys(given))


def test_the_architecture_names_files_that_exist():
    text = (ROOT / "docs" / "architecture.rst").read_text()
    named = re.findall(r"``((?:[\w.]+/)+[\w.]*|\w+\.py)``", text)
    missing = [name for name in named if not (ROOT / "glomclf" / name).exists()]
    assert len(named) >= 15
    assert not [name for name in missing if not (ROOT / name).exists()]


def test_the_architecture_has_every_package():
    packages = {path.name for path in (ROOT / "glomclf").iterdir() if path.is_dir()}
    text = (ROOT / "docs" / "architecture.rst").read_text()
    assert {f"{name}/" for name in packages - {"__pycache__"}} <= set(
        re.findall(r"``(\w+/)``", text)
    )


def test_readme_names_files_that_exist():
    text = README.read_text()
    named = re.findall(r"\]\(([^)]+)\)", text)
    named += re.findall(r"(?:docs|examples)/\w[\w/.]*", text)
    built = "docs/_build"
    missing = [
        name
        for name in named
        if not name.startswith(built) and not (ROOT / name.rstrip("./")).exists()
    ]
    assert len(named) >= 6
    assert not missing


def test_readme_names_targets_that_make_has():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"`make (\w+)`", README.read_text())
    assert {"demo", "test", "docs"} <= set(named) <= set(targets)


@pytest.mark.parametrize("line", command_lines())
def test_command_line_of_the_pages_is_understood(line):
    from glomclf.cli import main

    _, name, *arguments = shlex.split(line)
    parent = click.Context(main)
    command = main.get_command(parent, name)
    assert command is not None, f"{name!r} is not a command of glomclf"
    command.make_context(name, arguments, parent=parent)  # raises a UsageError


def test_command_lines_are_found():
    assert len(command_lines()) >= 6


def test_changelog_has_an_entry_for_this_version():
    assert f"\n## {glomclf.__version__} " in (ROOT / "CHANGELOG.md").read_text()


def test_readme_picture_is_small_and_made_by_the_command_it_names(
    tmp_path, monkeypatch
):
    text = README.read_text()
    (picture,) = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    (command,) = re.findall(r"`python (examples/plot_\w+\.py --output \S+)`", text)
    script, _, output = command.split()
    assert output == picture
    assert (ROOT / picture).stat().st_size < 300_000

    import runpy

    from matplotlib import pyplot as plt

    matplotlib.use("agg")
    target = tmp_path / "sheet.png"
    monkeypatch.setattr("sys.argv", [script, "--output", str(target)])
    try:
        runpy.run_path(str(ROOT / script))
    finally:
        plt.close("all")

    drawn, committed = (plt.imread(path) for path in (target, ROOT / picture))
    assert drawn.shape == committed.shape
    assert abs(drawn - committed).mean() < 0.02
