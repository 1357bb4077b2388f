"""What the scripts share that write pages of tables, and keep predictions for them."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# What decides no prediction, or, the csv, by what it holds.
_BESIDE = ("cache_dir", "csv", "output", "predictions", "seeds")


def command() -> str:
    """Return the command line without the folders of this machine."""
    words = [Path(word).name if "/" in word else word for word in sys.argv]
    return f"python examples/benchmarks/{' '.join(words)}"


def about(labels: Any, participants: Any) -> str:
    """Say how many patches and participants there are."""
    counts = np.bincount(labels)
    return (
        f"{len(labels)} patches ({counts[0]} of class 0, {counts[1]} of class 1) of "
        f"{len(np.unique(participants))} participants"
    )


def grid(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    return lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def cell(estimates: Any, score: str, form: str = "{:.3f}") -> str:
    """Write a score with its interval, where it has one."""
    ends = [form.format(end) for end in estimates.interval(score)]
    value = form.format(estimates.scores[score])
    return value if "nan" in "".join(ends) else f"{value} ({' to '.join(ends)})"


def kept(path: Path, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Return the predictions of a file, made now or earlier."""
    if not path.exists():
        partial = path.with_suffix(".partial")
        make().to_csv(partial, index=False)
        partial.replace(path)
        print(f"{path.stem}: done", flush=True)
    return pd.read_csv(path)


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
    old = json.loads(file.read_text(encoding="utf-8"))
    other = sorted(name for name in {*old, *given} if old.get(name) != given.get(name))
    if other:
        raise SystemExit(
            f"{options.predictions} holds predictions that were made with another "
            f"{', '.join(other)}. Give another --predictions."
        )
