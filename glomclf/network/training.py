"""The training of a PatchClassifier: SciKeras around the network, and checkpoints."""

from __future__ import annotations

import functools
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from .._runtime import progress
from ..data.augmenter import PatchAugmenter
from ..errors import DivergenceError
from .assembly import HeadSpec, build_network, owned_weights
from .backbones import Backbone
from .backend import as_delivered, refuse_fork, wrappers
from .checkpoints import Checkpoint, KeepCheckpoint, training_fingerprint
from .optimisation import TrainingSpec

if TYPE_CHECKING:
    from .classifier import PatchClassifier

__all__ = ["make_net", "train"]


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
    names = [field.name for field in fields(TrainingSpec)]
    spec = HeadSpec(
        net.dense_units,
        net.dropout,
        net.optimizer,
        net.learning_rate,
        net._seed,
        net.training_precision,
        TrainingSpec(**{name: getattr(net, name) for name in names}),
    )
    build = functools.partial(
        build_network,
        net.input_shape_,
        backbone,
        net.trainable_layers,
        spec,
        from_images=net._from_images,
    )
    # Every seed lies in the network itself: SciKeras' own would change the state of
    # the whole process.
    return wrappers.KerasClassifier(
        model=build, epochs=net.epochs, batch_size=net.batch_size, verbose=0
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
    checkpoint = _checkpoint(net, [X, codes, weight, *(validation or (None, None))])
    state = None if checkpoint is None else checkpoint.read()
    with progress("training", net.epochs, enabled=net.verbose > 0) as advance:
        if state is not None:
            advance(state.epoch, note="from the checkpoint")
        callbacks = net._callbacks(validation, advance)
        if checkpoint is not None:
            callbacks.append(KeepCheckpoint(checkpoint, callbacks))
        net.net_.set_params(callbacks=callbacks)
        net.net_.fit(
            X,
            codes,
            sample_weight=weight,
            validation_data=validation,
            augmenter=augmenter,
            resume=state,
        )
        net.net_.set_params(callbacks=None)
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
