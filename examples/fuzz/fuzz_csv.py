"""csvs of patches in every usual form, whole and damaged."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any, NamedTuple
from unicodedata import normalize

import numpy as np
import pandas as pd
from click.testing import CliRunner
from fuzzing import Kind, Wrong, mutated

from glomclf.cli import main
from glomclf.data import read_manifest
from glomclf.errors import ManifestError

NAMES = [
    *("a.png", "b b.png", "c,c.png", "d;d.png", 'e"e.png', "é.png", "Ω-7.tif"),
    *("pas/0.png", "=1+1.png", "@x.png", "-1.png", "'q.png", "'=q.png", "0"),
]
PEOPLE = ["007", "7", "S-1", "P 3", "Ünal", "=2", "+4", "'=5", "1.0", "Nathan"]
WORDS = tuple(
    word.encode()
    for word in (
        *(
            '"',
            ",",
            ";",
            "\t",
            "\n",
            "\r",
            "\r\n",
            "\0",
            "\ufeff",
            "'",
            "\\",
            "/",
            "..",
        ),
        *("NA", "nan", "-", "?", "#N/A", "0", "1", "01", "1.0", "-1", "inf", "1e999"),
        *("name", "label", "participant", "path", "../../etc/passwd", "/etc/passwd"),
        *("C:\\x.png", "sep=;\n", "=1+1", "@a", "\x1b[2J", "é", "e\u0301", "😀"),
    )
)


class Dialect(NamedTuple):
    """How a table is written down."""

    separator: str
    encoding: str
    newline: str
    quoting: Any
    titles: dict[str, str]
    labels: dict[int, str]


def prepare(folder: Path) -> pd.DataFrame:
    """Make the images, which are empty: no image is opened; return the truth."""
    for name in NAMES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "name": NAMES,
            "label": [number % 2 for number in range(len(NAMES))],
            "participant": rng.choice(PEOPLE, len(NAMES)),
            "path": [str(folder / name) for name in NAMES],
        }
    ).assign(folder=str(folder))


def case(known: pd.DataFrame, folder: Path, rng: np.random.Generator) -> str:
    """Write a table, perhaps damaged, and read it; then split it by the command."""
    dialect = _dialect(rng)
    text = _written(known, dialect, rng)
    is_whole, is_text = rng.random(2) < (0.25, 0.5)
    if not is_whole and is_text:
        text = mutated(text.encode(), rng, WORDS).decode(errors="replace")
    content = text.encode(dialect.encoding)
    if not is_whole and not is_text:
        content = mutated(content, rng, WORDS)
    file = folder / "public.csv"
    file.write_bytes(content)
    images = known["folder"].iloc[0]
    reading = {"columns": dialect.titles, "labels": _meanings(dialect)}
    try:
        found = read_manifest(file, images, **reading)
    except ManifestError as error:
        if is_whole:
            raise Wrong(f"a whole table was refused: {error}") from error
        _split(file, dialect)
        raise
    expected = known if is_whole else _parsed(content, dialect, known)
    _compare(found, expected)
    _split(file, dialect)
    return "read whole" if is_whole else "read damaged"


def _dialect(rng: np.random.Generator) -> Dialect:
    def one_of(*values: Any) -> Any:
        return values[rng.integers(len(values))]

    return Dialect(
        separator=one_of(",", ";", "\t"),
        encoding=one_of("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"),
        newline=one_of("\n", "\r\n", "\r"),
        quoting=one_of(csv.QUOTE_MINIMAL, csv.QUOTE_ALL),
        titles=one_of(
            {},
            {"participant": "patient"},
            {"name": "File, of the image", "label": "class; final"},
        ),
        labels=one_of({0: "0", 1: "1"}, {0: "0.0", 1: "1.0"}, {0: "NGS", 1: "GS"}),
    )


def _meanings(dialect: Dialect) -> dict[str, int] | None:
    is_default = dialect.labels[1] != "GS"
    return None if is_default else {text: of for of, text in dialect.labels.items()}


def _written(known: pd.DataFrame, dialect: Dialect, rng: np.random.Generator) -> str:
    columns = {
        "name": list(known["name"]),
        "label": [dialect.labels[label] for label in known["label"]],
        "participant": list(known["participant"]),
        "note": ["x"] * len(known),
    }
    order = rng.permutation(list(columns))
    buffer = io.StringIO(newline="")
    writer = csv.writer(
        buffer,
        delimiter=dialect.separator,
        lineterminator=dialect.newline,
        quoting=dialect.quoting,
    )
    writer.writerow([dialect.titles.get(name, name) for name in order])
    # As a spreadsheet or glomclf itself writes what would be a formula.
    cells = [[_apostrophed(cell) for cell in columns[name]] for name in order]
    writer.writerows(zip(*cells, strict=True))
    return buffer.getvalue()


def _apostrophed(cell: str) -> str:
    is_formula = cell.lstrip("'")[:1] in tuple("=+-@") and cell not in ("+4",)
    return f"'{cell}" if is_formula else cell


def _parsed(content: bytes, dialect: Dialect, known: pd.DataFrame) -> pd.DataFrame:
    """Read what is left of a table as the standard library does."""
    try:
        text = content.decode(dialect.encoding).removeprefix("\ufeff")
        rows = list(
            csv.reader(
                io.StringIO(text, newline=""), delimiter=dialect.separator, strict=True
            )
        )
    except (UnicodeError, csv.Error) as error:
        raise Wrong(f"a table that is none was read: {error}") from error
    header, *rows = [row for row in rows if any(row)]
    titles = {_folded(title): name for name, title in dialect.titles.items()}
    names = [titles.get(_folded(title), _folded(title)) for title in header]
    table = pd.DataFrame([row[: len(names)] for row in rows], columns=names)
    names = table["name" if "name" in table else "path"]
    found = {"path": [str(Path(known["folder"].iloc[0], _plain(n))) for n in names]}
    if "label" in table and table["label"].any():
        meanings = _meanings(dialect) or {"0": 0, "0.0": 0, "1": 1, "1.0": 1}
        found["label"] = [meanings.get(cell.strip(), cell) for cell in table["label"]]
    return pd.DataFrame(found)


def _folded(title: str) -> str:
    return " ".join(title.casefold().replace("_", " ").split())


def _plain(name: str) -> str:
    """Return the name of a file that a cell stands for."""
    bare = (
        name[1:] if name[:1] == "'" and name.lstrip("'")[:1] in tuple("=+-@") else name
    )
    return bare if bare in NAMES else bare.replace("\\", "/")


def _compare(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """See that each row says of its image what the table says."""
    if len(found) != len(expected):
        raise Wrong(f"{len(found)} rows of {len(expected)}")
    for column in expected.columns.intersection(["path", "label", "participant"]):
        read, wanted = found[column].tolist(), expected[column].tolist()
        if column == "path":
            read, wanted = map(_normal, read), map(_normal, wanted)
        for number, (one, other) in enumerate(zip(read, wanted, strict=True)):
            if one != other:
                raise Wrong(f"{column} of row {number} is {one!r}, and not {other!r}")


def _normal(path: str) -> str:
    return normalize("NFC", os.path.normpath(path))


def _split(file: Path, dialect: Dialect) -> None:
    """Split the table by the command, without images: it ends as the library does."""
    reading = {"columns": dialect.titles, "labels": _meanings(dialect)}
    try:
        manifest = read_manifest(file, False, **reading)
    except ManifestError:
        manifest = None
    words = ["split", str(file), "-o", str(file.parent / "out")]
    words += [
        w for pair in dialect.titles.items() for w in ("--columns", "=".join(pair))
    ]
    if meanings := reading["labels"]:
        words += ["--labels", ",".join(f"{text}={of}" for text, of in meanings.items())]
    result = CliRunner().invoke(main, words)
    if result.exit_code not in (0, 2) or "Traceback" in result.output:
        raise Wrong(f"exit code {result.exit_code}: {result.output}")
    sides = [file.parent / "out" / f"{side}.csv" for side in ("train", "test")]
    if result.exit_code or manifest is None:
        if any(side.exists() for side in sides) or not result.exit_code:
            raise Wrong(f"files were written: {result.output}")
        return
    both = pd.concat([read_manifest(side, False, **reading) for side in sides])
    for column in ("path", "label", "participant"):
        wanted = manifest.sort_values("path")[column].tolist()
        if both.sort_values("path")[column].tolist() != wanted:
            raise Wrong(f"{column} changed on the way through split")


KIND = Kind(prepare, case, n_cases=5000)
