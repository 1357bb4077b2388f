"""The pipeline of GlomeruliClassifier: made from its settings, run on several views."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
from imblearn.pipeline import Pipeline
from sklearn.base import clone
from sklearn.pipeline import Pipeline as SkPipeline
from sklearn.utils import check_random_state
from sklearn.utils._metadata_requests import _routing_enabled
from sklearn.utils.validation import has_fit_parameter

from .._runtime import headed
from ..data.dihedral import DihedralImages, dihedral_view
from ..data.image_source import ArraySource
from ..data.loader import ImageLoader
from ..data.stain import make_normalizer
from ..errors import ParameterError
from ..network import PatchClassifier, PatchEncoder
from ..network.image_encoder import ImageEncoder
from ..network.rows import finite_probability
from ..samplers import make_sampler
from .rows import Rows


def holds_features(X: Any) -> bool:
    """Tell whether rows are features, not images or the names of files.

    Parameters
    ----------
    X : DataFrame, array-like of paths, or ndarray

    Returns
    -------
    bool
        True for numbers in two dimensions.
    """
    if isinstance(X, pd.DataFrame):
        return "path" not in X and all(map(pd.api.types.is_numeric_dtype, X.dtypes))
    if hasattr(X, "__array__") and not hasattr(X, "shape"):
        X = np.asarray(X)
    if hasattr(X, "shape"):
        return len(X.shape) == 2
    return isinstance(X, list | tuple) and len(X) > 0 and np.ndim(X[0]) == 1


def takes_features(classifier: Any) -> bool:
    """Tell whether a fitted classifier, or the members of one, take features.

    Parameters
    ----------
    classifier : object
        Fitted; anything else than a `GlomeruliClassifier` or an ensemble of them counts
        as taking images.

    Returns
    -------
    bool
    """
    member = getattr(classifier, "estimators_", [classifier])[0]
    pipeline = getattr(member, "pipeline_", None)
    return pipeline is not None and "load" not in pipeline.named_steps


def network_of(classifier: Any) -> Any:
    """Return the classifier of the last step: the one given, or a new default."""
    return PatchClassifier() if classifier.network is None else classifier.network


def encoder_of(classifier: Any) -> Any:
    """Return what turns images into features, None where the network takes images.

    Parameters
    ----------
    classifier : GlomeruliClassifier

    Returns
    -------
    transformer or None
        The one given, or the frozen layers of the network.
    """
    network = network_of(classifier)
    if classifier.encoder is not None or not isinstance(network, PatchClassifier):
        return classifier.encoder
    if network.augmentation is not None:
        return None  # no epoch sees the same image twice: there is nothing to store
    return PatchEncoder(
        network.backbone,
        weights=network.weights,
        normalization=network.normalization,
        trainable_layers=network.trainable_layers,
        batch_size=network.batch_size,
    )


def seeds_of_fit(random_state: Any) -> list[int]:
    """Draw the seeds of a fit: of validation rows, sampler, network and threshold."""
    rng = check_random_state(random_state)
    return [int(seed) for seed in rng.randint(2**31 - 2, size=4)]


def unfitted_pipeline(classifier: Any) -> Pipeline:
    """Chain the steps that ``fit`` will fit on images, seeded as it will seed them.

    Parameters
    ----------
    classifier : GlomeruliClassifier

    Returns
    -------
    imblearn.pipeline.Pipeline
        As from `make_pipeline`. Without an encoder, and with a network that takes
        features, its steps are those for features.
    """
    of_features = not takes_images(classifier)
    if classifier.random_state is None:
        return make_pipeline(classifier, None, None, of_features=of_features)
    # The draws of a generator that fit will draw from are not used up.
    _, *seeds, _ = seeds_of_fit(copy.deepcopy(classifier.random_state))
    return make_pipeline(classifier, *seeds, of_features=of_features)


def takes_images(classifier: Any) -> bool:
    """Tell whether a classifier has what turns images into features or classes."""
    network = network_of(classifier)
    return classifier.encoder is not None or isinstance(network, PatchClassifier)


def weight_parameter(network: Any) -> str:
    """Name the parameter of ``fit`` by which a classifier takes weights of rows.

    Parameters
    ----------
    network : classifier

    Returns
    -------
    str
        ``"sample_weight"``, for a pipeline that of its last step.

    Raises
    ------
    ParameterError
        If there is none.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import Pipeline
    >>> from glomclf.model.pipeline import weight_parameter
    >>> weight_parameter(Pipeline([("model", LogisticRegression())]))
    'model__sample_weight'
    """
    if has_fit_parameter(network, "sample_weight"):
        return "sample_weight"
    steps = getattr(network, "steps", [])
    resamples = any(hasattr(step, "fit_resample") for _, step in steps)
    if isinstance(network, SkPipeline) and not resamples:
        name, last = steps[-1]
        return f"{name}__{weight_parameter(last)}"
    raise ParameterError(
        f"sample_weight was given, but {network!r} does not take it. Leave it out, or "
        "take a classifier that does, behind no sampler."
    )


def make_pipeline(
    classifier: Any,
    sampler_seed: int | None,
    network_seed: int | None,
    *,
    of_features: bool = False,
) -> Pipeline:
    """Chain the steps: sample before the frozen layers, or after them.

    Parameters
    ----------
    classifier : GlomeruliClassifier
    sampler_seed, network_seed : int or None
    of_features : bool, default=False
        Whether the rows are features, so that nothing loads or encodes images.

    Returns
    -------
    imblearn.pipeline.Pipeline
        ``load``; ``stain`` and ``sample`` where asked for; ``encode``, unless the
        network augments its training images itself; ``classify``.
    """
    n_jobs, verbose = classifier.n_jobs, classifier.verbose
    encoder, cache_dir = encoder_of(classifier), classifier.cache_dir
    loader = ImageLoader(
        classifier.image_size,
        resize=classifier.resize,
        n_jobs=n_jobs,
        verbose=verbose,
        cache_dir=cache_dir,
        # Any other encoder than our own expects an array.
        lazy=isinstance(encoder, ImageEncoder | None),
    )
    stain = make_normalizer(classifier.stain_normalizer, n_jobs=n_jobs)
    network = _with_defaults(network_of(classifier), verbose=verbose)
    steps = {
        "load": loader,
        "stain": clone(stain, safe=False),
        "sample": make_sampler(
            classifier.sampler, random_state=sampler_seed, n_jobs=n_jobs
        ),
        "encode": _with_defaults(encoder, cache_dir=cache_dir, verbose=verbose),
        "classify": _seeded(network, network_seed),
    }
    order = ["load", "stain", "sample", "encode", "classify"]
    if classifier.sampling_space == "features":
        order = ["load", "stain", "encode", "sample", "classify"]
    if of_features:
        order = ["sample", "classify"]
    return Pipeline([(name, steps[name]) for name in order if steps[name] is not None])


def _seeded(network: Any, seed: int | None) -> Any:
    seeds = {
        name: seed
        for name, value in network.get_params(deep=True).items()
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    return network.set_params(**seeds)


def _with_defaults(estimator: Any, **given: Any) -> Any:
    """Clone an estimator; what it leaves open is as GlomeruliClassifier says."""
    if estimator is None:
        return None
    own = clone(estimator)
    params = own.get_params(deep=False)
    unset = {
        name: value
        for name, value in given.items()
        if name in params and params[name] in (None, 0) and params[name] is not False
    }
    return own.set_params(**unset)


def fit_pipeline(pipeline: Pipeline, rows: Rows, validation: Rows | None) -> None:
    """Fit all steps; validation rows meet what transforms, no sampler.

    Parameters
    ----------
    pipeline : imblearn.pipeline.Pipeline
        As from `make_pipeline`.
    rows : Rows
        To train on. Participants are given to a network whose ``fit`` takes ``groups``,
        where no sampler makes other rows. A copy of a row that a sampler makes has the
        weight of the row.
    validation : Rows or None
        Given to a network whose ``fit`` takes ``X_val``.
    """
    network, given = pipeline["classify"], {}
    if validation is not None and has_fit_parameter(network, "X_val"):
        X_val = _prepared(pipeline, rows, validation.X)
        given = {"X_val": X_val, "y_val": validation.y}
    samples = "sample" in pipeline.named_steps
    knows = rows.groups is not None and not samples
    if knows and has_fit_parameter(network, "groups"):
        given["groups"] = rows.groups
    if rows.weight is not None:
        if samples:
            rows, pipeline = _sampled(pipeline, rows, rows.weight)
        given[weight_parameter(network)] = rows.weight
    if given and _routing_enabled():
        network.set_fit_request(**dict.fromkeys(given, True))
    elif given:
        given = {f"classify__{name}": value for name, value in given.items()}
    pipeline.fit(rows.X, rows.y, **given)


def _sampled(
    pipeline: Pipeline, rows: Rows, weight: np.ndarray
) -> tuple[Rows, Pipeline]:
    """Run the steps up to the sampler; return its rows, weighted, and the other steps.

    Pipelines of imbalanced-learn do not resample what comes with the rows.
    """
    end = list(pipeline.named_steps).index("sample") + 1
    X, y = pipeline[:end].fit_resample(rows.X, rows.y)
    sampler = pipeline["sample"]
    parents = getattr(sampler, "parent_indices_", sampler.source_indices_)
    return Rows(X, y, weight=weight[parents]), pipeline[end:]


def _prepared(pipeline: Pipeline, train: Rows, X_val: Any) -> Any:
    """Bring validation rows to where the network begins.

    Transformers that learn are fitted on the training rows alone.
    """
    encoder = pipeline.named_steps.get("encode")
    if not isinstance(encoder, ImageEncoder | None):
        # It may learn, and then from what the sampler gives it.
        place = list(pipeline.named_steps).index("encode")
        return pipeline[: place + 1].fit(train.X, train.y).transform(X_val)
    learns = "stain" in pipeline.named_steps  # nothing behind it does from the images
    rows, X = X_val, train.X
    for name, step in pipeline.steps[:-1]:
        if not hasattr(step, "transform"):
            continue
        step.fit(X if learns else rows)
        learns = learns and name != "stain"
        X = step.transform(X) if learns else X
        rows = step.transform(rows)
    return np.asarray(rows)


def mean_over_views(pipeline: Pipeline, X: Any, n_views: int) -> np.ndarray:
    """Give the mean probability over the first views of each image.

    Parameters
    ----------
    pipeline : imblearn.pipeline.Pipeline
        Fitted.
    X : DataFrame, array-like of paths, or ndarray
    n_views : int in [1, 8]
        Of the eight ways to turn and mirror a square; the first is the image itself.

    Returns
    -------
    ndarray of shape (n_samples, 2), float64

    Raises
    ------
    DivergenceError
        If one is not finite.
    """
    if n_views == 1:
        return finite_probability(pipeline.predict_proba(X))
    images, rest = pipeline[0].transform(X), pipeline[1:]
    views = []
    for k in range(n_views):
        with headed(f"view {k + 1} of {n_views}: "):
            views.append(rest.predict_proba(_view(pipeline, images, k)))
    return finite_probability(np.mean(views, axis=0))


def _view(pipeline: Pipeline, images: Any, k: int) -> Any:
    if k == 0:
        return images
    if not pipeline[0].lazy:
        return dihedral_view(np.asarray(images), k)
    source = ArraySource(images) if isinstance(images, np.ndarray) else images
    return DihedralImages(source, k)
