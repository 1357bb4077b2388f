"""One self-contained HTML file for a run, which opens from disk without a network.

`evaluation_report`, `ensemble_report`, `biopsies_report`, `comparison_report`,
`labels_report` and `tuning_report` make a `Report`; `Report.write` writes it.
A report is sections of blocks (paragraphs, tables, pictures), so that any other run can
be reported with the same parts. All text in it is escaped.
"""

from .biopsies import biopsies_report
from .blocks import Caution, Numbers, Paragraph, Section, Table
from .comparison import comparison_report
from .evaluation import ensemble_report, evaluation_report
from .labels import labels_report
from .page import Report
from .pictures import Picture
from .sections.readers import readers_section
from .tuning import tuning_report

__all__ = [
    "Caution",
    "Numbers",
    "Paragraph",
    "Picture",
    "Report",
    "Section",
    "Table",
    "biopsies_report",
    "comparison_report",
    "ensemble_report",
    "evaluation_report",
    "labels_report",
    "readers_section",
    "tuning_report",
]
