"""One pass from images to features: reading and encoder work at the same time.

A thread reads ahead: it looks up what the store holds, and fetches or decodes the
images that it lacks. Meanwhile the encoder computes the features of those before, and
keeps them. Only a few images are in memory, however many there are; features go to
their rows of one array, memory-mapped where it is large.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .image_source import ROWS_AT_ONCE, ImageSource
from .large_arrays import empty_array
from .store import FeatureStore, content_keys

_Rows = NDArray[np.intp]


class _Chunk(NamedTuple):
    """Some rows, read ahead: features that the store has, images that it has not."""

    rows: _Rows
    stored: NDArray[Any]
    found: NDArray[np.bool_]
    keys: list[bytes]
    absent: _Rows
    """Places in `rows` of the images."""
    images: NDArray[np.uint8]


def stream_features(
    source: ImageSource,
    forward: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    store: FeatureStore | None,
    *,
    batch_size: int,
    advance: Callable[..., None],
) -> NDArray[Any]:
    """Return the features of all images; compute only those that the store lacks.

    Parameters
    ----------
    source : ImageSource
    forward : callable
        uint8 images (n, height, width, 3) -> float32 features.
    store : FeatureStore or None
        None computes every image, and keeps nothing.
    batch_size : int
        Images that run through `forward` at once.
    advance : callable
        Called with the number of images that are done.

    Returns
    -------
    ndarray of shape (n_samples, ...), float32

    Raises
    ------
    ImageError
        If images cannot be read.
    """
    return _Stream(source, forward, store, batch_size, advance).run()


@dataclass
class _Stream:
    """The pass, and what it knows halfway."""

    source: ImageSource
    forward: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    store: FeatureStore | None
    batch_size: int
    advance: Callable[..., None]
    features: NDArray[Any] | None = None
    row_of: dict[bytes, int] = field(default_factory=dict)
    copies: dict[int, int] = field(default_factory=dict)

    def run(self) -> NDArray[Any]:
        """Read one chunk ahead of the encoder."""
        n_rows = self.source.shape[0]
        # Enough to fill a batch, however few of them the store lacks.
        step = max(ROWS_AT_ONCE, self.batch_size)
        chunks = np.split(np.arange(n_rows), np.arange(step, n_rows, step))
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(self._read, chunks[0])
            for following in [*chunks[1:], None]:
                chunk = ahead.result()
                if following is not None:
                    ahead = reader.submit(self._read, following)
                self._compute(chunk)
        return self._with_copies()

    def _read(self, rows: _Rows) -> _Chunk:
        """Look rows up, and read the images of those that are not there."""
        if self.store is None:
            absent, found = np.arange(len(rows)), np.zeros(len(rows), bool)
            return _Chunk(rows, found, found, [], absent, self.source.read(rows))
        known = list(self.source.known_keys(rows))
        is_new = np.array([key is None for key in known])
        new_images = self.source.read(rows[is_new])
        new_keys = iter(content_keys(new_images))
        keys = [next(new_keys) if key is None else key for key in known]
        stored, found = self.store.get_many(keys)
        wanted = ~found & ~self._note_copies(rows, keys)
        images = [new_images[wanted[is_new]]]
        late = np.flatnonzero(wanted & ~is_new)
        if len(late):
            images.append(self.source.read(rows[late]))
            # Under what was read: the file may be another by now.
            for place, key in zip(late, content_keys(images[-1]), strict=True):
                if keys[place] != key:  # no later row is a copy of it
                    self.row_of.pop(keys[place], None)
                keys[place] = key
        absent = np.append(np.flatnonzero(wanted & is_new), late)
        return _Chunk(rows, stored, found, keys, absent, np.concatenate(images))

    def _note_copies(self, rows: _Rows, keys: list[bytes]) -> NDArray[np.bool_]:
        """Mark rows whose image is that of a row before: it is computed once."""
        firsts = [
            self.row_of.setdefault(key, row)
            for key, row in zip(keys, rows.tolist(), strict=True)
        ]
        pairs = zip(rows.tolist(), firsts, strict=True)
        self.copies.update((row, first) for row, first in pairs if row != first)
        return np.array(firsts) != rows

    def _compute(self, chunk: _Chunk) -> None:
        """Put what was found into its rows, and what is computed; keep the latter."""
        if chunk.found.any():
            self._put(chunk.rows[chunk.found], chunk.stored[chunk.found])
        self.advance(len(chunk.rows) - len(chunk.absent))
        computed = []
        for start in range(0, len(chunk.absent), self.batch_size):
            batch = slice(start, start + self.batch_size)
            features = self.forward(chunk.images[batch])
            self._put(chunk.rows[chunk.absent[batch]], features)
            computed.append(features)
            self.advance(len(features))
        if self.store is not None and computed:
            keys = [chunk.keys[place] for place in chunk.absent]
            self.store.put_many(keys, np.concatenate(computed))

    def _put(self, rows: _Rows, values: NDArray[Any]) -> None:
        if self.features is None:
            shape = (self.source.shape[0], *values.shape[1:])
            folder = None if self.store is None else self.store.cache_dir
            self.features = empty_array(shape, values.dtype, folder)
        self.features[rows] = values

    def _with_copies(self) -> NDArray[Any]:
        features = self.features
        if features is None:
            raise AssertionError("there is at least one image, and it has features")
        for row, first in self.copies.items():
            features[row] = features[first]
        return features
