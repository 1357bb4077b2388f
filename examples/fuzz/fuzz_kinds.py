"""The kinds of input, by name; a new one is a file, and a line here."""

import fuzz_csv

KINDS = {
    "csv": fuzz_csv.KIND,
}
