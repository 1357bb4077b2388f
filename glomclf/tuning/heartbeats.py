"""Trials in a database that show life from their first moment on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.storages import RDBStorage
from optuna.storages._rdb.models import TrialHeartbeatModel
from optuna.trial import FrozenTrial, TrialState


class DatabaseStorage(RDBStorage):
    """A database in which no trial runs without a heartbeat.

    Optuna records the first heartbeat in a thread, after the trial has begun. A process
    that is killed before leaves a trial that runs for ever: trials without a heartbeat
    are never taken for dead. Here the first heartbeat is recorded with the beginning.
    """

    def _get_prepared_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None, session: Any
    ) -> Any:
        """Make a trial; the caller commits it, and its heartbeat, at once."""
        trial = super()._get_prepared_new_trial(study_id, template_trial, session)
        if trial.state == TrialState.RUNNING:
            session.add(TrialHeartbeatModel(trial_id=trial.trial_id))
        return trial

    def set_trial_state_values(
        self,
        trial_id: int,
        state: TrialState,
        values: Sequence[float] | None = None,
    ) -> bool:
        """Set a trial's state; one that waited gets its heartbeat before it runs."""
        if state == TrialState.RUNNING:
            self.record_heartbeat(trial_id)
        return bool(super().set_trial_state_values(trial_id, state, values))
