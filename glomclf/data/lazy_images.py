"""Images that are decoded, or changed, when they are read."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from .._runtime import progress
from ..errors import ImageError
from .image_source import ROWS_AT_ONCE, ImageSource
from .images import read_image, resize_image
from .large_arrays import empty_array
from .store import PixelStore, content_keys, decoded_images, file_key


class Decoding(NamedTuple):
    """How files and images of any size become squares.

    Attributes
    ----------
    image_size : int
    resize : {"pad", "stretch"}
    max_pixels : int
    """

    image_size: int
    resize: str
    max_pixels: int


class KeptImages(ImageSource):
    """Images that are made of others, each once: a store keeps them.

    Parameters
    ----------
    shape : tuple of int
        (n_samples, height, width, 3)
    store : PixelStore or None
        None keeps nothing.
    """

    def __init__(self, shape: tuple[int, ...], store: PixelStore | None):
        super().__init__(shape)
        self._store = store
        # Keys of rows that `known_keys` has just called new, and `read` is to make: to
        # hash a large file takes a while.
        self._asked: dict[int, bytes | None] = {}

    @abstractmethod
    def _sources(self, rows: NDArray[np.intp]) -> list[bytes | None]:
        """Return the keys of what images are made of, None where it is not known."""

    @abstractmethod
    def _make(
        self, rows: NDArray[np.intp], before: list[bytes | None]
    ) -> tuple[NDArray[np.uint8], list[bytes | None]]:
        """Make images, and say what of; None where that cannot be told.

        `before` are the keys of what they were to be made of, a moment ago.
        """

    def read(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Read some rows: those that are kept, and the others anew.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,), dtype int

        Returns
        -------
        ndarray of shape (n_rows, height, width, 3), dtype uint8

        Raises
        ------
        ImageError
            If any of all rows cannot be used; it lists every one of them.
        """
        if self._store is None:
            return self._make(rows, [])[0]
        wanted = self._sources_once(rows)
        images, found = self._store.get(wanted)
        if found.all() and len(rows):
            return images
        lacking = [key for key, there in zip(wanted, found, strict=True) if not there]
        made, sources = self._make(rows[~found], lacking)
        self._store.put(sources, made)
        if not found.any():
            return made
        images[~found] = made
        return images

    def known_keys(self, rows: NDArray[np.intp]) -> list[bytes | None]:
        """Return the content keys of rows that are known without making them."""
        if self._store is None:
            return [None] * len(rows)
        sources = self._sources(rows)
        keys = self._store.content_keys(sources)
        asked = zip(rows.tolist(), sources, keys, strict=True)
        self._asked = {row: source for row, source, key in asked if key is None}
        return keys

    def _sources_once(self, rows: NDArray[np.intp]) -> list[bytes | None]:
        """Return the keys of sources, from a moment ago where they were asked."""
        asked, self._asked = self._asked, {}
        if all(row in asked for row in rows.tolist()):
            return [asked[row] for row in rows.tolist()]
        return self._sources(rows)


class LazyImages(KeptImages):
    """uint8 images, of shape (n_samples, image_size, image_size, 3), in [0, 255].

    ``np.asarray`` decodes them all, once, into an array that is memory-mapped where it
    is large; an index decodes the rows it names.

    Parameters
    ----------
    items : sequence of path or of ndarray of shape (height, width, 3)
    decoding : Decoding
    cache_dir : path, None or False, default=False
        Where decoded files are kept.
    n_threads : int, default=1
        Threads that decode.
    verbose : int, default=0
        Whether decoding them all shows a bar.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.lazy_images import Decoding, LazyImages
    >>> large = np.zeros((80, 80, 3), dtype=np.uint8)
    >>> images = LazyImages([large, large + 1], Decoding(32, "pad", 10**6))
    >>> images.shape, images[1:].max()
    ((2, 32, 32, 3), np.uint8(1))
    """

    def __init__(
        self,
        items: Sequence[Any] | NDArray[Any],
        decoding: Decoding,
        *,
        cache_dir: str | Path | bool | None = False,
        n_threads: int = 1,
        verbose: int = 0,
    ):
        self.items = items
        self.decoding = decoding
        self.n_threads = n_threads
        self.verbose = verbose
        size = decoding.image_size
        store = None
        if not isinstance(cache_dir, bool):
            store = decoded_images(cache_dir, *decoding)
        super().__init__((len(items), size, size, 3), store)
        self.cache_dir = store.cache_dir if store else None

    def _sources(self, rows: NDArray[np.intp]) -> list[bytes | None]:
        run = Parallel(self.n_threads, require="sharedmem")
        return run(delayed(_file_key)(self.items[row]) for row in rows)

    def _make(
        self, rows: NDArray[np.intp], before: list[bytes | None]
    ) -> tuple[NDArray[np.uint8], list[bytes | None]]:
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        if self._decode(rows, images):
            raise ImageError(self._faults_of_all())
        after = self._sources(rows) if self._store else []
        # A file that was replaced while it was read has no one content.
        pairs = zip(before, after, strict=True)
        return images, [key if key == same else None for key, same in pairs]

    def _read_all(self) -> NDArray[np.uint8]:
        images = empty_array(self.shape, np.uint8, self.cache_dir)
        rows = np.arange(len(self))
        shown = progress("Loading images", len(self), enabled=bool(self.verbose))
        with shown as advance:
            for batch in gen_batches(len(self), ROWS_AT_ONCE):
                images[batch] = self.read(rows[batch])
                advance(len(rows[batch]))
        return images

    def _faults_of_all(self) -> dict[str, str]:
        """Look at every row, so that one error can name all that are at fault."""
        batches = np.split(
            np.arange(len(self)), range(ROWS_AT_ONCE, len(self), ROWS_AT_ONCE)
        )
        images = np.empty((ROWS_AT_ONCE, *self.shape[1:]), np.uint8)
        return {
            where: why
            for rows in batches
            for where, why in self._decode(rows, images).items()
        }

    def _decode(self, rows: NDArray[np.intp], out: NDArray[np.uint8]) -> dict[str, str]:
        """Decode rows in threads; return what cannot be used, and why."""
        run = Parallel(self.n_threads, require="sharedmem")
        faults = run(
            delayed(_decode_into)(out[place], row, self.items[row], self.decoding)
            for place, row in enumerate(rows)
        )
        return dict(fault for fault in faults if fault is not None)


class MappedImages(KeptImages):
    """Images of another source, each changed on its own as it is read.

    To samplers and to numpy it is an array; :class:`~glomclf.PatchEncoder` reads it a
    few images at a time, and knows each by the content it has after the change.

    Parameters
    ----------
    source : ImageSource
        uint8 images of shape (n_samples, height, width, 3), in [0, 255].
    change : callable
        One uint8 image (height, width, 3) -> another of the same shape.
    n_threads : int, default=1
        Threads that change images.
    store : PixelStore, default=None
        Where changed images are kept, for sources that know what their images are made
        of without reading them.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.lazy_images import MappedImages
    >>> from glomclf.data.image_source import ArraySource
    >>> dark = ArraySource(np.zeros((4, 32, 32, 3), dtype=np.uint8))
    >>> images = MappedImages(dark, lambda image: 255 - image)
    >>> images.shape, images[1:].min()
    ((4, 32, 32, 3), np.uint8(255))
    """

    def __init__(
        self,
        source: ImageSource,
        change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
        n_threads: int = 1,
        store: PixelStore | None = None,
    ):
        super().__init__(source.shape, store)
        self.source = source
        self.change = change
        self.n_threads = n_threads

    def _sources(self, rows: NDArray[np.intp]) -> list[bytes | None]:
        return list(self.source.known_keys(rows))

    def _make(
        self, rows: NDArray[np.intp], before: list[bytes | None]
    ) -> tuple[NDArray[np.uint8], list[bytes | None]]:
        unchanged = self.source.read(rows)
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        run = Parallel(self.n_threads, require="sharedmem")
        for place, image in enumerate(run(delayed(self.change)(i) for i in unchanged)):
            images[place] = image
        if self._store is None:
            return images, []
        # Under what was read: the file may be another by now.
        pairs = zip(self._sources(rows), content_keys(unchanged), strict=True)
        return images, [key if known else None for known, key in pairs]


def _file_key(item: Any) -> bytes | None:
    return file_key(item) if isinstance(item, str | os.PathLike) else None


def _decode_into(
    out: NDArray[np.uint8], row: int, item: Any, decoding: Decoding
) -> tuple[str, str] | None:
    """Load one item into its place; return its name and what is wrong with it."""
    size, resize, max_pixels = decoding
    is_path = isinstance(item, str | os.PathLike)
    where = os.fspath(item) if is_path else f"X[{row}]"
    try:
        if is_path:
            out[:] = read_image(item, size, resize, max_pixels=max_pixels)
        elif isinstance(item, np.ndarray):
            out[:] = resize_image(item, size, resize)
        else:
            return where, f"is {item!r}; a path or a uint8 image was expected"
    except ImageError as error:
        return where, next(iter(error.faults.values()))
    return None
