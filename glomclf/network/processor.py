"""What this machine's processor computes in."""

from __future__ import annotations

import platform
from pathlib import Path

from ..errors import EngineError

_CPU_FILE = Path("/proc/cpuinfo")
# As x86 and Arm name it.
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
# What decides the speed of a network most, by generations of x86.
_TELLING_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")


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
    if has_bfloat16() or _has_accelerator():
        return
    raise EngineError(
        "training_precision='bfloat16' was given, but this processor has none of "
        f"{', '.join(sorted(_BFLOAT16_FLAGS))}, and would take longer than in float32. "
        "Pass training_precision='float32'."
    )


def has_bfloat16() -> bool:
    """Say whether the processor is known to compute in bfloat16.

    Returns
    -------
    bool
        False where the operating system does not say.
    """
    if not _CPU_FILE.is_file():
        return False
    return bool(_BFLOAT16_FLAGS & set(_CPU_FILE.read_text().split()))


def processor_name() -> str:
    """Name the processor and the vector instructions that it has.

    Returns
    -------
    str

    Examples
    --------
    >>> from glomclf.network.processor import processor_name
    >>> len(processor_name()) > 0
    True
    """
    if not _CPU_FILE.is_file():
        return platform.processor() or platform.machine()
    text = _CPU_FILE.read_text()
    named = [line for line in text.splitlines() if line.startswith("model name")]
    name = named[0].partition(":")[2].strip() if named else platform.machine()
    words = set(text.split())
    return ", ".join([name, *(flag for flag in _TELLING_FLAGS if flag in words)])


def _has_accelerator() -> bool:
    from .backend import tf

    return bool(tf.config.list_physical_devices("GPU"))
