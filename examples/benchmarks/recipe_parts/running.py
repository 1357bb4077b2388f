"""Unit after unit, each kept as soon as it is done, within a time if one is given."""

from __future__ import annotations

import multiprocessing
import os
import platform
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from .fitting import NETWORKS, fit_and_predict
from .methods import Method
from .patches import Rows
from .results import DIGITS, Results, Unit

_CPU_FILE = Path("/proc/cpuinfo")


@dataclass
class Budget:
    """How long may be run, and what a unit is expected to take.

    Parameters
    ----------
    minutes : float or None
        From now on; None: without end.
    expected : float
        Minutes that a unit takes of which no like was timed on this processor.
    """

    minutes: float | None
    expected: float
    start: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        """Return the seconds that are left."""
        if self.minutes is None:
            return np.inf
        return 60 * self.minutes - (time.monotonic() - self.start)

    def seconds_of(
        self, unit: Unit, methods: Mapping[str, Method], results: Results
    ) -> float:
        """Expect the slowest fit of the method here, for each fit and training row.

        Of a method not yet timed on this processor, all of its family count.
        """
        method = methods[unit.method]
        rates: dict[str, list[float]] = {"same": [], "akin": []}
        for other, record in results.units.items():
            known = methods.get(other.method)
            if known is None or results.record(other, known) is None:
                continue
            if record["processor"] != processor() or known.family != method.family:
                continue
            kind = "same" if other.method == unit.method else "akin"
            rates[kind].append(record["seconds"] / record["n_train"] / known.n_fits)
        found = rates["same"] or rates["akin"]
        n_train = len(results.folds(unit.split)[unit.fold][0])
        return n_train * method.n_fits * max(found) if found else 60 * self.expected


def run(
    units: Sequence[Unit],
    methods: Mapping[str, Method],
    results: Results,
    budget: Budget,
    *,
    cache_dir: str | None = None,
    say: Callable[[str], None] = print,
) -> list[Unit]:
    """Run what is to do, and return the units that failed.

    A unit that fails is said and left to do; the others go on. No unit is started that
    is not expected to end within the budget.
    """
    failed = []
    for unit in units:
        if results.state(unit, methods[unit.method]) == "done":
            continue
        expected, left = budget.seconds_of(unit, methods, results), budget.left()
        if expected > left:
            say(f"{unit}: not started, {expected:.0f} s expected, {left:.0f} s left")
            continue
        try:
            record = execute(unit, methods[unit.method], results, cache_dir)
        except Exception:
            say(f"{unit}: failed\n{traceback.format_exc()}")
            failed.append(unit)
            continue
        results.add(unit, record)
        say(f"{unit}: done in {record['seconds']:.0f} s")
    return failed


def execute(
    unit: Unit, method: Method, results: Results, cache_dir: str | None
) -> dict[str, Any]:
    """Run one unit; networks in a process of their own, which gives all memory back."""
    train, test = results.folds(unit.split)[unit.fold]
    patches = results.patches
    given = (method, patches.rows(train), patches.X.iloc[test])
    options = {"shared": results.shared, "seed": results.seed, "cache_dir": cache_dir}
    if method.kind not in NETWORKS:
        return work(*given, options)
    context = multiprocessing.get_context("spawn")
    # Unlike multiprocessing's own pool it says when the process was killed.
    with ProcessPoolExecutor(
        1, mp_context=context, initializer=end_with_parent
    ) as executor:
        return executor.submit(work, *given, options).result()


def end_with_parent() -> None:
    """End this process when the one that started it is gone, be it by `kill -9`."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # it was started by another

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def work(
    method: Method, train: Rows, X_test: Any, options: dict[str, Any]
) -> dict[str, Any]:
    """Do one unit in this process and return what is kept of it."""
    outcome = fit_and_predict(method, train, X_test, **options)
    return {
        "settings": method.settings(options["shared"]),
        "n_train": len(train.y),
        "threshold": outcome.threshold,
        "fit_seconds": round(outcome.fit_seconds, 2),
        "seconds": round(outcome.seconds, 2),
        "processor": processor(),
        "accelerator": accelerator(),
        "versions": versions(),
        "probability": np.round(outcome.probability, DIGITS).tolist(),
    }


def processor() -> str:
    """Name the processor and how many of its cores may be used."""
    name = platform.processor() or platform.machine()
    if _CPU_FILE.is_file():  # said by Linux alone
        lines = _CPU_FILE.read_text().splitlines()
        names = [line.split(":")[1] for line in lines if line.startswith("model name")]
        name = names[0].strip() if names else name
    return f"{name}, {joblib.cpu_count()} cores"


def accelerator() -> str | None:
    """Name the GPU that TensorFlow used, if it was loaded and has one."""
    if "tensorflow" not in sys.modules:
        return None
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(device) for device in devices]
    return ", ".join(one.get("device_name", "GPU") for one in details) or None


def versions() -> dict[str, str]:
    """Return the versions of what numbers depend on."""
    from glomclf.report.environment import library_versions

    found = library_versions()
    kept = ("python", "glomclf", "scikit-learn", "tensorflow", "keras", "numpy")
    return {name: found[name] for name in kept}
