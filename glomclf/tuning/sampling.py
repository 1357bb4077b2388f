"""The same seed, the same trials: alone, resumed, or after a loss.

An Optuna sampler draws from one stream of random numbers, so that what a trial is given
depends on how many were drawn before in the same process. Here the stream begins anew
for every trial, from the seed and the trial's index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.samplers._lazy_random_state import LazyRandomState
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from .trials import index_of

__all__ = ["SeededSampler", "default_sampler"]


def default_sampler() -> BaseSampler:
    """Return Optuna's tree-structured Parzen estimator [1]_.

    References
    ----------
    .. [1] Watanabe (2023), "Tree-structured Parzen estimator: understanding its
       algorithm components and their roles for better empirical performance".
    """
    return TPESampler()


class SeededSampler(BaseSampler):
    """Another sampler, seeded for every trial.

    Parameters
    ----------
    sampler : optuna.samplers.BaseSampler
        It does the work. What it draws from is reseeded.
    seed : int

    Notes
    -----
    What a sampler chooses also depends on the trials that are finished. With several
    workers these differ from run to run, and with them the choices of all samplers that
    learn; random sampling stays the same.
    """

    def __init__(self, sampler: BaseSampler, seed: int):
        self.sampler = sampler
        self.seed = seed

    def __str__(self) -> str:
        return str(self.sampler)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Begin the stream of the trial."""
        index = index_of(trial, study.get_trials(deepcopy=False))
        for place, state in enumerate(_random_states(self.sampler)):
            sequence = np.random.SeedSequence((self.seed, index, place))
            state.rng.seed(int(sequence.generate_state(1)[0]))
        self.sampler.before_trial(study, trial)

    def reseed_rng(self) -> None:
        """Do nothing: each trial is seeded on its own."""

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Ask the sampler."""
        return self.sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self,
        study: Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        """Ask the sampler."""
        return self.sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Ask the sampler."""
        return self.sampler.sample_independent(
            study, trial, param_name, param_distribution
        )

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Tell the sampler."""
        self.sampler.after_trial(study, trial, state, values)


def _random_states(part: Any, seen: set[int] | None = None) -> Iterator[Any]:
    """Find what a sampler, and the samplers in it, draw from."""
    seen = set() if seen is None else seen
    if id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, LazyRandomState):
        yield part
    elif type(part).__module__.startswith("optuna.samplers"):
        for value in vars(part).values() if hasattr(part, "__dict__") else ():
            yield from _random_states(value, seen)
