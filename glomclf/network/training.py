"""The training of a PatchClassifier: SciKeras around the network, and checkpoints."""

from __future__ import annotations

import functools
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from .._runtime import progress
from ..data.augmenter import PatchAugmenter
from ..errors import DivergenceError
from .assembly import build_network, owned_weights
from .backbones import Backbone
from .backend import as_delivered, refuse_fork, wrappers
from .checkpoints import Checkpoint, training_fingerprint
from .optimisation import NetworkSpec

if TYPE_CHECKING:
    from .classifier import PatchClassifier


def make_net(net: PatchClassifier, backbone: Backbone | None) -> Any:
    """Wrap the function that builds the network in SciKeras.

    Parameters
    ----------
    net : PatchClassifier
        Its rows are known.
    backbone : Backbone or None
        None where the head is all there is.

    Returns
    -------
    scikeras.wrappers.KerasClassifier
    """
    refuse_fork()
    own = {"from_images": net._from_images, "seed": net._seed}
    names = {field.name for field in fields(NetworkSpec)} & set(net.get_params())
    chosen = {name: getattr(net, name) for name in names}
    spec = NetworkSpec(net.input_shape_, **own, **chosen)
    # Every seed lies in the network itself: SciKeras' own would change the state of
    # the whole process.
    return wrappers.KerasClassifier(
        model=functools.partial(build_network, spec, backbone),
        epochs=net.epochs,
        batch_size=net.batch_size,
        verbose=0,
    )


@as_delivered()
def train(
    net: PatchClassifier,
    X: np.ndarray,
    codes: np.ndarray,
    weight: np.ndarray | None,
    validation: tuple[np.ndarray, np.ndarray] | None,
    augmenter: PatchAugmenter | None,
) -> None:
    """Train ``net.net_``, from the checkpoint where there is one.

    Parameters
    ----------
    net : PatchClassifier
    X : ndarray of shape (n_samples, ...)
    codes : ndarray of shape (n_samples,)
        Labels as 0 and 1.
    weight : ndarray of shape (n_samples,) or None
    validation : tuple of ndarray, or None
        Rows and labels.
    augmenter : PatchAugmenter or None

    Raises
    ------
    DivergenceError
        If weights are not finite in the end.
    """
    rows = [X, codes, weight, *(validation or (None, None))]
    options = {"patience": net.patience, "checkpoint": _checkpoint(net, rows)}
    with progress("training", net.epochs, enabled=net.verbose > 0) as advance:
        net.net_.fit(
            X,
            codes,
            sample_weight=weight,
            validation_data=validation,
            augmenter=augmenter,
            between_epochs={**options, "advance": advance},
        )
    _refuse_diverged(net)


def _checkpoint(net: PatchClassifier, rows: list[Any]) -> Checkpoint | None:
    """Name the checkpoint of this training, None where none is kept."""
    if net.checkpoint_dir is None:
        return None
    settings = {
        name: repr(value)
        for name, value in net.get_params().items()
        if name not in ("weights", "checkpoint_dir", "random_state", "verbose")
    }
    settings["seed"] = repr(net._seed)
    settings["backbone_is"] = repr(net.backbone_fingerprint_)
    return Checkpoint(net.checkpoint_dir, training_fingerprint(settings, rows))


def _refuse_diverged(net: PatchClassifier) -> None:
    """See that training left numbers to predict with."""
    weights = owned_weights(net.net_.model_)
    n_lost = sum(int((~np.isfinite(array)).sum()) for array in weights)
    if n_lost:
        losses = net.net_.history_["loss"]
        raise DivergenceError(
            f"The training diverged: {n_lost} weights are not finite after "
            f"{len(losses)} epochs, and the last loss is {losses[-1]:g}. Pass a lower "
            f"learning_rate than {net.learning_rate:g}, or clip_norm=1."
        )
