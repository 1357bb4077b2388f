"""Measure how well images of one glomerulus are told from images of different ones.

Nobody can say of a real pair whether the audit should find it, so three things are
measured instead. Pairs of different participants show different glomeruli: what is
reported there is false. Serial sections are drawn, and copies of real images are made,
in known ways: what is missed there is missed. Pairs of one real slide that are reported
are counted, and drawn to be looked at.

Embeddings are measured in the same way, with those of the recipe "linear".

    python examples/benchmarks/near_duplicates.py --data public.csv --output table.md
"""

from __future__ import annotations

import argparse
import io
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from pages import grid
from PIL import Image, ImageEnhance, ImageOps

from glomclf import make_classifier, make_glomeruli, read_manifest
from glomclf.data.images import read_image
from glomclf.errors import ParticipantWarning
from glomclf.leakage.duplicates import (
    NEAR_DUPLICATE_DISTANCE,
    RE_ENCODED_DISTANCE,
    find_duplicates,
    fingerprint_images,
)
from glomclf.leakage.embedding_pairs import _INDEPENDENT, find_duplicate_embeddings
from glomclf.model.pipeline import make_pipeline

DISTANCES = (0.30, 0.35, 0.40, 0.45, 0.50)


def jpeg(quality: int) -> Callable[[Image.Image], Image.Image]:
    """Save as JPEG and open again."""

    def save(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file).convert("RGB")

    return save


def resized(factor: float) -> Callable[[Image.Image], Image.Image]:
    """Make smaller or larger."""
    return lambda image: ImageOps.scale(image, factor)


def cropped(share: float) -> Callable[[Image.Image], Image.Image]:
    """Take a share off each side."""
    return lambda image: ImageOps.crop(image, round(share * image.width))


def turned(degrees: float) -> Callable[[Image.Image], Image.Image]:
    """Turn about the centre, with white corners."""
    return lambda image: image.rotate(
        degrees, Image.Resampling.BICUBIC, fillcolor="white"
    )


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG, quality 95": jpeg(95),
    "JPEG, quality 75": jpeg(75),
    "JPEG, quality 50": jpeg(50),
    "JPEG, quality 20": jpeg(20),
    "half the size": resized(0.5),
    "1.5 times the size": resized(1.5),
    "mirrored, quality 75": lambda image: jpeg(75)(ImageOps.mirror(image)),
    "a quarter turn": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "brighter by 20 %": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "2 % off each side": cropped(0.02),
    "5 % off each side": cropped(0.05),
    "10 % off each side": cropped(0.10),
    "turned by 3 degrees": turned(3),
    "turned by 10 degrees": turned(10),
    "turned by 45 degrees": turned(45),
}


def all_distances(X: np.ndarray | list[np.ndarray]) -> pd.DataFrame:
    """Measure all pairs that the search proposes; the rest counts as farther."""
    return find_duplicates(fingerprint_images(X), max_distance=1.0)


def real_pairs(csvs: list[Path]) -> tuple[pd.DataFrame, np.ndarray, list[np.ndarray]]:
    """Measure real patches: pairs, the participant of each row, images."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ParticipantWarning)
        manifest = pd.concat(map(read_manifest, csvs), ignore_index=True)
    images = [read_image(path) for path in manifest["path"]]
    return all_distances(images), manifest["participant"].to_numpy(), images


def drawn_pairs(n_samples: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Measure drawn serial sections: pairs, and the glomerulus of each row."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        manifest = make_glomeruli(
            n_samples,
            n_participants=n_samples // 20,
            serial_sections=True,
            directory=f"{folder}/set",
            random_state=seed,
        )
        pairs = find_duplicates(fingerprint_images(manifest), max_distance=1.0)
    # a file's name ends in its glomerulus' number times two, plus the section
    place = manifest["path"].map(lambda path: int(Path(path).stem[-6:], 16))
    return pairs, place.to_numpy() // 2


def copies_table(images: list[np.ndarray], seed: int) -> pd.DataFrame:
    """Say of each kind of copy how many are found, and how far they are."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(images), min(200, len(images)), replace=False)
    rows = []
    for name, change in COPIES.items():
        copies = [np.asarray(change(Image.fromarray(images[row]))) for row in chosen]
        n = len(chosen)
        pairs = all_distances([*(images[row] for row in chosen), *copies])
        own = pairs[pairs["second"] == pairs["first"] + n]
        distance = np.full(n, 2.0)
        distance[own["first"]] = own["distance"]
        near = distance <= NEAR_DUPLICATE_DISTANCE
        same = distance <= RE_ENCODED_DISTANCE
        rows.append(
            {
                "copy": name,
                "found": f"{near.mean():.1%}",
                "called the same image": f"{same.mean():.1%}",
                "median distance": _far(np.median(distance)),
                "95 % below": _far(np.quantile(distance, 0.95)),
            }
        )
    return pd.DataFrame(rows)


def _far(distance: float) -> str:
    return f"{distance:.3f}" if distance <= 1 else "over 1"


def rates_table(
    real: pd.DataFrame, participants: np.ndarray, drawn: pd.DataFrame, owner: np.ndarray
) -> pd.DataFrame:
    """Count what each threshold would find."""
    apart = _differ(real, participants)
    other = _differ(drawn, owner)
    n_real, n_drawn = _n_pairs_apart(participants), _n_pairs_apart(owner)
    n_sections = len(owner) // 2
    rows = []
    for threshold in DISTANCES:
        near, close = real["distance"] <= threshold, drawn["distance"] <= threshold
        rows.append(
            {
                "threshold": f"{threshold:.2f}",
                f"real, different participants (of {n_real})": (near & apart).sum(),
                "real, same participant": (near & ~apart).sum(),
                f"drawn, different glomeruli (of {n_drawn})": (close & other).sum(),
                f"drawn serial sections found (of {n_sections})": (
                    f"{(close & ~other).sum() / n_sections:.1%}"
                ),
            }
        )
    return pd.DataFrame(rows)


def _differ(pairs: pd.DataFrame, owner: np.ndarray) -> np.ndarray:
    return owner[pairs["first"]] != owner[pairs["second"]]


def _n_pairs_apart(owner: np.ndarray) -> int:
    counts = np.unique(owner, return_counts=True)[1]
    return int(len(owner) * (len(owner) - 1) // 2 - (counts * (counts - 1) // 2).sum())


def embed(images: list[np.ndarray]) -> np.ndarray:
    """Compute the features that the recipe "linear" classifies."""
    from tempfile import TemporaryDirectory

    pipeline = make_pipeline(make_classifier("linear", cache_dir=False), 0, 0)
    with TemporaryDirectory() as folder:
        paths = [f"{folder}/{row}.png" for row in range(len(images))]
        for image, path in zip(images, paths, strict=True):
            Image.fromarray(image).save(path, compress_level=1)
        loaded = pipeline["load"].fit(paths).transform(paths)
        return np.asarray(pipeline["encode"].fit_transform(loaded))


def embedding_distances(
    images: list[np.ndarray], seed: int
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Measure pairs of embeddings, and how far copies of each kind are; 2 is far."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(images), min(200, len(images)), replace=False)
    rows, n, far = embed(images), len(images), {"max_distance": max(DISTANCES)}
    distances = {}
    for name, change in COPIES.items():
        copies = [np.asarray(change(Image.fromarray(images[row]))) for row in chosen]
        pairs = find_duplicate_embeddings(np.concatenate([rows, embed(copies)]), **far)
        pairs = pairs[pairs["second"] >= n]
        copy = pairs["second"].to_numpy() - n
        own = chosen[copy] == pairs["first"]
        distances[name] = np.full(len(chosen), 2.0)
        distances[name][copy[own]] = pairs["distance"][own]
    return find_duplicate_embeddings(rows, **far), distances


def limits_table(
    pairs: pd.DataFrame, participants: np.ndarray, distances: dict[str, np.ndarray]
) -> pd.DataFrame:
    """Count what each limit would find among embeddings."""
    apart, rows = _differ(pairs, participants), []
    n_apart = _n_pairs_apart(participants)
    for limit in DISTANCES:
        near = pairs["distance"] <= limit
        found = {
            f"copies of {name}": f"{(distances[name] <= limit).mean():.1%}"
            for name in ("JPEG, quality 95", "JPEG, quality 75")
        }
        rows.append(
            {
                "limit": f"{limit:.2f}",
                "the number that puts 0.4 here": f"{_number(limit):.0f}",
                f"different participants (of {n_apart})": (near & apart).sum(),
                "same participant": (near & ~apart).sum(),
                **found,
            }
        )
    return pd.DataFrame(rows)


def kinds_table(distances: dict[str, np.ndarray]) -> pd.DataFrame:
    """Say of each kind of copy how many are found by their embeddings."""
    rows = [
        {
            "copy": name,
            "found": f"{(one <= NEAR_DUPLICATE_DISTANCE).mean():.1%}",
            "median distance": _near_or_far(np.median(one)),
            "95 % below": _near_or_far(np.quantile(one, 0.95)),
        }
        for name, one in distances.items()
    ]
    return pd.DataFrame(rows)


def _number(limit: float) -> float:
    """Tell with which number of independent features this distance would be 0.4."""
    ratio = np.arctanh(1 - limit) / np.arctanh(1 - NEAR_DUPLICATE_DISTANCE)
    return float(_INDEPENDENT * ratio**2)


def _near_or_far(distance: float) -> str:
    farthest = max(DISTANCES)
    return f"{distance:.3f}" if distance <= farthest else f"over {farthest:g}"


def timing(n_samples: int, seed: int) -> str:
    """Time a set as large as the largest public one, decoded and compared."""
    X, _, _ = make_glomeruli(
        n_samples, n_participants=n_samples // 50, image_size=64, random_state=seed
    )
    start = time.process_time()
    fingerprints = fingerprint_images(X)
    middle = time.process_time()
    find_duplicates(fingerprints, n_jobs=-1)
    end = time.process_time()
    return (
        f"{n_samples} images of 64 pixels a side took {middle - start:.0f} s of one "
        f"core for digests and thumbnails, {end - middle:.0f} s for search and "
        "alignment, which are spread over the cores. Decoding files comes on top, once "
        "for each."
    )


def draw_pairs(csvs: list[Path], path: Path) -> None:
    """Draw pairs within a participant that are reported, to be judged by eye."""
    from matplotlib.figure import Figure

    from glomclf.leakage.splits import audit_splits
    from glomclf.report.displays import LeakyPairsDisplay

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ParticipantWarning)
        manifest = pd.concat(map(read_manifest, csvs), ignore_index=True)
    rows = np.arange(len(manifest))
    audit = audit_splits(manifest, manifest["label"], [(rows, rows)])
    figure = Figure(layout="constrained")
    LeakyPairsDisplay.from_audit(audit, manifest, n_pairs=24, figure=figure)
    figure.savefig(path, dpi=70)


def as_markdown(table: pd.DataFrame) -> str:
    """Write a table."""
    return "\n".join(grid(list(table.columns), table.to_numpy()))


def shown_arguments() -> str:
    """Tell the command line without the folders of this machine."""
    kept = {".csv": 2}  # the data sets all call theirs public.csv
    return " ".join(
        "/".join(Path(a).parts[-kept.get(Path(a).suffix, 1) :]) if "/" in a else a
        for a in sys.argv[1:]
    )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="csv files")
    parser.add_argument("--drawn", type=int, default=1000, help="drawn patches")
    parser.add_argument("--large", type=int, default=5758, help="images to time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pairs", type=Path, help="picture of real pairs to look at")
    parser.add_argument("--output", type=Path, required=True, help="a Markdown file")
    arguments = parser.parse_args()
    real, participants, images = real_pairs(arguments.data)
    drawn, owner = drawn_pairs(arguments.drawn, arguments.seed)
    embedded, copied = embedding_distances(images, arguments.seed)
    if arguments.pairs:
        draw_pairs(arguments.data, arguments.pairs)
    blocks = [
        "# Near-duplicates: what the audit finds",
        f"{len(images)} real patches of {len(set(participants))} participants, "
        f"{arguments.drawn} drawn ones in pairs of serial sections. Distance is 1 less "
        "the correlation of the images' fine structure after registration. The audit "
        f"reports pairs up to {NEAR_DUPLICATE_DISTANCE:g}, and calls them the same "
        f"image up to {RE_ENCODED_DISTANCE:g}. Made by",
        f"    python examples/benchmarks/{Path(sys.argv[0]).name} {shown_arguments()}",
        "## Pairs found at each threshold",
        as_markdown(rates_table(real, participants, drawn, owner)),
        "Pairs of different participants are not independent, and the threshold was "
        "chosen on such tables: none reported here is no bound for other patches. "
        "Pairs within a participant may be right or wrong; they have to be looked at.",
        "## Copies of real patches",
        as_markdown(copies_table(images, arguments.seed)),
        "## Embeddings",
        'Features of the recipe "linear", one view of each patch. The cosine of two '
        "rows is read as a correlation of a fixed number of independent features: "
        f"{_INDEPENDENT}. With a larger number the limit of 0.4 lies where the table "
        "has a smaller one.",
        as_markdown(limits_table(embedded, participants, copied)),
        "Copies of real patches, by their embeddings:",
        as_markdown(kinds_table(copied)),
        "## Time",
        timing(arguments.large, arguments.seed),
    ]
    arguments.output.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
