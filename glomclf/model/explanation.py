"""What a classifier looked at: a map of the places that spoke for a class."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from .._runtime import progress
from ..errors import ParameterError
from ..evaluation.weighted_logistic import clipped_logits
from ..network import PatchClassifier, PatchEncoder
from .checks import refuse_other_rows
from .classifier import GlomeruliClassifier
from .ensemble import FoldEnsembleClassifier
from .linear_probe import LinearProbe
from .pipeline import takes_features

_METHODS = ("cam", "occlusion")
_SQUARES = 7  # a side
_LEAST_CELLS = 4  # a side: coarser maps of a network tell no places apart
_AT_ONCE = 32

_Grids = Iterator[NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Explanation:
    """Maps of what spoke for the positive class, and how they were made.

    Attributes
    ----------
    maps : ndarray of shape (n_samples, image_size, image_size), float32
        In log odds. Above 0 a place speaks for the positive class, below 0 against it.
    method : {"cam", "occlusion"}
    images : ndarray of shape (n_samples, image_size, image_size, 3), uint8
        The images that the maps lie on, before any stain normalization.
    """

    maps: NDArray[np.float32]
    method: str
    images: NDArray[np.uint8]


def explain(classifier: Any, X: Any, *, method: str | None = None) -> Explanation:
    """Show which places of an image spoke for globally sclerotic.

    Parameters
    ----------
    classifier : GlomeruliClassifier or FoldEnsembleClassifier
        Fitted on images. Of an ensemble the mean of the members' maps is given.
    X : DataFrame, array-like of paths, or ndarray
        Images as in ``predict``. All of them, and their maps, are held in memory.
    method : {"cam", "occlusion"} or None, default=None
        ``"cam"`` applies the classifier to each place of the last feature maps of the
        network (class activation map [1]_; for a head that is not linear, its gradient
        stands for it, as in Grad-CAM [2]_, here without the cut at 0). The mean over
        the places is the log odds of the image. It takes one pass, and a `PatchEncoder`
        with a `LinearProbe` or a `PatchClassifier`, or a `PatchClassifier` alone.
        ``"occlusion"`` covers one of 7 x 7 squares after the other with the mean colour
        of the image; the map says how far the log odds fall [3]_. It takes 50 passes,
        and any encoder and classifier. None is ``"cam"`` where it can be had and is
        not coarser than 4 x 4 places, else ``"occlusion"``.

    Returns
    -------
    Explanation

    Raises
    ------
    ParameterError
        If the classifier takes features, or `method` does not fit it.
    ImageError
        If files cannot be read; it lists every one of them.

    See Also
    --------
    glomclf.GlomeruliClassifier.predict_proba : The probability that is explained.

    Notes
    -----
    The images are explained as they are given: of ``predict_views`` the first alone,
    and before any recalibration. Nothing is kept in the store of features. A map says
    where the network looked, not why. How far to trust one is measured on the page
    "What the network looked at" of the benchmarks.

    References
    ----------
    .. [1] Zhou, Khosla, Lapedriza, Oliva & Torralba (2016), "Learning deep features for
       discriminative localization".
    .. [2] Selvaraju et al. (2017), "Grad-CAM: visual explanations from deep networks
       via gradient-based localization".
    .. [3] Zeiler & Fergus (2014), "Visualizing and understanding convolutional
       networks".

    Examples
    --------
    >>> from glomclf import PatchEncoder, explain, make_classifier, make_glomeruli
    >>> X, y, groups = make_glomeruli(
    ...     40, n_participants=8, sclerotic_fraction=0.3, image_size=64, random_state=0
    ... )
    >>> encoder = PatchEncoder("cnn", weights=None)
    >>> classifier = make_classifier("linear", encoder=encoder, image_size=64)
    >>> found = explain(classifier.fit(X, y, groups=groups), X[:2])
    >>> found.maps.shape, found.method
    ((2, 64, 64), 'cam')
    """
    refuse_unexplained(classifier)
    members = getattr(classifier, "estimators_", [classifier])
    _refuse_method(members[0], method)
    refuse_other_rows(classifier, X)
    images = np.asarray(members[0].pipeline_["load"].transform(X))
    method = method or _best_method(members[0], images)
    grids: dict[str, Callable[..., _Grids]] = {"cam": _cam, "occlusion": _occlusion}
    maps = np.zeros(images.shape[:3], dtype=np.float32)
    shown = members[0].pipeline_["load"].verbose > 0
    with progress("explaining", len(members) * len(images), enabled=shown) as advance:
        for member in members:
            sign = 1 if member._positive == 1 else -1
            place = 0
            for grid in grids[method](member, _stained(member, images)):
                rows = slice(place, place := place + len(grid))
                maps[rows] += sign * _enlarged(grid, images.shape[1]) / len(members)
                advance(len(grid))
    return Explanation(maps, method, images)


def refuse_unexplained(classifier: Any) -> None:
    """Refuse a classifier that has no images to explain.

    Parameters
    ----------
    classifier : object

    Raises
    ------
    ParameterError
        If it is no GlomeruliClassifier nor an ensemble of them, or takes features.
    """
    members = [classifier]
    if isinstance(classifier, FoldEnsembleClassifier):
        check_is_fitted(classifier)
        members = classifier.estimators_
    if not all(isinstance(one, GlomeruliClassifier) for one in members):
        raise ParameterError(
            f"classifier={classifier!r} was given. Expected a GlomeruliClassifier, or "
            "a FoldEnsembleClassifier of them."
        )
    check_is_fitted(classifier)
    if takes_features(classifier):
        raise ParameterError(
            "This model was trained on features, which do not say where in an image "
            "they come from. Explain a model that was trained on images, with its "
            "encoder: GlomeruliClassifier(encoder=...)."
        )


def _refuse_method(classifier: Any, method: str | None) -> None:
    """Refuse a method that there is not, or that this classifier cannot have."""
    if method not in (None, *_METHODS):
        raise ParameterError(
            f"method={method!r} was given. Expected 'cam', 'occlusion' or None."
        )
    if method == "cam" and not _has_maps(classifier):
        steps = classifier.pipeline_.named_steps
        parts = [steps[name] for name in ("encode", "classify") if name in steps]
        told = " and ".join(type(part).__name__ for part in parts)
        raise ParameterError(
            "method='cam' needs a PatchEncoder with a LinearProbe or a "
            "PatchClassifier, or a PatchClassifier alone, and this model has "
            f"{told}. Pass method='occlusion', which takes any."
        )


def _has_maps(classifier: Any) -> bool:
    """Tell whether feature maps stand before the last pooling, and a known head."""
    steps = classifier.pipeline_.named_steps
    encoder, network = steps.get("encode"), steps["classify"]
    if isinstance(network, PatchClassifier):
        return isinstance(encoder, PatchEncoder | None)
    return isinstance(network, LinearProbe) and isinstance(encoder, PatchEncoder)


def _best_method(classifier: Any, images: NDArray[np.uint8]) -> str:
    if _has_maps(classifier):
        (grid,) = _cam(classifier, _stained(classifier, images[:1]))
        if min(grid.shape[1:]) >= _LEAST_CELLS:
            return "cam"
    return "occlusion"


def _stained(classifier: Any, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bring images to the stain that the network sees."""
    stain = classifier.pipeline_.named_steps.get("stain")
    return images if stain is None else np.asarray(stain.transform(images))


def _cam(classifier: Any, images: NDArray[np.uint8]) -> _Grids:
    """Give the log odds that the head gives to each place of the feature maps."""
    from ..network.feature_maps import feature_maps, head_at

    steps = classifier.pipeline_.named_steps
    network = steps["classify"]
    forward = feature_maps(steps.get("encode"), network)
    for rows in gen_batches(len(images), _AT_ONCE):
        maps = forward(images[rows]).astype(np.float64)
        if isinstance(network, LinearProbe):
            yield maps @ network.coef_ + network.intercept_
            continue
        weights, offset = head_at(network, maps.mean(axis=(1, 2)))
        yield np.einsum("nijk,nk->nij", maps, weights) + offset[:, None, None]


def _occlusion(classifier: Any, images: NDArray[np.uint8]) -> _Grids:
    """Give the fall of the log odds where each square is covered, image by image."""
    log_odds = _log_odds(classifier)
    edges = np.linspace(0, images.shape[1], _SQUARES + 1).round().astype(int)
    sides = [slice(*ends) for ends in pairwise(edges)]
    for image in images:
        covered = np.repeat(image[np.newaxis], _SQUARES**2 + 1, axis=0)
        colour = image.mean(axis=(0, 1)).round()
        for place, one in enumerate(covered[1:]):
            row, column = divmod(place, _SQUARES)
            one[sides[row], sides[column]] = colour
        whole, *each = log_odds(covered)
        yield (whole - np.array(each)).reshape(1, _SQUARES, _SQUARES)


def _log_odds(classifier: Any) -> Callable[[NDArray[np.uint8]], NDArray[np.float64]]:
    """Return a function from images, in the network's stain, to log odds.

    Nothing of it is kept: covered images are seen once.
    """
    steps = classifier.pipeline_.named_steps
    encoder = copy.copy(steps.get("encode"))
    if encoder is not None:
        known, quiet = (
            encoder.get_params(deep=False),
            {"cache_dir": False, "verbose": 0},
        )
        encoder.set_params(**{k: v for k, v in quiet.items() if k in known})

    def log_odds(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        rows = images if encoder is None else encoder.transform(images)
        return clipped_logits(steps["classify"].predict_proba(rows)[:, 1])

    return log_odds


def _enlarged(grid: NDArray[np.float64], side: int) -> NDArray[np.float32]:
    """Draw maps as large as the images, linear between the centres of cells."""
    factors = (1, side / grid.shape[1], side / grid.shape[2])
    large: NDArray[np.float32] = zoom(
        grid.astype(np.float32), factors, order=1, mode="nearest", grid_mode=True
    )
    return large
