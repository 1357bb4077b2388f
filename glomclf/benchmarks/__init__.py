"""What this machine does in a second: the measurements behind ``glomclf bench``."""

from .estimate import Study, estimate_study
from .figures import Figure, Setting
from .suite import SECTIONS, measure

__all__ = ["SECTIONS", "Figure", "Setting", "Study", "estimate_study", "measure"]
