"""Bad inputs by the thousand: each must be read as it is, or refused by name.

python examples/fuzz [KIND ...] [--cases N] [--first NUMBER] [--keep FOLDER]

Without a kind all are run. A case is known by its number, so that one that failed can
be run alone. The exit code is 1 if there was a wrong result, a hang or a fault.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fuzz_kinds import KINDS
from fuzzing import run_cases

from glomclf._runtime import progress


def main() -> int:
    """Run the cases and print what came of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--cases", type=int, help="of each kind")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--keep", type=Path, help="folder for the inputs of faults")
    given = parser.parse_args()
    if unknown := set(given.kinds) - set(KINDS):
        parser.error(f"{', '.join(sorted(unknown))}: the kinds are {', '.join(KINDS)}")
    n_faults = 0
    for name in given.kinds or KINDS:
        n_cases = given.cases or KINDS[name].n_cases
        numbers = range(given.first, given.first + n_cases)
        keep = given.keep and given.keep / name
        with progress(f"{name}: ", n_cases) as advance:
            counts, faults = run_cases(KINDS[name], numbers, keep, advance)
        print(f"{name}: {n_cases} cases")
        for word in sorted({*counts, "wrong", "hang", "fault"}):
            print(f"  {word}: {counts[word]}")
        for fault in faults:
            seen = fault.seen.strip().splitlines() or [""]
            print(f"  case {fault.number}: {fault.word}: {seen[-1]}")
        n_faults += len(faults)
    return min(n_faults, 1)


if __name__ == "__main__":
    sys.exit(main())
