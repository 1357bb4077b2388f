"""What a study is to be, checked before anything slow begins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from .console import InputError

if TYPE_CHECKING:
    from optuna.pruners import BasePruner

__all__ = ["TUNED", "check_scores", "check_study", "make_pruner", "make_space"]

# The parts of `glomclf.tuning.search_space`, which is too heavy to import here; a test
# holds them together.
TUNED = (
    "sampler",
    "sampling_space",
    "trainable_layers",
    "dense_units",
    "dropout",
    "optimizer",
    "learning_rate",
    "batch_size",
    "class_weight",
)


def check_scores(metrics: Sequence[str], bounds: Mapping[str, float]) -> None:
    """Refuse scores that scikit-learn does not have, all at once.

    Parameters
    ----------
    metrics : sequence of str
        To be as high as possible.
    bounds : mapping of str to float
        To be reached.

    Raises
    ------
    InputError
        It names scores that are written much like those given.
    """
    from sklearn.metrics import get_scorer_names

    known = get_scorer_names()
    faults = []
    for name in dict.fromkeys((*metrics, *bounds)):
        if name not in known:
            near = get_close_matches(name, known, n=3)
            hint = f"; did you mean {' or '.join(near)}?" if near else "."
            faults.append(f"{name!r} is not a score of scikit-learn's{hint}")
    faults += [f"--metric {name} is given twice." for name in _twice(metrics)]
    if faults:
        faults.append("Examples: average_precision, roc_auc, f1, recall, precision.")
        raise InputError("\n".join(faults))


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def make_space(fixed: Mapping[str, Any]) -> Callable[[Any], dict[str, Any]]:
    """Take settings out of the space that is tuned.

    Parameters
    ----------
    fixed : mapping of str to object
        Settings and their values. If samplers are to see features and
        ``trainable_layers`` is not among them, the head alone is trained: features of
        more layers are large, and such trials take long. If all layers are trained,
        samplers see pixels.

    Returns
    -------
    space : callable
        Of an Optuna trial.

    Raises
    ------
    InputError
        If nothing is left to tune.
    """
    from functools import partial

    from ..tuning import search_space

    if set(fixed) >= set(TUNED):
        raise InputError(
            "All settings that can be tuned were given, and nothing is left to tune: "
            f"leave out one of {', '.join(_option(name) for name in TUNED)}, or use "
            "`glomclf train`."
        )
    settings = dict(fixed)
    if settings.get("sampling_space") == "features":
        settings.setdefault("trainable_layers", 0)
    if settings.get("trainable_layers") == "all":  # there are no features to resample
        settings.setdefault("sampling_space", "pixels")
    return partial(search_space, **settings)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def make_pruner(
    name: str | None, metrics: Collection[str], bounds: Collection[str]
) -> BasePruner | None:
    """Make a pruner, where it can be used.

    Raises
    ------
    InputError
        If there are several scores, or one that must be reached.
    """
    if name is None:
        return None
    if len(metrics) > 1 or bounds:
        raise InputError(
            f"--pruner {name} compares trials by a single score: leave it out, or give "
            "one --metric and no --at-least."
        )
    from optuna.pruners import MedianPruner, WilcoxonPruner

    return MedianPruner() if name == "median" else WilcoxonPruner()


def check_study(storage: str, study_name: str, *, resume: bool) -> None:
    """Refuse a storage that cannot be used, or a study that is there already.

    Parameters
    ----------
    storage : str
    study_name : str
    resume : bool
        Whether the study may be there.

    Raises
    ------
    StudyError
        If the storage cannot be used.
    InputError
        If the study is there, and not to be gone on with.
    """
    from ..tuning.reading import trials_over
    from ..tuning.storages import is_journal, journal_file, shown
    from ..tuning.studies import find_study

    # Opening it would make it.
    if is_journal(storage) and not journal_file(storage).exists():
        return
    study = find_study(storage, study_name)
    if study is not None and not resume:
        raise InputError(
            f"The study {study_name!r} exists in {shown(storage)}, with "
            f"{len(trials_over(study))} trials. Go on with it with --resume, or begin "
            "another: give another --study, or another --output."
        )
