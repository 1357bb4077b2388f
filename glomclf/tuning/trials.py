"""Which trials of a study count, which were lost, and which is whose.

A study is planned to have so many trials. A trial counts when it is complete, pruned,
or failed by an error of its own, which the objective notes as ``error``. A trial whose
worker was killed or interrupted is lost: it ends as failed, and its place goes to a new
trial, the retry, with the same index and the same parameters. So however many workers
join, stop or die, as many trials count in the end as were planned.
"""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

__all__ = [
    "Tally",
    "claim",
    "counted_trials",
    "fail_and_requeue",
    "index_of",
    "is_lost",
    "requeue",
    "requeue_dead",
    "requeue_interrupted",
    "runs_here",
    "worker_name",
]

_MACHINE_ID = Path("/etc/machine-id")
_MOST_DEATHS = 3
"""How often a trial may end its worker before it counts as failed."""


def counted_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials that count: complete, pruned, or failed by their own error.

    Parameters
    ----------
    study : optuna.Study

    Returns
    -------
    list of optuna.trial.FrozenTrial
        In the order of their numbers. Lost trials, whose worker was killed or
        interrupted, are left out: another trial has taken their place.

    Examples
    --------
    >>> import optuna
    >>> from glomclf.tuning import counted_trials
    >>> study = optuna.create_study()
    >>> study.add_trial(optuna.trial.create_trial(value=0.5))
    >>> study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL))
    >>> [trial.value for trial in counted_trials(study)]
    [0.5]
    """
    trials = study.get_trials(deepcopy=False)
    return [t for t in trials if t.state.is_finished() and not is_lost(t)]


def is_lost(trial: FrozenTrial) -> bool:
    """Tell whether a trial ended with its worker, or was one too many."""
    from optuna.trial import TrialState

    attributes = trial.user_attrs
    if trial.state != TrialState.FAIL:
        return False
    if attributes.get("lost") is not None:
        return True
    return "error" not in attributes and attributes.get("deaths", 0) < _MOST_DEATHS - 1


def index_of(trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> int:
    """Return the place of a trial in the plan; a retry has that of the lost one.

    Parameters
    ----------
    trial : optuna.trial.FrozenTrial
    trials : sequence of optuna.trial.FrozenTrial
        All trials of the study.

    Returns
    -------
    int
        From 0.
    """
    if "retry_of" in trial.user_attrs:
        return trial.user_attrs["index"]
    return sum(
        other.number < trial.number
        and "retry_of" not in other.user_attrs
        and other.user_attrs.get("lost") != "surplus"
        for other in trials
    )


@dataclass(frozen=True)
class Tally:
    """How far a study is.

    Parameters
    ----------
    finished : int
        Trials that count.
    running, waiting : int
        Trials under way, and in the queue. One that two processes have queued counts
        once: the second of its twins is never run.
    """

    finished: int
    running: int
    waiting: int

    @classmethod
    def of(cls, study: Study) -> Tally:
        """Count the trials of a study."""
        from optuna.trial import TrialState

        trials = study.get_trials(deepcopy=False)
        return cls(
            sum(t.state.is_finished() and not is_lost(t) for t in trials),
            sum(t.state == TrialState.RUNNING for t in trials),
            sum(
                t.state == TrialState.WAITING and not _is_twin(t, trials)
                for t in trials
            ),
        )

    @property
    def planned(self) -> int:
        """Trials that count or will."""
        return self.finished + self.running + self.waiting


def claim(trial: Any, n_trials: int | None) -> bool:
    """Sign a trial, unless others have taken all that are planned meanwhile.

    Parameters
    ----------
    trial : optuna.trial.Trial
        As it was asked for.
    n_trials : int or None
        How many are planned; None: any number.

    Returns
    -------
    bool
        False: it is one too many, and is to be given up.
    """
    trials = trial.study.get_trials(deepcopy=False)
    before = sum(t.number < trial.number and not is_lost(t) for t in trials)
    if _is_twin(trial, trials) or (n_trials is not None and before >= n_trials):
        trial.set_user_attr("lost", "surplus")
        return False
    trial.set_user_attr("worker", worker_name())
    return True


def requeue(study: Study, trial: FrozenTrial) -> None:
    """Put a lost trial into the queue again, unless it has ended too many workers.

    It keeps its parameters where all of them were chosen; otherwise they are chosen
    again, and, from the same seed, to the same values.

    Parameters
    ----------
    study : optuna.Study
    trial : optuna.trial.FrozenTrial
        Failed. The signature is that of Optuna's callback for stale trials.
    """
    from optuna.trial import TrialState, create_trial

    if not is_lost(trial) or trial.user_attrs.get("lost") == "surplus":
        return
    trials = study.get_trials(deepcopy=False)
    if _retries(trials, trial.number):  # another process was first
        return
    was_stopped = trial.user_attrs.get("lost") == "interrupted"
    is_whole = "settings" in trial.user_attrs
    fixed = trial.system_attrs.get("fixed_params")
    retry = create_trial(
        state=TrialState.WAITING,
        params=trial.params if is_whole else {},
        distributions=trial.distributions if is_whole else {},
        system_attrs={} if fixed is None else {"fixed_params": fixed},
        user_attrs={
            "index": index_of(trial, trials),
            "retry_of": trial.number,
            "deaths": trial.user_attrs.get("deaths", 0) + (not was_stopped),
        },
    )
    study.add_trial(retry)


def _retries(trials: Sequence[FrozenTrial], number: int) -> list[FrozenTrial]:
    return [t for t in trials if t.user_attrs.get("retry_of") == number]


def _is_twin(trial: Any, trials: Sequence[FrozenTrial]) -> bool:
    """Tell whether another process had queued the same lost trial before."""
    lost = trial.user_attrs.get("retry_of")
    if lost is None:
        return False
    return any(retry.number < trial.number for retry in _retries(trials, lost))


def requeue_dead(study: Study) -> int:
    """Fail trials that a dead process of this machine was running; queue them again.

    Returns
    -------
    int
        How many.
    """
    from optuna.trial import TrialState

    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    dead = [t.number for t in running if is_dead(t.user_attrs.get("worker", ""))]
    for number in dead:
        fail_and_requeue(study, number)
    return len(dead)


def fail_and_requeue(study: Study, number: int) -> None:
    """End a running trial as lost, and put it into the queue again."""
    from optuna.trial import TrialState

    # Another process may have seen it first.
    with suppress(ValueError, RuntimeError):
        study.tell(number, state=TrialState.FAIL)
        requeue(study, study.get_trials(deepcopy=False)[number])


def requeue_interrupted(study: Study) -> None:
    """Queue lost trials again that nobody has queued yet."""
    for trial in study.get_trials(deepcopy=False):
        requeue(study, trial)


# Whose trial it is.


def worker_name() -> str:
    """Name this process so that others on this machine can tell whether it lives."""
    return f"{_machine()}/{os.getpid()}/{_started(os.getpid())}"


def is_dead(worker: str) -> bool:
    """Tell whether a worker is known to be gone; of another machine nobody knows."""
    machine, pid, started = ["", "", *worker.rsplit("/", 2)][-3:]
    if machine != _machine():
        return _is_before_start(machine)
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return _started(int(pid)) not in ("", started) or _is_zombie(int(pid))


def runs_here(trial: FrozenTrial) -> bool:
    """Tell whether a process of this machine is at a trial, or nobody knows whose."""
    worker = trial.user_attrs.get("worker")
    return worker is None or worker.rsplit("/", 2)[0] == _machine()


def _is_before_start(machine: str) -> bool:
    """Tell whether a name is of this machine, before it was started again."""
    theirs, own = machine.split(" "), _machine().split(" ")
    is_known = len(own) == len(theirs) == 4 and own[1] != ""
    return is_known and theirs[:2] == own[:2] and theirs[2] != own[2]


@functools.cache
def _machine() -> str:
    """Name the machine, its start, and the space its process ids are from."""
    parts = [platform.node()]
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        space = os.readlink("/proc/self/ns/pid")
        parts += [_installation(), boot.strip()[:8], space]
    return " ".join(parts)


def _installation() -> str:
    """Tell machines of one name apart; "" where that is unknown."""
    try:
        return _MACHINE_ID.read_text().strip()[:8]
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process began, since its id may be given again; "" if unknown."""
    fields = _status(pid)
    return fields[19] if fields else ""


def _is_zombie(pid: int) -> bool:
    fields = _status(pid)
    return bool(fields) and fields[0] == "Z"


def _status(pid: int) -> list[str]:
    """Return what Linux knows of a process, from its state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
