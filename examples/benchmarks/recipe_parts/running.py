"""Unit after unit, each kept as soon as it is done."""

from __future__ import annotations

import multiprocessing
import platform
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from typing import Any

import joblib
import numpy as np
from scipy.special import expit, logit

from glomclf.network.processor import processor_name

from .fitting import NETWORKS, fit_and_predict
from .methods import MEAN, METHODS, Method
from .patches import Rows
from .results import Results, Unit

DIGITS = 5  # of probabilities; enough for scores to the third digit, and small


def run(
    units: Sequence[Unit],
    results: Results,
    minutes: float | None = None,
    cache_dir: str | None = None,
) -> list[Unit]:
    """Run what is to do, and return the units that failed.

    A unit that fails is said and left to do; the others go on. After `minutes` none is
    started.
    """
    failed = []
    end = np.inf if minutes is None else time.monotonic() + 60 * minutes
    for unit in units:
        if results.state(unit) == "done" or time.monotonic() > end:
            continue
        try:
            record = execute(unit, results, cache_dir)
        except Exception:
            print(f"{unit}: failed\n{traceback.format_exc()}")
            failed.append(unit)
            continue
        results.add(unit, record)
        print(f"{unit}: done in {record['seconds']:.0f} s")
    return failed


def execute(unit: Unit, results: Results, cache_dir: str | None) -> dict[str, Any]:
    """Run one unit; networks in a process of their own, which gives all memory back."""
    train, test = results.patches.folds[unit.split][unit.fold]
    method, patches = METHODS[unit.method], results.patches
    if method.kind == MEAN:
        return mean_of(unit, results)
    given = (method, patches.rows(train), patches.X.iloc[test], cache_dir)
    if method.kind not in NETWORKS:
        return work(*given)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(work, *given).result()


def mean_of(unit: Unit, results: Results) -> dict[str, Any]:
    """Take the mean log odds of what other methods predict for the same fold."""
    method = METHODS[unit.method]
    parts = [results.record(unit._replace(method=m)) for m in method.parameters["of"]]
    if any(part is None for part in parts):
        raise ValueError(f"{unit} needs the same fold of {method.parameters['of']}")
    # Probabilities are kept to some digits, so that 0 and 1 stand among them.
    edge = 10.0**-DIGITS / 2
    kept = np.clip([part["probability"] for part in parts], edge, 1 - edge)
    return {
        **parts[0],
        "settings": method.settings(),
        "threshold": 0.5,
        **{k: sum(p[k] for p in parts) for k in ("fit_seconds", "seconds")},
        "processor": parts[-1]["processor"],
        "probability": np.round(expit(logit(kept).mean(axis=0)), DIGITS).tolist(),
    }


def work(
    method: Method, train: Rows, X_test: Any, cache_dir: str | None
) -> dict[str, Any]:
    """Do one unit in this process and return what is kept of it."""
    outcome = fit_and_predict(method, train, X_test, cache_dir)
    packages = ("glomclf", "scikit-learn", "tensorflow", "keras", "numpy")
    versions = {package: version(package) for package in packages}
    return {
        "settings": method.settings(),
        "n_train": len(train.y),
        "threshold": outcome.threshold,
        "fit_seconds": round(outcome.fit_seconds, 2),
        "seconds": round(outcome.seconds, 2),
        "processor": f"{processor_name()}, {joblib.cpu_count()} cores",
        "versions": {"python": platform.python_version(), **versions},
        "probability": np.round(outcome.probability, DIGITS).tolist(),
    }
