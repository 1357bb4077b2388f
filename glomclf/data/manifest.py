"""The table of patches: which file, which label, which slide, which participant."""

from __future__ import annotations

import csv as csv_format
import io
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..errors import ManifestError, ParticipantWarning
from .images import IMAGE_SUFFIXES

__all__ = [
    "CLASS_FOLDERS",
    "image_folder_manifest",
    "infer_participants",
    "kind_of_groups",
    "participant_kind",
    "read_manifest",
    "stack_manifests",
]

CLASS_FOLDERS = ("non_globally_sclerotic_glomeruli", "globally_sclerotic_glomeruli")
"""Names of the class folders; the position of a name is its label."""

_HEADERS = {
    "name": ("name", "path"),
    "label": ("ground truth", "label"),
    "slide": ("slide",),
    "participant": ("participant",),
}
_LABELS = {"0": 0, "0.0": 0, "1": 1, "1.0": 1}
# Of a table: what its participants are. Rows that are taken from it keep it.
_KIND = "glomclf.participants"

_SEED_NAME = re.compile(
    r"(?P<slide>(?P<batch>S-\d{4}|\d+)-(?P<number>\d+)"
    r"_[A-Za-z]+_(?P<part>\d+)of(?P<parts>\d+))_.+"
)
_SET_REACH = 50


def read_manifest(
    csv: str | os.PathLike[str], images: str | os.PathLike[str] | None = None
) -> pd.DataFrame:
    """Read a csv of patches and find their images.

    Parameters
    ----------
    csv : str or path-like
        A comma-separated UTF-8 file with a header, with or without byte order mark,
        with LF or CRLF line ends. Its columns, in any order, in upper or lower case:

        - `name` (or `path`): file of the image, relative to a place named below;
        - `ground truth` (or `label`): 1 for globally sclerotic, 0 for the rest. May
          be left out, or left empty in every row, for prediction;
        - `slide`, `participant`: optional, text, without gaps;
        - any other column, such as `centre`, is kept; it is numeric if all of its
          values are numbers. Columns without a title are dropped.
    images : str, path-like or None, default=None
        Folder of the images. It is searched first and then the folder of the csv, in
        each the name itself and the name inside either of the class folders
        `globally_sclerotic_glomeruli` and `non_globally_sclerotic_glomeruli`.

    Returns
    -------
    manifest : DataFrame of shape (n_images, n_columns)
        One row an image, in the order of the csv: `path` (str, absolute), `label`
        (int64; only where the csv has labels), `slide` and `participant` (str), then
        the further columns.

        Slides and participants that are not given are inferred for names of the
        seed's form, see :func:`infer_participants`. For other names the slide stands
        for the participant; where the slide is not known either, the participant
        stands for it, or, without both, each image counts as its own slide.
        :func:`participant_kind` tells which it was.

    Raises
    ------
    ManifestError
        If the csv cannot be used. The message lists, by kind and with line numbers,
        all faults at once: columns missing or named twice, rows without name, slide
        or participant, labels other than 0 and 1, names given twice, images not found
        or found twice, names that lead out of the folders (absolute, through `..` or
        a symbolic link), and images in the class folder of the other label.

    Warns
    -----
    ParticipantWarning
        If slides or single images stand for participants.

    See Also
    --------
    image_folder_manifest : The same for folders without a csv.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from glomclf import read_manifest
    >>> names = ["S-2102-000007_PAS_1of2_a.png", "S-2102-000006_PAS_2of2_b.png"]
    >>> table = pd.DataFrame({"name": names, "ground truth": [0, 1]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in names:
    ...         Path(folder, name).touch()
    ...     table.to_csv(Path(folder, "public.csv"), index=False)
    ...     manifest = read_manifest(Path(folder, "public.csv"))
    >>> manifest.drop(columns="path")
       label                   slide    participant
    0      0  S-2102-000007_PAS_1of2  S-2102-000006
    1      1  S-2102-000006_PAS_2of2  S-2102-000006
    """
    source = Path(csv)
    faults = _Faults(source)
    header, lines = _parse_csv(source)
    rows = _name_columns(header, lines, faults)
    places = _places(images, source.parent, faults)
    labels = _check_labels(rows, faults)
    _check_filled(rows, faults)
    paths = _locate_all(rows, places, faults)
    _check_paths(rows, paths, labels, faults)
    faults.raise_if_any()
    return _assemble(rows, paths, labels)


def image_folder_manifest(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """List the images of a folder that has no csv.

    Two kinds of folder are understood. One with the class folders
    `globally_sclerotic_glomeruli` (label 1) and `non_globally_sclerotic_glomeruli`
    (label 0) gives labelled rows, whichever of the names sorts first. One without
    them gives the images that lie directly in it, without labels, for prediction.

    Parameters
    ----------
    folder : str or path-like
        The folder. Files are recognised by their ending (bmp, jpeg, jpg, png, tif,
        tiff, in upper or lower case); hidden and other files are passed over.

    Returns
    -------
    manifest : DataFrame of shape (n_images, n_columns)
        One row an image, sorted by path: `path`, `label` (int64; only with class
        folders), `slide` and `participant`, as in :func:`read_manifest`.

    Raises
    ------
    ManifestError
        If the folder is missing, holds no images or only one of the class folders.
        With class folders also if images lie beside them, if an image of the same
        name is in both, or if a symbolic link leads out of the folder. All faults
        are listed at once.

    Warns
    -----
    ParticipantWarning
        If single images stand for participants.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from glomclf import image_folder_manifest
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for kind in ("globally_sclerotic", "non_globally_sclerotic"):
    ...         Path(folder, f"{kind}_glomeruli").mkdir()
    ...         name = f"{kind}_glomeruli/18-162_PAS_1of6_{kind}.png"
    ...         Path(folder, name).touch()
    ...     manifest = image_folder_manifest(folder)
    >>> manifest.drop(columns="path")
       label            slide participant
    0      1  18-162_PAS_1of6      18-162
    1      0  18-162_PAS_1of6      18-162
    """
    root = Path(folder)
    if not root.is_dir():
        raise ManifestError(f"{root} is not a folder; a folder of images was expected.")
    faults = _Faults(root)
    present = [root / name for name in CLASS_FOLDERS if (root / name).is_dir()]
    paths = sorted(path for place in present or [root] for path in _images_in(place))
    if present:
        _check_class_layout(root, present, paths, faults)
    if not paths:
        endings = ", ".join(IMAGE_SUFFIXES)
        faults.add(f"no images: no file ends in {endings}", [str(root)])
    faults.add(
        _LEAVING, [repr(path.name) for path in paths if not _is_inside(path, root)]
    )
    faults.raise_if_any()
    labels = [CLASS_FOLDERS.index(path.parent.name) for path in paths if present]
    rows = pd.DataFrame({"name": [path.name for path in paths]})
    return _assemble(rows, paths, pd.Series(labels, dtype="int64") if present else None)


def infer_participants(names: Iterable[str]) -> NDArray[np.object_]:
    """Tell participants from file names of the seed's form.

    A name `<accession>_<stain>_<part>of<parts>_<image>.<ending>`, such as
    `S-2006-005094_PAS_1of2_6455.png`, belongs to the slide before its last part. Its
    accession is `S-<year and month>-<number>` or `<number>-<number>`. Slides belong
    to one participant if

    1. they have the same accession; or
    2. they are the two sections of one biopsy: `1of2` with number N and `2of2` with
       number N - 1 of the same batch `S-<year and month>`; or
    3. they are different parts of a set of three or more (`1of3`, `2of3`, `3of3`)
       of the same batch, at most 50 numbers from one another.

    Links add up. Where a name leaves doubt the rule merges: two participants taken
    for one cost a little data, one taken for two leaks.

    Parameters
    ----------
    names : iterable of str, of length n_images
        File names, with or without folders.

    Returns
    -------
    participants : ndarray of shape (n_images,), dtype object
        The lowest accession of each participant, or None where a name is not of the
        seed's form. The missing half of a pair counts, so that rule 2 names a
        participant alike in csv files that hold one section each. Rule 3 sees only
        the names given: pass those of all files together to compare across files.

    Examples
    --------
    >>> from glomclf.data.manifest import infer_participants
    >>> infer_participants(
    ...     [
    ...         "S-2010-004231_PAS_1of2_a.png",
    ...         "S-2010-004230_PAS_2of2_b.png",
    ...         "18-162_PAS_3of6_c.png",
    ...         "patch.png",
    ...     ]
    ... )
    array(['S-2010-004230', 'S-2010-004230', '18-162', None], dtype=object)
    """
    sections = [_Section.from_name(name) for name in names]
    participant = _participant_of({section for section in sections if section})
    found = np.empty(len(sections), dtype=object)
    found[:] = [section and participant[section.accession] for section in sections]
    return found


def participant_kind(*manifests: pd.DataFrame) -> str:
    """Tell what the column `participant` holds: participants, or what stands for them.

    Parameters
    ----------
    *manifests : DataFrame
        As from :func:`read_manifest`, or rows of one.

    Returns
    -------
    kind : {"participant", "slide", "image", "group"}
        ``"slide"``: no participant is known, and slides stand for them. ``"image"``:
        neither is known, and each image stands for itself. ``"group"``: a mixture.
        Of several manifests, what is so in all; ``"image"`` if it is so in one.
        Other tables, and those whose participants were put in later, hold
        participants. What pandas makes of several tables (``merge``, ``concat``) may
        forget it; `stack_manifests` does not.

    Examples
    --------
    >>> import pandas as pd
    >>> from glomclf.data.manifest import participant_kind
    >>> participant_kind(pd.DataFrame({"path": ["a.png"], "participant": ["P1"]}))
    'participant'
    """
    kinds = {_kind_in(manifest) for manifest in manifests}
    if len(kinds) == 1:
        return kinds.pop()
    return "image" if "image" in kinds else "group"


def _kind_in(manifest: pd.DataFrame) -> str:
    kind = manifest.attrs.get(_KIND, "participant")
    if kind == "participant" or not {"slide", "participant"} <= set(manifest.columns):
        return "participant"
    # Stand-ins are called like their slide; others were put in their place since.
    stands_in = manifest["participant"] == manifest["slide"]
    if not stands_in.any():
        return "participant"
    return kind if kind == "image" or stands_in.all() else "group"


def kind_of_groups(X: Any, groups: Any) -> str:
    """Tell what groups are: participants, or what stands for them in a manifest.

    Parameters
    ----------
    X : object
        The images; a manifest knows.
    groups : array-like of shape (n_samples,) or None
        Those of the manifest, or better known ones. None: those of the manifest.

    Returns
    -------
    kind : {"participant", "slide", "image", "group"}
        As `participant_kind` tells it.

    Examples
    --------
    >>> from glomclf.data.manifest import kind_of_groups
    >>> kind_of_groups(["a.png"], ["P1"])
    'participant'
    """
    if not isinstance(X, pd.DataFrame) or "participant" not in X:
        return "participant"
    own = X["participant"].astype(str).tolist()
    if groups is not None and own != [str(group) for group in groups]:
        return "participant"
    return participant_kind(X)


def stack_manifests(*manifests: pd.DataFrame) -> pd.DataFrame:
    """Put manifests one below the other, and keep what their participants are.

    Parameters
    ----------
    *manifests : DataFrame

    Returns
    -------
    manifest : DataFrame
        With rows numbered anew.

    Examples
    --------
    >>> import pandas as pd
    >>> from glomclf.data.manifest import stack_manifests
    >>> one = pd.DataFrame({"path": ["a.png"], "participant": ["P1"]})
    >>> len(stack_manifests(one, one))
    2
    """
    rows = pd.concat(manifests, ignore_index=True)
    rows.attrs[_KIND] = participant_kind(*manifests)
    return rows


# -- faults ---------------------------------------------------------------------------

_LEAVING = (
    "names that lead out of the image folder (absolute, through '..' or by a link); "
    "name files relative to the folder that holds them"
)
_AMBIGUOUS = "images found in more than one folder; keep one of each"
_MISSING = "images not found in {searched}, nor in class folders there"


class _Faults:
    """All that is wrong with one csv or folder, by kind, in the order found."""

    def __init__(self, source: Path):
        self.source = source
        self.items: dict[str, list[str]] = {}

    def add(self, kind: str, items: Iterable[str]) -> None:
        new = list(items)
        if new:
            self.items.setdefault(kind, []).extend(new)

    def raise_if_any(self) -> None:
        if not self.items:
            return
        blocks = [
            "\n    ".join([f"  {kind}:", *items]) for kind, items in self.items.items()
        ]
        raise ManifestError("\n".join([f"{self.source} cannot be used.", *blocks]))


def _at(
    rows: pd.DataFrame, column: str, wrong: Sequence[bool] | pd.Series
) -> list[str]:
    """Describe the wrong cells of a column, with their lines."""
    cells = rows.loc[np.asarray(wrong, dtype=bool), column]
    return [f"line {line}: {cell!r}" for line, cell in cells.items()]


# -- the csv --------------------------------------------------------------------------


def _parse_csv(source: Path) -> tuple[list[str], dict[int, list[str]]]:
    """Return the header and the other rows, each by the number of its last line."""
    try:
        text = source.read_bytes().decode("utf-8-sig")
        reader = csv_format.reader(io.StringIO(text, newline=""), strict=True)
        rows = [(reader.line_num, row) for row in reader if any(row)]
    except OSError as error:
        reason = error.strerror or str(error)
        raise ManifestError(f"{source} cannot be read as a csv: {reason}.") from error
    except UnicodeDecodeError as error:
        raise ManifestError(
            f"{source} is not UTF-8 text ({error}); save it as 'CSV UTF-8'."
        ) from error
    except csv_format.Error as error:
        raise ManifestError(
            f"{source} is not a well-formed csv: line {reader.line_num}: {error}."
        ) from error
    if len(rows) < 2:
        raise ManifestError(
            f"{source} holds {len(rows)} rows; a header and at least one image were "
            "expected."
        )
    return rows[0][1], dict(rows[1:])


def _name_columns(
    header: list[str], lines: dict[int, list[str]], faults: _Faults
) -> pd.DataFrame:
    """Return the rows as text, with glomclf's column names, indexed by line."""
    wrong = [line for line, row in lines.items() if len(row) != len(header)]
    faults.add(
        f"rows that do not have the {len(header)} fields of the header",
        [f"line {line}: {len(lines[line])} fields" for line in wrong],
    )
    columns: dict[str, list[str]] = {}
    for place, title in enumerate(header):
        name = _canonical(title)
        if name in columns:
            alike = [repr(other) for other in header if _canonical(other) == name]
            faults.add("columns given twice; keep one", [" and ".join(alike)])
        elif name:
            cells = [row[place] if place < len(row) else "" for row in lines.values()]
            # "P1 " is P1; a file may have a blank at the end of its name.
            columns[name] = cells if name == "name" else [c.strip() for c in cells]
    if "name" not in columns:
        faults.add(
            "no column 'name' (columns are separated by commas)",
            [f"its columns are {', '.join(map(repr, header))}"],
        )
    return pd.DataFrame(columns, index=list(lines), dtype=object)


def _canonical(title: str) -> str:
    """Return glomclf's name of a column, or the title where it has none."""
    folded = " ".join(title.casefold().replace("_", " ").split())
    for name, titles in _HEADERS.items():
        if folded in titles:
            return name
    return title.strip()


def _check_labels(rows: pd.DataFrame, faults: _Faults) -> pd.Series | None:
    """Return the labels; -1, and a fault, where one is unknown."""
    if "label" not in rows or not rows["label"].str.strip().any():
        return None
    labels = rows["label"].str.strip().map(_LABELS).fillna(-1).astype("int64")
    faults.add(
        "unknown labels; 1 (globally sclerotic) or 0 (the rest) was expected",
        _at(rows, "label", labels < 0),
    )
    return labels


def _check_filled(rows: pd.DataFrame, faults: _Faults) -> None:
    for column in ("name", "slide", "participant"):
        if column in rows:
            empty = rows[column].str.strip() == ""
            faults.add(f"rows without a {column}", _at(rows, column, empty))


# -- finding the images ---------------------------------------------------------------


def _places(
    images: str | os.PathLike[str] | None, beside: Path, faults: _Faults
) -> list[Path]:
    if images is None:
        return [beside]
    if not Path(images).is_dir():
        faults.add("images is not a folder", [str(images)])
        return [beside]
    return [Path(images), beside]


def _locate_all(
    rows: pd.DataFrame, places: list[Path], faults: _Faults
) -> list[Path | None]:
    """Find the image of each row; None, and a fault, where it cannot be used."""
    if "name" not in rows:
        return []
    found = [_locate(name, places) for name in rows["name"]]
    kinds = pd.Series([kind for _, kind in found], index=rows.index, dtype=object)
    named = rows["name"].str.strip() != ""
    for kind in (_LEAVING, _AMBIGUOUS):
        faults.add(kind, _at(rows, "name", kinds == kind))
    missing = _at(rows, "name", (kinds == _MISSING) & named)
    if len(missing) == len(rows) > 1:
        missing = [f"none of its {len(rows)} images; pass images=FOLDER"]
    searched = " or ".join(str(place) for place in dict.fromkeys(places))
    faults.add(_MISSING.format(searched=searched), missing)
    return [path for path, _ in found]


def _locate(name: str, places: list[Path]) -> tuple[Path | None, str | None]:
    """Return the path of an image, or the kind of fault that keeps it from being used.

    The places are searched in turn; the first that has the image is taken.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return None, _LEAVING
    for place in places:
        candidates = [place / folder / name for folder in ("", *CLASS_FOLDERS)]
        found = [path for path in candidates if os.path.isfile(path)]
        if not found:
            continue
        if not all(_is_inside(path, place) for path in found):
            return None, _LEAVING
        return (found[0], None) if len(found) == 1 else (None, _AMBIGUOUS)
    return None, _MISSING


def _is_inside(path: Path, place: Path) -> bool:
    return path.resolve().is_relative_to(place.resolve())


def _check_paths(
    rows: pd.DataFrame,
    paths: list[Path | None],
    labels: pd.Series | None,
    faults: _Faults,
) -> None:
    """Check that no image is named twice or lies in the other label's folder."""
    if "name" not in rows:
        return
    file = pd.Series(
        [
            name if path is None else str(path.resolve())
            for name, path in zip(rows["name"], paths, strict=True)
        ],
        index=rows.index,
    )
    faults.add(
        "images named more than once; keep one row each",
        _at(rows, "name", file.duplicated(keep=False) & (rows["name"] != "")),
    )
    if labels is None:
        return
    other = [
        path is not None and label >= 0 and path.parent.name == CLASS_FOLDERS[1 - label]
        for path, label in zip(paths, labels, strict=True)
    ]
    faults.add(
        "images in the class folder of the other label; mend the label or move them",
        _at(rows, "name", other),
    )


# -- folders without a csv ------------------------------------------------------------


def _images_in(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and not path.is_dir()
    ]


def _check_class_layout(
    root: Path, present: list[Path], paths: list[Path], faults: _Faults
) -> None:
    absent = {root / name for name in CLASS_FOLDERS} - set(present)
    faults.add("class folders missing", [repr(path.name) for path in absent])
    faults.add(
        "images beside the class folders; move them into one",
        [repr(path.name) for path in sorted(_images_in(root))],
    )
    names = pd.Series([path.name for path in paths], dtype=object)
    faults.add(
        "names in both class folders; keep one of each",
        [repr(name) for name in names[names.duplicated()]],
    )


# -- slides and participants ----------------------------------------------------------


class _Accession(NamedTuple):
    """One number of a batch, or the pair of sections that begins with it."""

    batch: str
    number: int
    is_pair: bool
    text: str


class _Section(NamedTuple):
    """What a file name of the seed's form says about its slide."""

    accession: _Accession
    part: int
    parts: int
    slide: str

    @classmethod
    def from_name(cls, name: str) -> _Section | None:
        match = _SEED_NAME.fullmatch(PurePath(name).name)
        if match is None:
            return None
        batch, number = match["batch"], match["number"]
        return cls(
            accession=_Accession(batch, int(number), False, f"{batch}-{number}"),
            part=int(match["part"]),
            parts=int(match["parts"]),
            slide=match["slide"],
        )

    @property
    def pair(self) -> _Accession:
        """The pair it is a half of, known by the number of `2of2`, the lower one."""
        batch, number, _, text = self.accession
        lower = number if self.part == 2 else number - 1
        width = len(text) - len(batch) - 1
        return _Accession(batch, lower, True, f"{batch}-{lower:0{width}d}")


def _participant_of(sections: set[_Section]) -> dict[_Accession, str]:
    """Return the participant of each accession, named by its lowest accession."""
    if not sections:
        return {}
    links = list(_links(sorted(sections)))
    index = {node: n for n, node in enumerate(sorted({*chain.from_iterable(links)}))}
    ends = np.array([(index[one], index[other]) for one, other in links])
    graph = coo_array((np.ones(len(ends)), ends.T), shape=(len(index), len(index)))
    _, component = connected_components(graph, directed=False)
    lowest: dict[int, str] = {}
    for accession, number in index.items():
        lowest.setdefault(component[number], accession.text)
    return {accession: lowest[component[n]] for accession, n in index.items()}


def _links(sections: list[_Section]) -> Iterator[tuple[_Accession, _Accession]]:
    """Yield pairs of accessions of one participant, each also with itself."""
    for rank, section in enumerate(sections):
        yield section.accession, section.accession
        if not section.accession.batch.startswith("S-"):
            continue
        if section.parts == 2:
            yield section.accession, section.pair
        elif section.parts > 2:
            for other in _set_after(section, sections[rank + 1 :]):
                yield section.accession, other.accession


def _set_after(section: _Section, after: list[_Section]) -> Iterator[_Section]:
    """Yield the further parts of the same set, from sections sorted by number."""
    batch, number, *_ = section.accession
    for other in after:
        if other.accession.batch != batch:
            return
        if other.accession.number - number > _SET_REACH:
            return
        if other.parts == section.parts and other.part != section.part:
            yield other


def _assemble(
    rows: pd.DataFrame, paths: Sequence[Path | None], labels: pd.Series | None
) -> pd.DataFrame:
    """Put the columns of a manifest together, once nothing is wrong."""
    columns: dict[str, Any] = {"path": [os.path.abspath(str(path)) for path in paths]}
    if labels is not None:
        columns["label"] = labels.to_numpy()
    known = _known_groups(rows)
    columns |= _slides_and_participants(rows, known)
    for title in rows.columns.difference(list(_HEADERS), sort=False):
        columns[title] = _as_numbers(rows[title]).to_list()
    manifest = pd.DataFrame(columns)
    manifest.attrs[_KIND] = _kind_of(known)
    return manifest


def _as_numbers(text: pd.Series) -> pd.Series:
    """Return numbers if that is what all the text is; missing where it is empty."""
    filled = text.where(text.str.strip() != "", None)
    try:
        return pd.to_numeric(filled)
    except ValueError:
        return filled


def _known_groups(rows: pd.DataFrame) -> pd.DataFrame:
    """Return slides and participants, given or else inferred; missing if neither."""
    sections = [_Section.from_name(name) for name in rows["name"]]
    inferred = pd.DataFrame(
        {
            "slide": [section.slide if section else None for section in sections],
            "participant": infer_participants(rows["name"]),
        },
        index=rows.index,
        dtype=object,
    )
    return inferred.assign(**rows.filter(["slide", "participant"]))


def _kind_of(known: pd.DataFrame) -> str:
    """Return the kind of the participants, as `participant_kind` tells it."""
    without = known[known["participant"].isna()]
    if without.empty:
        return "participant"
    if len(without) < len(known) or without["slide"].isna().nunique() > 1:
        return "group"
    return "image" if without["slide"].isna().all() else "slide"


def _slides_and_participants(
    rows: pd.DataFrame, known: pd.DataFrame
) -> dict[str, list[str]]:
    """Return the known, else the next best groups of the rows."""
    _warn_of_substitutes(known)
    stems = [str(PurePath(name).with_suffix("")) for name in rows["name"]]
    slides = _first_known(known["slide"], known["participant"], stems)
    return {"slide": slides, "participant": _first_known(known["participant"], slides)}


def _first_known(*columns: Iterable[str | None]) -> list[str]:
    rows = zip(*columns, strict=True)
    return [next(str(cell) for cell in row if cell is not None) for row in rows]


def _warn_of_substitutes(known: pd.DataFrame) -> None:
    without = known[known["participant"].isna()]
    by_image = int(without["slide"].isna().sum())
    substitutes = {"slide": len(without) - by_image, "image itself": by_image}
    if without.empty:
        return
    stands = [f"the {what} for {n}" for what, n in substitutes.items() if n]
    warnings.warn(
        f"The participants of {len(without)} of {len(known)} images are not known. "
        f"In their place stands {' and '.join(stands)} of them. Patches of one person "
        "may then fall on both sides of a split and raise the scores: give the csv a "
        "column 'participant'.",
        ParticipantWarning,
        stacklevel=5,
    )
