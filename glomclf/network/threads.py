"""How many cores this process may use."""

from __future__ import annotations

import os

import joblib

__all__ = ["n_threads"]


def n_threads() -> int:
    """Return the cores for this process: all, shared among joblib's workers.

    joblib tells its worker processes their share in ``OMP_NUM_THREADS``, where a user
    may set it as well.

    Examples
    --------
    >>> import joblib
    >>> from glomclf.network.threads import n_threads
    >>> 1 <= n_threads() <= joblib.cpu_count()
    True
    """
    share = os.environ.get("OMP_NUM_THREADS", "")
    return int(share) if share.isdigit() and int(share) else joblib.cpu_count()
