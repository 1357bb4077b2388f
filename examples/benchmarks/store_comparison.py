"""
Which embedded store keeps the features
=======================================

The store of features writes batches of 32 values while a trunk computes, reads
thousands at the start of a run, is shared by processes, and must survive whatever
happens to them and to its file. This script measures, on the machine it runs on,

- SQLite with a rollback journal and with a write-ahead log,
- LMDB, where ``pip install lmdb`` has put it,
- and `glomclf.data.store.FeatureStore`, which is the first of these with a checksum
  on every value, access times and a size limit.

Run it with ``python examples/benchmarks/store_comparison.py``. Rates are medians of
five runs in turn; compare them within one run.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import multiprocessing
import random
import signal
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

BATCH = 32
VECTOR, MAP = 4096, 14 * 14 * 1024  # float16 numbers: 8 KB and 400 KB
N_PATCHES = 5758
SPAWN = multiprocessing.get_context("spawn")


class Sqlite:
    """A table of blobs."""

    def __init__(self, folder: Path, journal: str):
        self.connection = sqlite3.connect(
            folder / "store.sqlite", timeout=60, isolation_level=None
        )
        for setting in (
            f"journal_mode = {journal}",
            "synchronous = NORMAL",
            "cache_size = -16384",
            "cell_size_check = ON",
            "mmap_size = 0",
        ):
            self.connection.execute(f"PRAGMA {setting}").fetchall()
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS entries"
            " (id INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB)"
        )

    def put(self, keys: list[bytes], values: np.ndarray) -> None:
        """Write one batch, all or nothing."""
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(
            "INSERT OR IGNORE INTO entries (key, value) VALUES (?, ?)",
            zip(keys, (value.tobytes() for value in values), strict=True),
        )
        self.connection.execute("COMMIT")

    def get(self, keys: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Read what is there, in any order."""
        for start in range(0, len(keys), 128):
            part = keys[start : start + 128]
            yield from self.connection.execute(
                "SELECT key, value FROM entries"
                f" WHERE key IN ({','.join('?' * len(part))})",
                part,
            )

    def close(self) -> None:
        """Close the file."""
        self.connection.close()


class Lmdb:
    """One map of keys to values."""

    def __init__(self, folder: Path):
        import lmdb

        self.environment = lmdb.open(str(folder), map_size=8 * 1024**3)

    def put(self, keys: list[bytes], values: np.ndarray) -> None:
        """Write one batch, all or nothing."""
        with self.environment.begin(write=True) as transaction:
            for key, value in zip(keys, values, strict=True):
                transaction.put(key, value.tobytes(), overwrite=False)

    def get(self, keys: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Read what is there, in any order."""
        with self.environment.begin(buffers=True) as transaction:
            for key in keys:
                value = transaction.get(key)
                if value is not None:
                    yield key, value

    def close(self) -> None:
        """Close the file."""
        self.environment.close()


class Glomclf:
    """The store of glomclf."""

    def __init__(self, folder: Path):
        from glomclf.data.store import FeatureStore

        self.store = FeatureStore(folder, "comparison")

    def put(self, keys: list[bytes], values: np.ndarray) -> None:
        """Write one batch, all or nothing."""
        self.store.put_many(keys, values)

    def get(self, keys: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Read what is there, in any order."""
        values, found = self.store.get_many(keys)
        for key, value, is_found in zip(keys, values, found, strict=True):
            if is_found:
                yield key, value.data

    def close(self) -> None:
        """Do nothing: each call opens the file and closes it."""


STORES: dict[str, Callable[[Path], Sqlite | Lmdb | Glomclf]] = {
    "SQLite, rollback journal": lambda folder: Sqlite(folder, "TRUNCATE"),
    "SQLite, write-ahead log": lambda folder: Sqlite(folder, "WAL"),
    "LMDB": Lmdb,
    "glomclf": Glomclf,
}


def value_of(key: bytes, n_numbers: int) -> np.ndarray:
    """Make the value that belongs to a key, so that a wrong one is found out."""
    bits = hashlib.shake_128(key).digest(2 * n_numbers)
    return np.frombuffer(bits, np.float16)


def keys_from(start: int, n_keys: int) -> list[bytes]:
    """Make keys like those of images."""
    return [
        hashlib.sha256(b"%d" % i).digest()[:16] for i in range(start, start + n_keys)
    ]


@contextmanager
def opened(name: str, folder: Path):
    """Open a store and close it again."""
    store = STORES[name](folder)
    try:
        yield store
    finally:
        store.close()


def measure_speed(name: str, n_numbers: int, n_values: int) -> dict[str, float]:
    """Write in batches, read all in another order into one array."""
    values = np.stack([value_of(key, n_numbers) for key in keys_from(0, BATCH)])
    keys = keys_from(0, n_values // BATCH * BATCH)
    with tempfile.TemporaryDirectory() as folder, opened(name, Path(folder)) as store:
        times = []
        for start in range(0, len(keys), BATCH):
            began = time.perf_counter()
            store.put(keys[start : start + BATCH], values)
            times.append(time.perf_counter() - began)
        random.Random(0).shuffle(keys)
        rows = {key: row for row, key in enumerate(keys)}
        features = np.zeros((len(keys), n_numbers), np.float16)
        began = time.perf_counter()
        for key, value in store.get(keys):
            features[rows[key]] = np.frombuffer(value, np.float16)
        read = time.perf_counter() - began
        on_disk = sum(f.stat().st_blocks * 512 for f in Path(folder).rglob("*.*"))
    return {
        "median ms a batch written": 1000 * statistics.median(times),
        "longest": 1000 * max(times),
        "s to write all": sum(times),
        "s to read all": read,
        "bytes on disk a byte": on_disk / features.nbytes,
    }


def median_speeds(
    names: list[str], n_numbers: int, n_values: int
) -> dict[str, dict[str, float]]:
    """Take turns, so that a busy spell of the machine hits all stores alike."""
    runs = [
        {name: measure_speed(name, n_numbers, n_values) for name in names}
        for _ in range(5)
    ]
    return {
        name: {
            what: statistics.median(run[name][what] for run in runs)
            for what in runs[0][name]
        }
        for name in names
    }


def write_on(name: str, folder: str, start: int, n_batches: int, pause: float) -> None:
    """Write batches with pauses in between, as a worker whose trunk computes."""
    with opened(name, Path(folder)) as store:
        for first in range(start, start + n_batches * BATCH, BATCH):
            keys = keys_from(first, BATCH)
            store.put(keys, np.stack([value_of(key, VECTOR) for key in keys]))
            time.sleep(pause)


def start_writer(
    name: str, folder: str, start: int, n_batches: int, pause: float = 0.0
) -> multiprocessing.process.BaseProcess:
    """Write in another process."""
    arguments = (name, folder, start, n_batches, pause)
    process = SPAWN.Process(target=write_on, args=arguments)
    process.start()
    return process


def measure_two_writers(name: str, n_batches: int = 60) -> dict[str, float]:
    """Compare two processes that write at once with one that writes alone."""
    seconds = []
    for n_writers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            writers = [
                start_writer(name, folder, 10**6 * i, n_batches, 0.02)
                for i in range(n_writers)
            ]
            for writer in writers:
                writer.join()
            seconds.append(time.perf_counter() - began)
            with opened(name, Path(folder)) as store:
                for i in range(n_writers):
                    keys = keys_from(10**6 * i, n_batches * BATCH)
                    assert len(list(store.get(keys))) == len(keys), "values are lost"
    return {"s of one writer": seconds[0], "s of two writers": seconds[1]}


def read_back(name: str, folder: str, n_values: int, outcome) -> None:
    """Read all and note whether each is right; a crash leaves the note at -1."""
    try:
        with opened(name, Path(folder)) as store:
            keys = keys_from(0, n_values)
            wrong = [
                bytes(value) != value_of(key, VECTOR).tobytes()
                for key, value in store.get(keys)
            ]
        outcome.value = 2 if any(wrong) else 0 if len(wrong) == n_values else 1
    except Exception:
        outcome.value = 3


OUTCOMES = {0: "all right", 1: "some missing", 2: "WRONG VALUE", 3: "exception"}


def outcome_of_reading(name: str, folder: str, n_values: int) -> str:
    """Read in another process, which may not survive it."""
    outcome = SPAWN.Value("i", -1)
    reader = SPAWN.Process(target=read_back, args=(name, folder, n_values, outcome))
    reader.start()
    reader.join()
    if reader.exitcode and reader.exitcode < 0:
        return f"KILLED BY {signal.Signals(-reader.exitcode).name}"
    return OUTCOMES.get(outcome.value, "exit")


def measure_kills(name: str, n_kills: int) -> dict[str, int]:
    """Kill a writer at a random moment, then look at what can be read."""
    generator, outcomes = random.Random(0), Counter()
    with tempfile.TemporaryDirectory() as folder:
        write_on(name, folder, 0, 10, 0.0)
        for turn in range(n_kills):
            writer = start_writer(name, folder, 10**6 * (turn + 1), 10**6)
            time.sleep(generator.uniform(0.5, 1.2))
            writer.kill()
            writer.join()
            outcomes[outcome_of_reading(name, folder, 10 * BATCH)] += 1
    return dict(outcomes)


def damage(data: bytes, how: str, generator: random.Random) -> bytes:
    """Spoil the contents of a file, at a random place behind its header."""
    place = generator.randrange(len(data) // 10, len(data))
    if how == "truncated":
        return data[:place]
    if how == "4 KiB of noise":
        return data[:place] + generator.randbytes(4096) + data[place + 4096 :]
    return data[:place] + bytes([data[place] ^ 0x5A]) + data[place + 1 :]


def measure_damage(name: str, how: str, n_trials: int) -> dict[str, int]:
    """Damage the file at a random place, then read everything in a new process."""
    generator, outcomes = random.Random(0), Counter()
    with tempfile.TemporaryDirectory() as folder:
        write_on(name, folder, 0, 10, 0.0)
        (file,) = (
            f
            for f in Path(folder).rglob("*.*")
            if f.suffix in (".mdb", ".sqlite") and f.name != "lock.mdb"
        )
        whole = file.read_bytes()
        for _ in range(n_trials):
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(damage(whole, how, generator))
            outcomes[outcome_of_reading(name, folder, 10 * BATCH)] += 1
    return dict(outcomes)


def measure(names: list[str], n_trials: int) -> Iterator[tuple[str, dict[str, dict]]]:
    """Yield what was measured, and the figures of each store."""
    yield f"{N_PATCHES} vectors of 8 KB", median_speeds(names, VECTOR, N_PATCHES)
    yield "640 feature maps of 400 KB", median_speeds(names, MAP, 640)
    yield "two writers", {name: measure_two_writers(name) for name in names}
    yield "kill -9", {name: measure_kills(name, n_trials) for name in names}
    for how in ("truncated", "4 KiB of noise", "one byte flipped"):
        yield how, {name: measure_damage(name, how, n_trials) for name in names}


def main() -> None:
    """Measure every store at hand and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--trials", type=int, default=20, help="kills and damages each")
    options = parser.parse_args()
    names = list(STORES)
    if importlib.util.find_spec("lmdb") is None:
        print("LMDB is not installed and left out: pip install lmdb")
        names.remove("LMDB")
    results = {}
    for what, figures in measure(names, options.trials):
        results[what] = figures
        print(what)
        for name in names:
            shown = (f"{label} {figure:.3g}" for label, figure in figures[name].items())
            print(f"  {name}: {', '.join(shown)}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
