"""Images that are decoded, or changed, when they are read."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from .._runtime import progress
from ..errors import ImageError
from .image_source import ROWS_AT_ONCE, ImageSource
from .images import read_image, resize_image
from .large_arrays import empty_array
from .store import PixelStore, content_keys, decoded_images, file_key

__all__ = ["Decoding", "LazyImages", "MappedImages"]

_Fault = tuple[int, str, str]


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


class LazyImages(ImageSource):
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
        super().__init__((len(items), size, size, 3))
        self._store = None
        if not isinstance(cache_dir, bool):
            self._store = decoded_images(cache_dir, *decoding)
            self.cache_dir = self._store.cache_dir

    def read(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Decode some rows.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,), dtype int

        Returns
        -------
        ndarray of shape (n_rows, image_size, image_size, 3), dtype uint8

        Raises
        ------
        ImageError
            If any of all rows cannot be used; it lists every one of them.
        """
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        faults = self._read_into(images, rows)
        if faults:
            raise _error_of(self._faults_of_all())
        return images

    def known_keys(self, rows: NDArray[np.intp]) -> list[bytes | None]:
        """Return the content keys of rows that are known without decoding them."""
        if self._store is None:
            return [None] * len(rows)
        return self._store.content_keys(self._file_keys(rows))

    def _read_all(self) -> NDArray[np.uint8]:
        images = empty_array(self.shape, np.uint8, self.cache_dir)
        faults = []
        shown = progress("Loading images", len(self), enabled=bool(self.verbose))
        with shown as advance:
            for rows in self._chunks():
                part = slice(rows[0], rows[-1] + 1)
                faults += self._read_into(images[part], rows, advance)
        if faults:
            raise _error_of(faults)
        return images

    def _faults_of_all(self) -> list[_Fault]:
        """Look at every row, so that one error can name all that are at fault."""
        size = (ROWS_AT_ONCE, *self.shape[1:])
        images = np.empty(size, np.uint8)
        return [f for rows in self._chunks() for f in self._read_into(images, rows)]

    def _chunks(self) -> list[NDArray[np.intp]]:
        starts = np.arange(ROWS_AT_ONCE, len(self), ROWS_AT_ONCE)
        return np.split(np.arange(len(self)), starts)

    def _read_into(
        self,
        out: NDArray[np.uint8],
        rows: NDArray[np.intp],
        advance: Callable[..., None] = lambda n_done=1: None,
    ) -> list[_Fault]:
        """Fill places of `out` with rows: kept ones first, then decoded ones."""
        if self._store is None:
            faults, _ = self._decode(out, rows, np.arange(len(rows)), advance)
            return faults
        stamps = [_stamp(self.items[row]) for row in rows]
        files = self._file_keys(rows)
        images, found = self._store.get(files)
        for place in np.flatnonzero(found):
            out[place] = images[place]
        advance(int(found.sum()))
        missing = np.flatnonzero(~found)
        faults, decoded = self._decode(out, rows, missing, advance)
        # A file that was replaced while it was read has no one content.
        steady = [
            place
            for place in decoded
            if files[place] and stamps[place] == _stamp(self.items[rows[place]])
        ]
        if steady:
            fresh = out[steady]
            keys = [files[place] or b"" for place in steady]
            self._store.put(keys, fresh, content_keys(fresh))
        return faults

    def _decode(
        self,
        out: NDArray[np.uint8],
        rows: NDArray[np.intp],
        places: NDArray[np.intp],
        advance: Callable[..., None],
    ) -> tuple[list[_Fault], list[int]]:
        """Decode in threads; return what failed, and the places of what did not."""
        faults: list[_Fault] = []
        decoded: list[int] = []
        run = Parallel(
            self.n_threads, require="sharedmem", return_as="generator_unordered"
        )
        for place, fault in run(
            delayed(_decode_into)(out, p, rows[p], self.items[rows[p]], self.decoding)
            for p in places
        ):
            if fault is None:
                decoded.append(place)
            else:
                faults.append(fault)
            advance()
        return faults, sorted(decoded)

    def _file_keys(self, rows: NDArray[np.intp]) -> list[bytes | None]:
        run = Parallel(self.n_threads, require="sharedmem")
        return run(delayed(_file_key)(self.items[row]) for row in rows)


class MappedImages(ImageSource):
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
        super().__init__(source.shape)
        self.source = source
        self.change = change
        self._store = store
        self.n_threads = n_threads

    def read(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Read some rows of the source and change them."""
        if self._store is None:
            return self._changed(self.source.read(rows))
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        kept, found = self._store.get(self.source.known_keys(rows))
        for place in np.flatnonzero(found):
            images[place] = kept[place]
        unchanged = self.source.read(rows[~found])
        images[~found] = fresh = self._changed(unchanged)
        self._keep(rows[~found], unchanged, fresh)
        return images

    def known_keys(self, rows: NDArray[np.intp]) -> list[bytes | None]:
        """Return the content keys of rows that are known without changing them."""
        if self._store is None:
            return [None] * len(rows)
        return self._store.content_keys(self.source.known_keys(rows))

    def _changed(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if not len(images):
            return np.empty((0, *self.shape[1:]), np.uint8)
        run = Parallel(self.n_threads, require="sharedmem")
        return np.stack(run(delayed(self.change)(image) for image in images))

    def _keep(
        self,
        rows: NDArray[np.intp],
        unchanged: NDArray[np.uint8],
        images: NDArray[np.uint8],
    ) -> None:
        """Keep images whose source is known, which it is once it has been read.

        Under what was read: the file may be another by now.
        """
        known = self.source.known_keys(rows)
        places = [place for place, key in enumerate(known) if key is not None]
        if self._store is not None and places:
            sources = content_keys(unchanged[places])
            self._store.put(sources, images[places], content_keys(images[places]))


def _error_of(faults: list[_Fault]) -> ImageError:
    return ImageError({where: why for _, where, why in sorted(faults)})


def _file_key(item: Any) -> bytes | None:
    return file_key(item) if isinstance(item, str | os.PathLike) else None


def _stamp(item: Any) -> tuple[int, int] | None:
    """Return what changes when a file does."""
    if not isinstance(item, str | os.PathLike):
        return None
    try:
        stat = os.stat(item)
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _decode_into(
    out: NDArray[np.uint8], place: int, row: int, item: Any, decoding: Decoding
) -> tuple[int, _Fault | None]:
    """Load one item into its place; return the place, and what is wrong with it."""
    size, resize, max_pixels = decoding
    is_path = isinstance(item, str | os.PathLike)
    where = os.fspath(item) if is_path else f"X[{row}]"
    try:
        if is_path:
            out[place] = read_image(item, size, resize, max_pixels=max_pixels)
        elif isinstance(item, np.ndarray):
            out[place] = resize_image(item, size, resize)
        else:
            why = f"is {item!r}; a path or a uint8 image was expected"
            return place, (int(row), where, why)
    except ImageError as error:
        return place, (int(row), where, next(iter(error.faults.values())))
    return place, None
