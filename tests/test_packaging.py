"""Files beside the code that repeat what pyproject.toml says: all of them agree."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import glomclf

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").is_file(), reason="installed without the clone"
)


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def recipe():
    return yaml.safe_load((ROOT / ".conda" / "recipe.yaml").read_text())


def test_the_citation_is_that_of_this_version(project):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["title"] == project["name"]
    assert citation["version"] == glomclf.__version__
    assert citation["license"] == project["license"]
    assert citation["keywords"] == project["keywords"]
    assert citation["authors"] == project["authors"]


def test_the_conda_recipe_is_that_of_this_version(project, recipe):
    assert recipe["package"]["name"] == project["name"]
    assert recipe["context"]["version"] == glomclf.__version__
    assert recipe["about"]["summary"] == project["description"]
    assert recipe["about"]["license"] == project["license"]
    ((name, target),) = project["scripts"].items()
    assert recipe["build"]["python"]["entry_points"] == [f"{name} = {target}"]


def test_conda_installs_what_pip_does(project, recipe):
    python, *needed = recipe["requirements"]["run"]
    least = recipe["context"]["python_min"]
    bounds = python.replace("${{ python_min }}", least).removeprefix("python ")
    assert bounds == project["requires-python"]
    # Conda's "matplotlib" brings a toolkit of windows with it.
    needed = [re.sub("^matplotlib-base ", "matplotlib ", entry) for entry in needed]
    assert sorted(entry.replace(" ", "") for entry in needed) == sorted(
        project["dependencies"]
    )


def test_the_image_has_extras_that_exist_and_the_weights_of_the_default_recipe(project):
    (extras,) = re.findall(
        r"^ARG EXTRAS=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    extras = set(extras.split(","))
    assert "pretrained" in extras
    assert extras <= set(project["optional-dependencies"])
