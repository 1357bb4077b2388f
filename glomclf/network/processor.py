"""What this machine's processor computes in."""

from __future__ import annotations

from pathlib import Path

from ..errors import EngineError

__all__ = ["check_training_precision"]

_CPU_FILE = Path("/proc/cpuinfo")
# As x86 and Arm name it.
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}


def check_training_precision(precision: str) -> None:
    """Refuse bfloat16 where it is known to be emulated, which takes much longer.

    Parameters
    ----------
    precision : {"float32", "bfloat16"}

    Raises
    ------
    EngineError
        If neither the processor nor an accelerator computes in bfloat16.

    Examples
    --------
    >>> from glomclf.network.processor import check_training_precision
    >>> check_training_precision("float32")
    """
    if precision == "float32" or not _CPU_FILE.is_file():  # said by Linux alone
        return
    if _BFLOAT16_FLAGS & set(_CPU_FILE.read_text().split()) or _has_accelerator():
        return
    raise EngineError(
        "training_precision='bfloat16' was given, but this processor has none of "
        f"{', '.join(sorted(_BFLOAT16_FLAGS))}, and would take longer than in float32. "
        "Pass training_precision='float32'."
    )


def _has_accelerator() -> bool:
    from .backend import tf

    return bool(tf.config.list_physical_devices("GPU"))
