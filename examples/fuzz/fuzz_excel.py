"""Excel files of patches, damaged as files and within."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
from fuzzing import Kind, Wrong, mutated

from glomclf.data import read_manifest

NAMES = ["a.png", "b.png", "c.png", "d.png"]
WORDS = tuple(
    word.encode()
    for word in (
        *("&a;", "<", ">", "</row>", "<row r='9999999999'>", "r='XFD1048576'", "t='s'"),
        *("<v>1e999</v>", "<v>-1</v>", "<v>99999</v>", "NaN", "A0", "ZZZZ1", "\0"),
        *("<!DOCTYPE a [<!ENTITY a 'b'>]>", "sheet1.xml", "../", "PK\x03\x04"),
    )
)


def prepare(folder: Path) -> tuple[Path, bytes]:
    """Make the images, which are empty, and a whole file."""
    book = openpyxl.Workbook()
    book.active.append(["name", "label", "participant", "age"])
    for number, name in enumerate(NAMES):
        (folder / name).touch()
        book.active.append([name, number % 2, f"P{number:03d}", 40.5 + number])
    buffer = io.BytesIO()
    book.save(buffer)
    return folder, buffer.getvalue()


def case(known: tuple[Path, bytes], folder: Path, rng: np.random.Generator) -> str:
    """Damage the file, or one of the files in it, and read it."""
    images, whole = known
    content = mutated(whole, rng) if rng.random() < 0.3 else _inside(whole, rng)
    (folder / "public.xlsx").write_bytes(content)
    found = read_manifest(folder / "public.xlsx", images)
    if not set(found["path"]) <= {str(images / name) for name in NAMES}:
        raise Wrong(f"images {set(found['path'])}")
    if "label" in found and not set(found["label"]) <= {0, 1}:
        raise Wrong(f"labels {set(found['label'])}")
    return "read"


def _inside(whole: bytes, rng: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as source:
        names: Any = source.namelist()
        victim = names[rng.integers(len(names))] if rng.random() < 0.4 else None
        with zipfile.ZipFile(buffer, "w") as target:
            for name in names:
                text = source.read(name)
                is_victim = name == victim or (victim is None and "sheet1" in name)
                target.writestr(name, mutated(text, rng, WORDS) if is_victim else text)
    return buffer.getvalue()


KIND = Kind(prepare, case, n_cases=2000)
