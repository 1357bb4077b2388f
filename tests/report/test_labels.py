"""The sheet of labels: a gallery a participant, the worst first."""

import numpy as np

from glomclf.evaluation import suspect_labels
from glomclf.report import Paragraph, labels_report
from glomclf.report.blocks import Gallery


def test_pictures_stand_by_participant_the_worst_first():
    y_true = np.array([0, 0, 0, 0, 1, 1, 1, 1, 0, 1])
    y_score = np.array([0.1, 0.95, 0.1, 0.97, 0.9, 0.8, 0.9, 0.9, 0.96, 0.9])
    suspects = suspect_labels(y_true, y_score, groups=list("aabbccddaa"))
    images = np.zeros((10, 8, 8, 3), np.uint8)
    report = labels_report(images, suspects, [f"<{i}>" for i in range(10)])
    blocks = report.sections[0].blocks
    assert all(isinstance(block, Gallery) for block in blocks)
    told = [(one.title, [i.facts["image"] for i in one.items]) for one in blocks]
    assert told == [("Participant b", ["<3>"]), ("Participant a", ["<8>", "<1>"])]
    assert "&lt;3&gt;" in report.render()


def test_a_sheet_without_suspects_says_so():
    suspects = suspect_labels([0, 1], [0.1, 0.9])
    (block,) = labels_report(None, suspects, ["a", "b"]).sections[0].blocks
    assert block == Paragraph("No label is suspect.")
