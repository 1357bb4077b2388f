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

    n_rows: int
    known: list[tuple[_Rows, NDArray[Any]]]
    rows: _Rows  # of the images
    images: NDArray[np.uint8]
    keys: list[bytes]


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
            return _Chunk(len(rows), [], rows, self.source.read(rows), [])
        known = [key or b"" for key in self.source.known_keys(rows)]
        values, found = self.store.get_many(known)
        rest = rows[~found]
        images = self.source.read(rest)
        # Under what was read: a file whose key was known may be another by now.
        keys = content_keys(images)
        more, there = self.store.get_many(keys)
        new = np.flatnonzero(~there & ~self._note_copies(rest, keys))
        found_ones = [(rows[found], values[found]), (rest[there], more[there])]
        new_keys = [keys[place] for place in new]
        return _Chunk(len(rows), found_ones, rest[new], images[new], new_keys)

    def _note_copies(self, rows: _Rows, keys: list[bytes]) -> NDArray[np.bool_]:
        """Mark rows whose image is that of a row before: it is computed once."""
        firsts = [
            self.row_of.setdefault(key, row)
            for key, row in zip(keys, rows.tolist(), strict=True)
        ]
        pairs = zip(rows.tolist(), firsts, strict=True)
        self.copies.update((row, first) for row, first in pairs if row != first)
        return np.array(firsts, dtype=np.intp) != rows

    def _compute(self, chunk: _Chunk) -> None:
        """Put what was found into its rows, and what is computed; keep the latter."""
        for rows, values in chunk.known:
            if len(rows):
                self._put(rows, values)
        self.advance(chunk.n_rows - len(chunk.rows))
        computed = []
        for start in range(0, len(chunk.rows), self.batch_size):
            batch = slice(start, start + self.batch_size)
            features = self.forward(chunk.images[batch])
            self._put(chunk.rows[batch], features)
            computed.append(features)
            self.advance(len(features))
        if self.store is not None and computed:
            self.store.put_many(chunk.keys, np.concatenate(computed))

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
