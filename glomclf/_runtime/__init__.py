"""What the whole process shares: progress, its cores, files and their names."""

from .bars import headed, progress
from .files import claimed, special_kind, take_lock, written_whole
from .names import as_text, counted, printable, short_names, user_path
from .threads import n_threads, threads_for

__all__ = [
    "as_text",
    "claimed",
    "counted",
    "headed",
    "n_threads",
    "printable",
    "progress",
    "short_names",
    "special_kind",
    "take_lock",
    "threads_for",
    "user_path",
    "written_whole",
]
