"""The kinds of input, by name; a new one is a file, and a line here."""

import fuzz_annotations
import fuzz_csv
import fuzz_excel
import fuzz_images
import fuzz_models
import fuzz_tensors

KINDS = {
    "annotations": fuzz_annotations.KIND,
    "csv": fuzz_csv.KIND,
    "excel": fuzz_excel.KIND,
    "images": fuzz_images.KIND,
    "models": fuzz_models.KIND,
    "tensors": fuzz_tensors.KIND,
}
