"""Predictions that a benchmark keeps are of one set of settings, kept beside them."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

# What decides no prediction, or, the csv, by what it holds.
_BESIDE = ("cache_dir", "csv", "output", "predictions", "seeds")


def check_settings(options: argparse.Namespace) -> None:
    """Refuse a folder of predictions that were made with other settings.

    Parameters
    ----------
    options : Namespace
        With the folder ``predictions``, the file ``csv`` and whatever else decides.

    Raises
    ------
    SystemExit
        If the folder names other settings.
    """
    given = {k: str(v) for k, v in vars(options).items() if k not in _BESIDE}
    given["patches"] = hashlib.sha256(Path(options.csv).read_bytes()).hexdigest()
    options.predictions.mkdir(parents=True, exist_ok=True)
    file = options.predictions / "settings.json"
    if not file.exists():
        if any(options.predictions.glob("*.csv")):
            raise SystemExit(
                f"{options.predictions} holds predictions, and not what they were made "
                "with. Give another --predictions."
            )
        file.write_text(json.dumps(given, indent=1) + "\n", encoding="utf-8")
        return
    kept = json.loads(file.read_text(encoding="utf-8"))
    other = sorted(
        name for name in {*kept, *given} if kept.get(name) != given.get(name)
    )
    if other:
        raise SystemExit(
            f"{options.predictions} holds predictions that were made with another "
            f"{', '.join(other)}. Give another --predictions."
        )
