"""The errors and warnings of glomclf: few, named, and mendable by the user.

Every error also inherits the built-in that scikit-learn's users expect, says what
was given, what was expected and what to do, and lists all bad inputs at once.
"""

from __future__ import annotations

from collections.abc import Mapping


class GlomclfError(Exception):
    """Root of all errors that a user of glomclf can cause and mend."""


class ManifestError(GlomclfError, ValueError):
    """A csv or an image folder does not describe usable patches."""


class AnnotationError(GlomclfError, ValueError):
    """A file of polygons cannot be used."""


class SlideError(GlomclfError, ValueError):
    """A slide cannot be read, or its scale is not known."""


class ImageError(GlomclfError, ValueError):
    """One or more files could not be read as images.

    Parameters
    ----------
    faults : mapping of str to str
        Each bad file and the reason it was refused.

    Attributes
    ----------
    faults : dict of str to str
        The same, for code that wants to drop or mend the files.
    """

    def __init__(self, faults: Mapping[str, str]):
        self.faults = dict(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        n_faults = len(self.faults)
        head = f"{n_faults} image file{'s' if n_faults != 1 else ''} cannot be used:"
        return "\n".join(
            [head, *(f"  {_named(path)}: {why}" for path, why in self.faults.items())]
        )


class EmbeddingsError(GlomclfError, ValueError):
    """A file of embeddings cannot be read, or does not fit the manifest."""


def _named(path: str) -> str:
    """Quote a name that would begin a line or move a cursor."""
    return path if path.isprintable() else repr(path)


class ParameterError(GlomclfError, ValueError):
    """Parameters contradict each other."""


class SamplingError(GlomclfError, ValueError):
    """A sampler cannot resample the rows it was given."""


class StainError(GlomclfError, ValueError):
    """The images have no stain that could be measured."""


class TensorFileError(GlomclfError, ValueError):
    """A file of tensors is damaged, of another kind, or holds more than tensors."""


class WeightsError(GlomclfError, ValueError):
    """The weights of a network cannot be found, fetched or fitted to it."""


class BackendError(GlomclfError, RuntimeError):
    """Keras runs on another backend than TensorFlow."""


class EngineError(GlomclfError, RuntimeError):
    """The trunk cannot run on the engine, or at the precision, that was asked for."""


class DivergenceError(GlomclfError, ArithmeticError):
    """Weights or probabilities are not finite: a training went out of bounds."""


class CacheError(GlomclfError, OSError):
    """The feature cache cannot be used, or a large array has no room on the disk."""


class ModelFileError(GlomclfError, ValueError):
    """A model file cannot be written, or is not one that glomclf wrote."""


class SplitError(GlomclfError, ValueError):
    """The participants do not allow the split that was asked for."""


class ScoreError(GlomclfError, ValueError):
    """Labels, probabilities or settings from which no score can be computed."""


class LeakageError(GlomclfError, ValueError):
    """Training and judged rows share participants or images."""


class StudyError(GlomclfError, ValueError):
    """A study cannot be opened, or is not the one that was asked for."""


class TuningError(GlomclfError, RuntimeError):
    """A study has no trial to choose from."""


class GlomclfWarning(UserWarning):
    """Root of the warnings of glomclf."""


class ParticipantWarning(GlomclfWarning):
    """Participants are not known and something else stands for them."""


class AnnotationWarning(GlomclfWarning):
    """Some shapes of a file cannot be glomeruli, and were left out."""


class SplitWarning(GlomclfWarning):
    """The participants allow the split, but a judged part of it lacks a class."""


class ScoreWarning(GlomclfWarning):
    """A score or its interval could be computed only in part, or not trusted."""


class CacheWarning(GlomclfWarning):
    """The feature cache is damaged or full: features are computed again, not lost."""


__all__ = sorted(name for name in dir() if name.endswith(("Error", "Warning")))
