"""The tables of the page on speed, from what ``glomclf bench`` measured.

::

    glomclf bench --json bench.json
    python examples/benchmarks/speed_tables.py bench.json --output docs/benchmarks
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

_HEAD = """.. list-table::
   :header-rows: 1
   :widths: 50 15 25 10

   * - {section}
     - median
     - range
     - unit
"""


def table(section: str, figures: list[dict[str, Any]]) -> str:
    """Return one section as a table in reStructuredText."""
    rows = [
        f"   * - {found['name']}\n     - {number(found['value'])}\n"
        f"     - {number(found['low'])} to {number(found['high'])}\n"
        "     - " + (found["unit"] or "(none)") + "\n"
        for found in figures
    ]
    notes = dict.fromkeys(found["note"] for found in figures if found["note"])
    return "".join([_HEAD.format(section=section), *rows, "\n", ". ".join(notes), "\n"])


def number(value: float) -> str:
    """Write a figure with three digits."""
    if value and abs(value) < 1e-3:
        return f"{value:.1e}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def main() -> None:
    """Write a file for each section of each JSON file; a later one replaces it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("json", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    for file in options.json:
        content = json.loads(file.read_text())
        for section in dict.fromkeys(f["section"] for f in content["figures"]):
            figures = [f for f in content["figures"] if f["section"] == section]
            text = f"{table(section, figures)}\n{circumstances(content)}\n"
            (options.output / f"speed_{section}.inc").write_text(text)


def circumstances(content: dict[str, Any]) -> str:
    """Say on what was measured."""
    machine = content["machine"]
    packages = [f"{name} {v}" for name, v in machine["packages"].items() if v]
    return (
        f"Measured on {machine['cores']} cores ({machine['processor']}) with "
        f"{content['patches']} patches; Python {machine['python']}, "
        f"{', '.join(packages)}."
    )


if __name__ == "__main__":
    main()
