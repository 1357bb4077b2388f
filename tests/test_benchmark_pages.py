"""Pages of benchmarks: from kept predictions, and never those of other settings."""

import argparse

import pytest
from pages import check_settings


def options_of(folder, **settings):
    csv = folder / "patches.csv"
    csv.write_text(settings.pop("csv", "name,label\n"))
    places = {"csv": csv, "output": folder / "page.md", "predictions": folder / "kept"}
    return argparse.Namespace(**places, **{"seed": 0, "epochs": 3, **settings})


def test_predictions_of_the_same_settings_are_taken(tmp_path):
    check_settings(options_of(tmp_path))
    (tmp_path / "kept" / "fold_0.csv").touch()
    check_settings(options_of(tmp_path))


@pytest.mark.parametrize(
    ("change", "named"), [({"epochs": 4}, "epochs"), ({"csv": "other\n"}, "patches")]
)
def test_predictions_of_other_settings_are_refused(tmp_path, change, named):
    check_settings(options_of(tmp_path))
    with pytest.raises(SystemExit, match=f"made with another {named}"):
        check_settings(options_of(tmp_path, **change))


def test_predictions_without_settings_are_refused(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "fold_0.csv").touch()
    with pytest.raises(SystemExit, match="not what they were made with"):
        check_settings(options_of(tmp_path))
