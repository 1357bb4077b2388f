"""One fit of one method: training rows in, probabilities of other rows out.

Labels of the rows that are predicted never come here: `fit_and_predict` is given their
images alone. Thresholds are chosen within the training rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from .methods import SEED, SHARED, Method
from .patches import Rows

FloatArray = NDArray[np.float64]
N_FOLDS = 5
NATIVE_SIZE = 224  # of the images that colour and texture are read from
SVM_COSTS = (0.1, 1.0, 10.0, 100.0)
_KNOWN: dict[tuple[str, int, str], FloatArray] = {}  # numbers of images
# Those that leave memory behind in TensorFlow, and so get a process of their own.
NETWORKS = ("frozen, logistic", "classifier")


class Fitted(NamedTuple):
    """A fitted method, and from which probability on it says 1."""

    predict: Callable[[Any], FloatArray]
    threshold: float


class Outcome(NamedTuple):
    """What one unit of work gives; `fit_seconds` has the choice of threshold in it."""

    probability: FloatArray
    threshold: float
    fit_seconds: float
    seconds: float


def fit_and_predict(
    method: Method, train: Rows, X_test: Any, cache_dir: str | None = None
) -> Outcome:
    """Fit a method on training rows, its threshold included, and predict others.

    Parameters
    ----------
    method : Method
    train : Rows
        Paths, labels and participants.
    X_test : DataFrame
        Paths of the rows to predict.
    cache_dir : str, optional
        Of decoded images and features; by default the platform's cache folder.
    """
    start = time.perf_counter()
    fitted = KINDS[method.kind](method, train, cache_dir)
    trained = time.perf_counter()
    probability = fitted.predict(X_test)
    end = time.perf_counter()
    return Outcome(probability, fitted.threshold, trained - start, end - start)


# Numbers of an image, and something that learns from numbers.


def _fit_colour(method: Method, train: Rows, cache: str | None) -> Fitted:
    """Colour statistics with logistic regression."""
    from .image_features import colour_statistics

    def fit(X: FloatArray, y: Any, groups: Any) -> Any:
        return _logistic(**method.parameters).fit(X, y)

    return _on_numbers(_reader(colour_statistics), fit, train)


def _fit_texture(method: Method, train: Rows, cache: str | None) -> Fitted:
    """Texture features with a support vector machine."""
    from .image_features import texture

    return _on_numbers(_reader(texture), _fit_svm, train)


def _fit_frozen_logistic(method: Method, train: Rows, cache: str | None) -> Fitted:
    """Features of the frozen network with logistic regression."""
    parameters = dict(method.parameters)
    read = _frozen_reader(parameters.pop("image_size"), cache)

    def fit(X: FloatArray, y: Any, groups: Any) -> Any:
        return _logistic(**parameters).fit(X, y)

    return _on_numbers(read, fit, train)


def _network() -> dict[str, Any]:
    """Return the parameters that say which network it is."""
    names = ("backbone", "weights")
    return {n: SHARED[f"network__{n}"] for n in names if f"network__{n}" in SHARED}


def _frozen_reader(image_size: int, cache: str | None) -> Callable[[Any], FloatArray]:
    """Return what turns a table of paths into pooled features."""
    from glomclf import ImageLoader, PatchEncoder

    loader = ImageLoader(image_size, cache_dir=cache, lazy=True)
    encoder = PatchEncoder(**_network(), cache_dir=cache)
    return lambda X: encoder.fit_transform(loader.fit_transform(X[["path"]]))


def _logistic(**parameters: Any) -> Any:
    model = LogisticRegression(max_iter=10_000, **parameters)
    return make_pipeline(StandardScaler(), model)


def _reader(function: Callable[[Any], FloatArray]) -> Callable[[Any], FloatArray]:
    """Return what turns a table of paths into numbers, each image once a process."""
    from glomclf import ImageLoader

    from .image_features import describe

    # Read once: keeping decoded files would save nothing.
    loader = ImageLoader(NATIVE_SIZE, cache_dir=False)

    def read(X: Any) -> FloatArray:
        keys = [(function.__name__, NATIVE_SIZE, path) for path in X["path"]]
        new = [place for place, key in enumerate(keys) if key not in _KNOWN]
        if new:
            images = loader.fit_transform(X[["path"]].iloc[new])
            for place, numbers in zip(new, describe(images, function), strict=True):
                _KNOWN[keys[place]] = numbers
        return np.array([_KNOWN[key] for key in keys])

    return read


def _on_numbers(
    read: Callable[[Any], FloatArray],
    fit: Callable[[FloatArray, Any, Any], Any],
    train: Rows,
) -> Fitted:
    """Fit on all training rows, and choose the threshold on inner folds of them."""
    from glomclf.evaluation.thresholds import choose_threshold
    from glomclf.model.folds import inner_folds

    numbers = read(train.X)
    model = fit(numbers, train.y, train.groups)
    unseen = np.empty(len(train.y))
    for rest, aside in inner_folds(train.y, train.groups, SEED, chosen="threshold"):
        inner = fit(numbers[rest], train.y[rest], train.groups[rest])
        unseen[aside] = inner.predict_proba(numbers[aside])[:, 1]
    threshold = choose_threshold(train.y, unseen)
    return Fitted(lambda X: model.predict_proba(read(X))[:, 1], threshold)


def _fit_svm(X: FloatArray, y: Any, groups: Any) -> Any:
    """Fit a machine whose cost and probabilities come from folds by participant."""
    folds = _inner_folds(X, y, groups)

    def machine(cost: float) -> Any:
        return make_pipeline(StandardScaler(), SVC(C=cost, class_weight="balanced"))

    def merit(cost: float) -> float:
        decided = cross_val_predict(
            machine(cost), X, y, cv=folds, method="decision_function"
        )
        return float(roc_auc_score(y, decided))

    best = machine(max(SVM_COSTS, key=merit))
    return CalibratedClassifierCV(best, cv=folds, ensemble=False).fit(X, y)


def _inner_folds(X: Any, y: Any, groups: Any) -> list[Any]:
    """Cut as many folds as the rarer class has participants, at most five."""
    participants = [len(np.unique(groups[y == label])) for label in (0, 1)]
    n_folds = min(N_FOLDS, *participants)
    if n_folds < 2:
        raise ValueError(
            "folds inside the training rows need two participants of each class at "
            f"least, but class 0 has {participants[0]} and class 1 {participants[1]}"
        )
    cv = StratifiedGroupKFold(n_folds, shuffle=True, random_state=SEED)
    return list(cv.split(X, y, groups))


def _fit_classifier(method: Method, train: Rows, cache: str | None) -> Fitted:
    """Fit the library's own classifier, which has or chooses a threshold."""
    classifier = method.classifier().set_params(cache_dir=cache)
    classifier.fit(train.X, train.y, groups=train.groups)
    return Fitted(lambda X: classifier.predict_proba(X)[:, 1], classifier.threshold_)


KINDS: dict[str, Callable[[Method, Rows, str | None], Fitted]] = {
    "colour": _fit_colour,
    "texture": _fit_texture,
    "frozen, logistic": _fit_frozen_logistic,
    "classifier": _fit_classifier,
    "linear": _fit_classifier,
}
