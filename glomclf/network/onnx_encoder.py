"""OnnxEncoder: any network that was exported to ONNX, as a transformer of images."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._runtime import user_path
from ..data.archive import MODEL_FOLDER
from ..data.archive_fields import check_fields
from ..data.images import resize_image
from ..errors import EngineError, ModelFileError, WeightsError
from .image_encoder import ImageEncoder
from .normalization import NORMALIZATIONS, Normalization, find_normalization
from .onnx_file import OnnxFile, choose_runtime, compile_onnx, read_onnx


class OnnxEncoder(ImageEncoder):
    """Any encoder that was exported to ONNX: images to features.

    OpenVINO runs it, or ONNX Runtime where only that is installed. It learns nothing:
    each image's features depend on that image alone, and are kept on disk by the
    content of the image and of the file.

    Parameters
    ----------
    file : path
        An ONNX file with one input: float32 images of shape (n, 3, height, width) or
        (n, height, width, 3). Files beside it that hold its numbers are found.
    image_size : int, default=224
        Side in pixels of the images that the network takes. Others are resized, as
        :class:`ImageLoader` does it with ``resize="pad"``. Give the classifier the same
        ``image_size``, so that nothing is resized twice.
    mean, std : sequence of three floats, default=those of ImageNet
        What is subtracted from red, green and blue in [0, 1], and what they are divided
        by.
    output : str or None, default=None
        Name of the output to use. None: the only one.
    tokens : {"class", "mean"} or None, default=None
        What to take of an output of tokens, of shape (n, n_tokens, n_features): the
        first token, or the mean of all others. None refuses such an output.
    batch_size : int, default=32
        Images that are read at once.
    cache_dir : path, None or False, default=None
        As in :class:`PatchEncoder`.
    verbose : int, default=0
        1 shows a bar on standard error.

    Attributes
    ----------
    sha256_ : str
        Of the file, together with those that hold its numbers.
    output_ : str
        Name of the output that is used.
    weights_record_ : dict of str to str or None
        ``source``, ``sha256`` and ``licence``, which is told by ``license`` in the
        metadata of the file.

    Notes
    -----
    A saved classifier does not hold the file, whose licence may forbid that. It holds
    its name and SHA-256, and needs the file where it was, or beside the model file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from onnx import helper, save
    >>> from glomclf import OnnxEncoder, make_glomeruli
    >>> nodes = [
    ...     helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
    ...     helper.make_node("Flatten", ["pooled"], ["features"]),
    ... ]
    >>> given = helper.make_tensor_value_info("images", 1, ["n", 3, 32, 32])
    >>> made = helper.make_tensor_value_info("features", 1, ["n", 3])
    >>> graph = helper.make_graph(nodes, "mean colour", [given], [made])
    >>> opset = helper.make_opsetid("", 17)
    >>> X, _, _ = make_glomeruli(4, n_participants=2, image_size=32, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "mean.onnx")
    ...     save(helper.make_model(graph, opset_imports=[opset], ir_version=9), file)
    ...     OnnxEncoder(file, image_size=32).fit_transform(X).shape
    (4, 3)
    """

    _parameter_constraints = {  # noqa: RUF012
        "file": [str, PathLike],
        "image_size": [Interval(Integral, 1, None, closed="left")],
        "mean": ["array-like"],
        "std": ["array-like"],
        "output": [str, None],
        "tokens": [StrOptions({"class", "mean"}), None],
        **ImageEncoder._parameter_constraints,
    }

    def __init__(
        self,
        file,
        *,
        image_size=224,
        mean=NORMALIZATIONS["imagenet"].mean,
        std=NORMALIZATIONS["imagenet"].std,
        output=None,
        tokens=None,
        batch_size=32,
        cache_dir=None,
        verbose=0,
    ):
        self.file = file
        self.image_size = image_size
        self.mean = mean
        self.std = std
        self.output = output
        self.tokens = tokens
        self.batch_size = batch_size
        self.cache_dir = cache_dir
        self.verbose = verbose

    def _look(self) -> None:
        choose_runtime()
        self._scaling()
        self._use(read_onnx(user_path(self.file)))

    def _use(self, found: OnnxFile) -> None:
        """Choose the output of a file, and tell what it is."""
        self._refuse_other(found)
        self._file, self.sha256_ = found, found.sha256
        self.weights_record_ = {
            "source": found.path.name,
            "sha256": found.sha256,
            "licence": found.licence,
        }

    def _refuse_other(self, found: OnnxFile) -> None:
        """Refuse a file without the output, or of another image size."""
        shapes = dict(found.outputs)
        told = ", ".join(f"{name!r} {shape}" for name, shape in found.outputs)
        if self.output is None and len(shapes) > 1:
            raise WeightsError(f"{found.path} has several outputs. Name one: {told}.")
        self.output_ = self.output or next(iter(shapes))
        if self.output_ not in shapes:
            raise WeightsError(
                f"{found.path} has no output {self.output!r}. Its outputs are {told}."
            )
        rank = len(shapes[self.output_])
        if rank not in ((0, 3) if self.tokens else (0, 2)):  # 0: the file does not say
            raise WeightsError(
                f"{found.path} gives {told}. "
                + _advice(self.tokens, shapes[self.output_])
            )
        sides = found.shape[2:] if found.channels_first else found.shape[1:3]
        if set(sides) - {None, self.image_size}:
            raise WeightsError(
                f"{found.path} takes images of {sides[0]} x {sides[1]} pixels, and "
                f"image_size={self.image_size} was given."
            )

    def _scaling(self) -> Normalization:
        return find_normalization((self.mean, self.std))

    def _forward(self) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function that compiles the network at its first call."""
        file, scaling = self._file, self._scaling()

        def forward(images: np.ndarray) -> np.ndarray:
            if images.shape[1:3] != (self.image_size, self.image_size):
                images = np.stack([resize_image(i, self.image_size) for i in images])
            found = compile_onnx(file, self.output_, scaling)(images)
            return self._features(np.asarray(found, dtype=np.float32), len(images))

        return forward

    def _features(self, found: np.ndarray, n_images: int) -> np.ndarray:
        if self.tokens is not None and found.ndim == 3:
            is_class = self.tokens == "class"
            found = found[:, 0] if is_class else found[:, 1:].mean(axis=1)
        elif self.tokens is not None or found.ndim != 2:
            raise EngineError(
                f"{self.file} gives {self.output_!r} of shape {found.shape}. "
                + _advice(self.tokens, found.shape)
            )
        if len(found) != n_images:
            raise EngineError(
                f"{self.file} gives {len(found)} rows for {n_images} images. Export it "
                "anew, with a free number of images."
            )
        return found

    def _made_by(self) -> str:
        settings = (self.output_, self.tokens, self.image_size, *self._scaling()[:2])
        return f"onnx {self.sha256_} {settings}"

    def _to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Name the file by its SHA-256; its numbers stay where they are."""
        return {"sha256": self.sha256_}, {}

    def _set_parts(self, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Find the file again: where it was, or beside the model file."""
        check_fields("The encoder", header, {"sha256": [str]})
        choose_runtime()
        self._scaling()
        given, beside = user_path(self.file), MODEL_FOLDER.get()
        places = [given] if beside is None else [given, beside / given.name]
        there = [place for place in places if place.is_file()]
        known = [
            found for found in map(read_onnx, there) if found.sha256 == header["sha256"]
        ]
        if not known:
            state = "has changed" if there else "is not there"
            raise ModelFileError(
                "The model needs its encoder, which is not part of the model file, and "
                f"{' or '.join(map(str, there or places))} {state}. Put {given.name} "
                f"with the SHA-256 {header['sha256']} beside the model file."
            )
        self._use(known[0])


def _advice(tokens: str | None, shape: tuple[int | None, ...]) -> str:
    if len(shape) == 3:
        return "Say what to take of its tokens: tokens='class' or tokens='mean'."
    if tokens is not None:
        return f"tokens={tokens!r} is for shapes (n, n_tokens, n_features)."
    return "Expected features of shape (n, n_features): export it with its pooling."
