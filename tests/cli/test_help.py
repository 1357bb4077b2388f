"""Help answers at once, is short, and says what the library has."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from glomclf.cli import main
from glomclf.cli.train import command as train
from glomclf.data.table_files import COLUMNS
from glomclf.model.recipes import RECIPES

COMMANDS = main.list_commands(None)


def options_of(name):
    command = main.get_command(click.Context(main), name)
    return [one for one in command.params if isinstance(one, click.Option)]


def test_help_loads_click_and_no_other_package():
    code = """
import importlib.metadata, sys
import click
at_start = set(sys.modules)
from glomclf.cli import main

for words in [[], *([name] for name in main.list_commands(None))]:
    main([*words, "--help"], standalone_mode=False)
loaded = {name.split(".")[0] for name in set(sys.modules) - at_start}
known = set(importlib.metadata.packages_distributions()) - {"click", "glomclf"}
sys.exit(" ".join(loaded & known))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == ""
    assert done.stdout.count("Usage:") == 1 + len(COMMANDS)


READING = {"columns", "labels"}  # what the table of others is like: in all or none


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_few_options_and_each_has_help(name):
    options = options_of(name)
    names = {option.name for option in options}
    assert len(names - READING) <= 15
    assert names >= READING or not READING & names
    assert all(option.help for option in options)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"demo", "doctor", "cache"}))
def test_the_input_is_the_first_argument(name):
    command = main.get_command(click.Context(main), name)
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    assert command.params[0] is arguments[0]
    assert arguments[0].required


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"doctor", "cache"}))
def test_a_command_that_writes_files_has_an_output(name):
    assert "--output" in CliRunner().invoke(main, [name, "--help"]).stdout


def test_the_help_of_columns_names_all_of_them():
    (columns,) = (one for one in train.params if one.name == "columns")
    assert f"{', '.join(COLUMNS[:-1])} and {COLUMNS[-1]} " in columns.help


def test_recipes_are_those_of_the_library():
    (recipe,) = (one for one in train.params if one.name == "recipe")
    assert set(recipe.type.choices) == set(RECIPES)
