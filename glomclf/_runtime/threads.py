"""The cores of this process."""

from __future__ import annotations

import os
import sys


def n_threads() -> int:
    """Return the cores for this process: all, shared among its fellow workers.

    joblib tells its worker processes their share in ``OMP_NUM_THREADS``, where a user
    may set it as well. Dask's nanny sets it to 1 whatever the share, so that in a
    Dask worker 1 means the worker's own number of threads: by default the cores of the
    machine, divided by its workers.

    Examples
    --------
    >>> import joblib
    >>> from glomclf._runtime import n_threads
    >>> 1 <= n_threads() <= joblib.cpu_count()
    True
    """
    import joblib

    text = os.environ.get("OMP_NUM_THREADS", "")
    given = int(text) if text.isdigit() else 0
    if given <= 1 and (share := _share_of_dask_worker()) is not None:
        return share
    return given or joblib.cpu_count()


def threads_for(n_jobs: int | None) -> int:
    """Return the threads of this process that joblib's ``n_jobs`` means.

    joblib's own count on a Dask worker is that of all cores of the cluster, which would
    be started here; it is this worker's instead.

    Parameters
    ----------
    n_jobs : int or None
        None is 1, or what ``joblib.parallel_config`` says; -1 is all cores.

    Returns
    -------
    int

    Examples
    --------
    >>> from glomclf._runtime import threads_for
    >>> threads_for(None), threads_for(3)
    (1, 3)
    """
    import joblib

    share = _share_of_dask_worker()
    if share is None:
        return joblib.effective_n_jobs(n_jobs)
    if n_jobs is None:
        return 1
    return min(n_jobs, share) if n_jobs > 0 else share


def _share_of_dask_worker() -> int | None:
    """Return the threads of the Dask worker that runs this, None outside of one."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return distributed.get_worker().state.nthreads
    except ValueError:
        return None
