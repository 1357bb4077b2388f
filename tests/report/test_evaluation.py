"""The report is one file that shows what the run knows, and nothing it does not."""

import base64
import dataclasses
import re
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot, rcParams
from PIL import Image

from glomclf import GlomeruliClassifier, PatchClassifier
from glomclf.errors import ImageError, ScoreError
from glomclf.evaluation import compare_scores
from glomclf.evaluation.biopsy import biopsy_agreement
from glomclf.evaluation.evaluation import evaluate
from glomclf.model import APPROACHES, ApproachComparison
from glomclf.report import (
    Caution,
    Paragraph,
    Picture,
    Report,
    Section,
    Table,
    comparison_report,
    evaluation_report,
)
from glomclf.report.blocks import Gallery
from glomclf.report.evaluated_model import EvaluatedModel
from glomclf.report.sections.biopsies import biopsies_section
from glomclf.report.sections.checklists import checklists_section, known_facts
from glomclf.report.sections.curves import curves_section
from glomclf.report.sections.data import audit_section, data_section
from glomclf.report.sections.mistakes import mistakes_section
from glomclf.report.sections.planning import planning_section
from glomclf.report.sections.repetition import (
    command_text,
    library_versions,
    repetition_section,
)
from glomclf.report.sections.scores import scores_section, summary_section
from glomclf.report.sections.training import training_section

SPITEFUL = "<script>alert(1)</script>"


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "source"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def attributes(self, *names):
        return [
            value
            for _, attributes in self.tags
            for name, value in attributes.items()
            if name in names
        ]


def rows(n_participants=12, n_patches=8, seed=0):
    rng = np.random.RandomState(seed)
    groups = np.repeat([f"P{n:02}" for n in range(n_participants)], n_patches)
    y = rng.binomial(1, 0.35, len(groups))
    return y, np.clip(0.5 * y + rng.uniform(0, 0.6, len(y)), 0, 1), groups


def quick(y, y_score, groups, threshold=0.5):
    """Few replicates, for tests that look at other things."""
    return evaluate(y, y_score, groups=groups, threshold=threshold, n_bootstrap=100)


@cache
def judged():
    """Score the usual rows, once for all tests."""
    biopsies = biopsy_agreement(*rows(), n_bootstrap=100)
    return {"evaluation": quick(*rows()), "biopsies": biopsies}


def model_of(X=None, rows_=None, **known):
    """Return what the sections are made from."""
    y, y_score, groups = rows() if rows_ is None else rows_
    if rows_ is None:
        known = {**judged(), **known}
    elif "evaluation" not in known:
        known["evaluation"] = quick(y, y_score, groups)
    return EvaluatedModel(X=X, y=y, y_score=y_score, groups=groups, **known)


def report_of(X=None, rows_=None, **known):
    y, y_score, groups = rows() if rows_ is None else rows_
    known = {**(judged() if rows_ is None else {}), **known}
    known.setdefault("evaluation", quick(y, y_score, groups))
    return evaluation_report(X, y, y_score, groups=groups, **known)


def texts(section):
    """Join what a section says; its cautions and paragraphs."""
    return " ".join(one.text for one in section.blocks if isinstance(one, Paragraph))


def only(kind, section):
    """Return the one block of a kind."""
    (found,) = [one for one in section.blocks if isinstance(one, kind)]
    return found


def page_of(*sections):
    return Page(Report("Run", "Lead.", sections).render())


@dataclass
class Audit:
    is_leaky: bool
    folds: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"n": [3]}))

    def __str__(self):
        return "2 participants on both sides"

    def to_frame(self):
        return pd.DataFrame({"kind": ["participant"], "where": [SPITEFUL]})


def classifier(**record):
    """Stand in for a fitted GlomeruliClassifier: the report asks no more of it."""
    return SimpleNamespace(
        training_record_={
            "n_samples": 90,
            "n_validation_samples": 10,
            "n_participants": 14,
            "class_counts": {"0": 60, "1": 30},
            **record,
        },
        history_={"loss": [0.7, 0.5], "accuracy": [0.5, 0.8], "val_loss": [0.6, 0.6]},
        validation_indices_=np.arange(10),
    )


def trained(network=None, **parameters):
    """Return a classifier with settings, and the record of the stand-in."""
    made = GlomeruliClassifier(network=network, **parameters)
    made.training_record_ = classifier().training_record_
    made.history_, made.validation_indices_ = classifier().history_, np.arange(0)
    return made


@pytest.fixture(scope="module")
def plain():
    return report_of()


@pytest.fixture(scope="module")
def page(plain):
    return Page(plain.render())


def test_page_is_whole_and_asks_nothing_of_a_network(page):
    assert page.open == []
    addresses = page.attributes("src", "srcset", "href", "action", "data")
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    names = [tag for tag, _ in page.tags]
    assert not {"script", "link", "iframe", "object"} & set(names)
    (policy,) = [
        attributes["content"]
        for tag, attributes in page.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy


def test_every_link_of_the_page_leads_to_a_section(page):
    targets = set(page.attributes("id"))
    links = page.attributes("href")
    assert links
    assert {link.removeprefix("#") for link in links} <= targets


def test_every_picture_has_a_text_and_a_caption(page):
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert pictures
    assert all(attributes["alt"] for attributes in pictures)
    names = [tag for tag, _ in page.tags]
    assert names.count("figcaption") == names.count("figure") == len(pictures)


def test_pictures_are_drawn_once_for_light_and_dark_pages_and_folders(plain):
    assert len(plain.pictures) == 8
    for picture in plain.pictures:
        light, dark = (
            base64.b64decode(address.partition(",")[2]).decode()
            for address in (picture.light, picture.dark)
        )
        assert "<svg" in light
        assert "#24292f" in light
        assert "#d7dce2" in dark
        assert "#d7dce2" not in light
    assert plain.pictures[0].png.startswith(b"\x89PNG")


def test_same_run_gives_the_same_report_and_leaves_matplotlib_as_it_was(plain):
    before, again = dict(rcParams), report_of()
    assert again.sections == plain.sections
    assert again.pictures[0].svg == plain.pictures[0].svg
    assert dict(rcParams) == before
    assert pyplot.get_fignums() == []


def test_scores_with_intervals_are_in_the_table():
    evaluation = judged()["evaluation"]
    table = only(Table, scores_section(model_of()))
    shown = {row[0]: row[1:3] for row in table.rows}
    low, high = evaluation.interval("recall")
    assert shown["Recall"] == [
        f"{evaluation.scores['recall']:.3f}",
        f"{low:.3f}\u00a0to\u00a0{high:.3f}",
    ]
    assert len(table.rows) == len(evaluation.scores)


def test_unknown_training_is_not_made_up(plain):
    data = data_section(model_of())
    y, *_ = rows()
    counts = ["96", str(96 - y.sum()), f"{y.sum()} ({y.mean():.0%})", "12"]
    assert only(Table, data).rows == [["test", *counts]]
    assert "cannot be told" in texts(data)
    assert "Training" not in [one.title for one in plain.sections]


def test_numbers_of_the_training_come_from_its_record():
    made = classifier(class_counts_resampled={"0": 60, "1": 60})
    data = data_section(model_of(classifier=made))
    table = only(Table, data)
    assert table.rows[0] == ["training", "90", "60", "30 (33%)", "–"]
    assert table.rows[1] == ["validation", "10", "–", "–", "–"]
    assert "come from 14 participants" in texts(data)
    assert "60 of class 0, 60 of class 1" in texts(data)


def test_captions_speak_of_validation_rows_only_where_there_were_some():
    made = classifier(n_validation_samples=0)
    del made.history_["val_loss"]
    of_none = model_of(classifier=made)
    assert only(Picture, training_section(of_none)).caption == (
        "2 epochs: loss and accuracy of the training rows, none of which was set aside."
    )
    assert "alidation" not in texts(data_section(of_none))
    of_some = only(Picture, training_section(model_of(classifier=classifier())))
    assert of_some.caption.endswith("of the training rows and of the validation rows.")


def test_captions_tell_of_training_rows_what_the_settings_say():
    made = trained(PatchClassifier(dropout=0.2, label_smoothing=0.1), sampler=None)
    made.history_["learning_rate"] = [1e-3, 1e-4]
    assert only(Picture, training_section(model_of(classifier=made))).caption == (
        "2 epochs: loss and accuracy of the training rows (with dropout, with label "
        "smoothing) and of the validation rows (without these); the learning rate at "
        "the end of each."
    )


def test_training_rows_are_counted_where_they_are_known():
    train = pd.DataFrame(
        {"label": [0, 1] * 50, "participant": np.repeat(list("abcdefghij"), 10)}
    )
    made = classifier(n_participants=10)
    data = data_section(model_of(classifier=made, train=train))
    assert only(Table, data).rows[:2] == [
        ["training", "90", "45", "45 (50%)", "9"],
        ["validation", "10", "5", "5 (50%)", "1"],
    ]
    assert "No participant of the test set was trained on" in texts(data)


def test_participants_on_both_sides_are_named_in_the_summary():
    train = pd.DataFrame({"label": [0, 1, 1], "participant": ["P03", "P07", "other"]})
    made = classifier(n_validation_samples=0)
    model = model_of(classifier=made, train=train)
    assert "P03, P07" in texts(summary_section(model))
    assert "too high" in texts(summary_section(model))
    assert known_facts(model)["disjoint"].startswith("Not disjoint: 2")


def test_numbers_and_texts_of_one_name_are_one_participant():
    y, y_score, groups = rows()
    numbers = np.unique(groups, return_inverse=True)[1].astype(str)
    train = pd.DataFrame({"label": [0, 1], "participant": [3, 99]})
    told = {"classifier": classifier(), "train": train, **judged()}
    assert model_of(None, (y, y_score, numbers), **told).shared_participants == ["3"]


def test_an_interval_is_named_by_its_level():
    y, y_score, groups = rows()
    at = evaluate(y, y_score, groups=groups, n_bootstrap=100, confidence=0.8)
    model = model_of(None, (y, y_score, groups), evaluation=at)
    details = [item[2] for item in summary_section(model).blocks[0].items]
    assert any(detail.startswith("80 %: ") for detail in details)
    assert not any("95 %" in detail for detail in details)


def test_audit_that_was_not_run_says_how_to_run_it():
    assert "Not run. `glomclf audit`" in texts(audit_section(model_of()))


@pytest.mark.parametrize("is_leaky", [True, False])
def test_verdict_of_the_audit_is_told(is_leaky):
    model = model_of(audit=Audit(is_leaky))
    page = page_of(audit_section(model))
    summary = texts(summary_section(model))
    assert ("The audit found leaks" in summary) is is_leaky
    assert ("No leak found." in page.text) is not is_leaky
    assert "2 participants on both sides" in page.text


def test_long_list_of_findings_is_cut_and_says_so(monkeypatch):
    findings = pd.DataFrame({"kind": ["participant"] * 201, "fold": pd.NA})
    monkeypatch.setattr(Audit, "to_frame", lambda self: findings)
    tables = audit_section(model_of(audit=Audit(True))).blocks[2:]
    assert tables[0].caption == "201 findings, of which the first 200"
    assert tables[0].rows == [["participant", "–"]] * 200


@pytest.mark.parametrize("label", [0, 1])
def test_single_class_replaces_curves_by_a_sentence(label):
    y_score = np.linspace(0.1, 0.9, 8)
    model = model_of(None, (np.full(8, label), y_score, np.repeat(list("abcd"), 2)))
    curves = curves_section(model)
    assert f"All 8 labels are {label}" in texts(curves)
    captions = [one.caption for one in curves.blocks if isinstance(one, Picture)]
    assert [one.split()[0] for one in captions] == ["Reliability:", "Confusion"]
    assert "undefined" in page_of(scores_section(model)).text


def test_unknown_participants_leave_biopsies_out_and_say_so():
    y, y_score, _ = rows()
    found = quick(y, y_score, np.arange(len(y)))
    model = EvaluatedModel(X=None, y=y, y_score=y_score, groups=None, evaluation=found)
    assert biopsies_section(model) is planning_section(model) is None
    assert "Participants are not known" in texts(data_section(model))
    assert "over rows" in texts(scores_section(model))


def manifest_of(kind):
    """Return a manifest whose participants are others' stand-ins, with its scores."""
    y, y_score, groups = rows()
    if kind == "image":
        groups = np.arange(len(y)).astype(str)
    manifest = pd.DataFrame({"label": y, "slide": groups, "participant": groups})
    manifest.attrs = {"glomclf.participants": kind}
    return manifest, (y, y_score, groups)


@pytest.mark.parametrize("kind", ["slide", "group", "image"])
def test_what_stands_for_participants_is_called_what_it_is(kind):
    manifest, rows_ = manifest_of(kind)
    train = pd.DataFrame({"label": [0, 1] * 50, "participant": list("abcdefghij") * 10})
    made = classifier(n_participants=10)
    model = model_of(manifest, rows_, classifier=made, train=train)
    assert biopsies_section(model) is None
    data, summary = texts(data_section(model)), texts(summary_section(model))
    assert "cannot be told" in data
    assert f"over {kind}s" in texts(scores_section(model))
    facts = known_facts(model)
    assert "disjoint" not in facts
    assert "per biopsy" not in facts["measures"]
    if kind == "image":
        assert "rows count as independent" in data
    else:
        assert model.patches == f"96 patches of 12 {kind}s"
        assert "somebody was trained on cannot be told" in summary


def test_images_of_one_name_are_not_taken_for_one_participant():
    manifest, rows_ = manifest_of("image")
    model = model_of(manifest, rows_, train=manifest)
    assert "were trained on" not in texts(summary_section(model))
    assert "disjoint" not in known_facts(model)


def test_better_known_groups_than_those_of_the_manifest_are_participants():
    manifest, (y, y_score, _) = manifest_of("image")
    _, _, groups = rows()
    model = model_of(manifest, (y, y_score, groups))
    assert biopsies_section(model) is not None
    assert "over participants" in texts(scores_section(model))


def test_training_rows_that_the_model_was_not_trained_on_are_told():
    train = pd.DataFrame({"label": [0, 1] * 40, "participant": list("abcdefgh") * 10})
    model = model_of(classifier=classifier(n_participants=8), train=train)
    summary, data = summary_section(model), data_section(model)
    assert "given are 80, and the model was trained on 100" in texts(summary)
    assert "cannot be told" in texts(data)
    assert only(Table, data).rows[0][1] == "90"


@pytest.mark.parametrize(
    ("n_rows", "participants", "is_told"),
    [
        (100, "abcdefghij", False),
        (90, "abcdefghi", False),  # validation rows were given apart
        (100, "aabbccddee", False),  # merged, for the test set shows that they are one
        (100, "abcdefghijklmnopqrst", True),
    ],
)
def test_training_rows_are_others_only_where_that_is_sure(
    n_rows, participants, is_told
):
    owners = list(participants) * (n_rows // len(participants))
    train = pd.DataFrame({"label": [0, 1] * (n_rows // 2), "participant": owners})
    model = model_of(classifier=classifier(n_participants=10), train=train)
    told = texts(summary_section(model))
    assert ("of other rows than those" in told) is is_told


def test_threshold_of_the_evaluation_is_that_of_all_sections():
    y, y_score, groups = rows()
    at = quick(y, y_score, groups, threshold=0.3)
    model = model_of(evaluation=at)
    assert "The threshold is 0.3." in texts(scores_section(model))
    assert "at threshold 0.3" in curves_section(model).blocks[-1].caption
    with pytest.raises(ScoreError, match=r"threshold 0\.3, and threshold is 0\.5"):
        report_of(evaluation=at, threshold=0.5)


def test_error_of_the_percentage_has_its_interval_in_the_summary():
    items = summary_section(model_of()).blocks[0].items
    (item,) = [one for one in items if "biopsy" in one[0]]
    assert item[0] == "Error of the percentage per biopsy"
    assert re.search(r"percentage points, mean absolute error; 95 %: \d", item[2])


def test_few_participants_are_cautioned_about():
    summary = summary_section(model_of(None, rows(n_participants=3)))
    assert "Too few participants" in texts(summary)


def test_missing_band_is_explained():
    y, y_score, groups = rows()
    y = np.where(groups == "P00", np.arange(len(y)) % 2, 0)
    pictures = curves_section(model_of(None, (y, y_score, groups))).blocks
    why = "one participant has all of a class"
    assert [why in one.caption for one in pictures] == [True, True, False, False]


def test_scores_that_few_participants_decide_are_named():
    evaluation = judged()["evaluation"]
    deciding = {**dict.fromkeys(evaluation.scores, 9.0), "recall": 2.5, "f1": np.nan}
    few = dataclasses.replace(evaluation, n_effective=deciding)
    told = texts(scores_section(model_of(evaluation=few)))
    assert "Recall: a few of the participants decide the value (fewer than 5" in told
    many = dataclasses.replace(few, n_effective={**deciding, "recall": 5.0})
    assert "decide the value" not in texts(scores_section(model_of(evaluation=many)))


def galleries(X, y, y_score, groups):
    """Return the galleries of mistakes."""
    model = model_of(X, (np.array(y), np.array(y_score), groups))
    return [one for one in mistakes_section(model).blocks if isinstance(one, Gallery)]


def test_gallery_shows_the_mistakes_with_what_is_known(tmp_path):
    names = ["missed.png", "x.png", "alarm.png", "y.png"]
    X = pd.DataFrame({"path": [str(tmp_path / name) for name in names]})
    for path in X["path"]:
        Image.new("RGB", (40, 30), "purple").save(path)
    found = galleries(X, [1, 1, 0, 0], [0.1, 0.9, 0.8, 0.2], list("abcd"))
    facts = [list(item.facts.values()) for one in found for item in one.items]
    assert facts == [
        ["0.100", "1", "a", "missed.png"],
        ["0.800", "0", "c", "alarm.png"],
    ]
    item = found[0].items[0]
    assert list(item.facts) == ["probability", "label", "participant", "image"]
    assert item.alt == "probability 0.100, label 1, participant a, image missed.png"
    assert item.source.startswith("data:image/jpeg;base64,")


def mistakes_of(y, y_score, groups, **known):
    """Return the rows of the table of mistakes."""
    model = model_of(None, (np.array(y), np.array(y_score), groups), **known)
    return mistakes_section(model)


def test_worst_mistakes_are_the_farthest_from_the_threshold():
    y, y_score = [1, 1, 1, 0, 0, 0], [0.3, 0.0, 0.35, 0.9, 0.45, 0.1]
    at = quick(y, y_score, list("abcdef"), threshold=0.4)
    told = mistakes_of(y, y_score, list("abcdef"), evaluation=at, n_mistakes=2)
    table = only(Table, told)
    assert [row[0] for row in table.rows] == ["1", "0", "3", "4"]
    assert [row[1] for row in table.rows] == ["missed"] * 2 + ["false alarm"] * 2
    assert [row[-1] for row in table.rows] == list("bade")


def test_mistakes_are_measured_from_the_threshold_of_their_row():
    y, y_score, cuts = [1, 1, 0], [0.3, 0.5, 0.6], np.array([0.4, 0.9, 0.5])
    at = quick(y, y_score, list("abc"), threshold=cuts)
    ensemble = SimpleNamespace(oof_threshold_=cuts)
    told = mistakes_of(y, y_score, list("abc"), evaluation=at, classifier=ensemble)
    assert [row[0] for row in only(Table, told).rows] == ["1", "0", "2"]


def test_probability_at_the_threshold_is_no_miss():
    told = mistakes_of([1, 0], [0.5, 0.2], list("ab"))
    assert "No patch was judged wrongly" in texts(told)


def test_only_the_images_of_mistakes_are_read(tmp_path):
    Image.new("RGB", (32, 32)).save(tmp_path / "wrong.png")
    paths = [str(tmp_path / name) for name in ("right.png", "wrong.png")]
    (gallery,) = galleries(paths, [0, 1], [0.1, 0.2], list("ab"))
    assert [item.facts["image"] for item in gallery.items] == ["wrong.png"]
    with pytest.raises(ImageError, match=r"right\.png"):
        galleries(paths, [1, 1], [0.1, 0.2], list("ab"))


def test_images_without_names_are_told_by_their_row():
    X = [np.zeros((20 + n, 30, 3), dtype="uint8") for n in range(4)]
    found = galleries(X, [1, 1, 0, 0], [0.1, 0.9, 0.8, 0.2], list("abcd"))
    names = [item.facts["image"] for gallery in found for item in gallery.items]
    assert names == ["row 0", "row 2"]


def test_index_that_only_numbers_rows_is_left_out_of_a_table():
    table = Table.from_frame(pd.DataFrame({"kind": ["same image"]}))
    assert (table.columns, table.rows) == (["kind"], [["same image"]])


def test_spiteful_names_are_shown_as_text(tmp_path, undrawn):
    path = tmp_path / "<img src=x onerror=alert(1)>.png"
    Image.new("RGB", (32, 32)).save(path)
    y, y_score = np.array([1, 1, 0, 0]), np.array([0.1, 0.9, 0.3, 0.2])
    report = report_of(
        [str(path)] * 4,
        (y, y_score, [SPITEFUL, SPITEFUL, "`", '"onload="x']),
        command=["glomclf", SPITEFUL],
        audit=Audit(True),
        sections=[Section(SPITEFUL, [Table([SPITEFUL], [[SPITEFUL]], SPITEFUL)])],
    )
    page = Page(report.render())
    assert "script" not in [tag for tag, _ in page.tags]
    assert page.open == []
    assert page.text.count(SPITEFUL) >= 5
    assert "<img src=x onerror=alert(1)>.png" in page.text
    assert not [name for _, found in page.tags for name in found if name[:2] == "on"]


def test_settings_versions_and_command_are_told():
    network = PatchClassifier(weights="/home/me/w.h5", checkpoint_dir="/home/me/kept")
    made = trained(network, cache_dir="/home/me/cache")
    command = ["glomclf", "evaluate", "-o", "a b"]
    text = page_of(repetition_section(model_of(classifier=made, command=command))).text
    assert "glomclf evaluate -o 'a b'" in text
    assert "w.h5" in text
    assert "network__learning_rate 0.001" in text
    assert "/home/me" not in text
    for name, version in library_versions().items():
        assert f"{name} {version}" in text


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        (None, None),
        ({"source": "random", "sha256": None, "licence": None}, "source random"),
        (
            {"source": "a.pth", "sha256": "12ab", "licence": None},
            "source a.pth SHA-256 12ab licence not known",
        ),
    ],
)
def test_the_initial_weights_are_told_where_they_are_known(weights, told):
    model = model_of(classifier=classifier(weights=weights))
    text = page_of(repetition_section(model)).text
    assert ("Initial weights" in text) == (told is not None)
    assert told is None or told in text


def test_checklists_are_filled_where_the_run_knows_and_open_elsewhere():
    made = trained(sampler="smote", random_state=7)
    known = checklists_section(model_of(classifier=made)).blocks[1:]
    unknown = checklists_section(model_of()).blocks[1:]
    for some, more in zip(unknown, known, strict=True):
        assert n_open_of(some) > n_open_of(more) > 20
    claim = {row[0]: row[3] for row in known[0].rows}
    assert "Sampler: smote" in claim["25"]
    assert "seed 7" in claim["24"]
    assert claim["16"] == claim["44"] == "open"
    n_open = n_open_of(known[0])
    assert known[0].caption == f"CLAIM 2024: {44 - n_open} filled, {n_open} open"


def n_open_of(table):
    return [row[3] for row in table.rows].count("open")


def test_bad_input_is_refused():
    with pytest.raises(ScoreError, match="y_score"):
        evaluation_report(None, [0, 1], [0.5, 2.0])


def test_password_of_an_address_is_not_shown():
    text = command_text(["glomclf", "--storage", "postgresql://me:pass@host:5432/db"])
    assert text == "glomclf --storage postgresql://me:***@host:5432/db"


def test_report_is_written_whole_and_in_utf8(tmp_path):
    path = tmp_path / "report.html"
    Report("Ä run", "–", [Section("Found", ["5 µm"]), None]).write(path)
    assert "5 µm" in path.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [path]


def test_a_section_keeps_texts_as_paragraphs_and_leaves_empty_ones_out():
    section = Section("Found", ["a", None, "", Caution(""), Caution("b")])
    assert section.blocks == [Paragraph("a"), Caution("b")]


def test_comparison_is_reported_with_what_it_holds(undrawn):
    y, y_score, groups = rows()
    evaluation = quick(y, y_score, groups)
    inflation = compare_scores(
        y, y_score, np.clip(y_score + 0.1, 0, 1), groups=groups, n_bootstrap=100
    )
    table = pd.DataFrame(
        {
            "approach": "1",
            "fold": 0,
            "part": np.where(np.arange(len(y)) % 2, "reported", "untouched"),
            "row": np.arange(len(y)),
            "participant": groups,
            "label": y,
            "probability": y_score,
            "threshold": 0.5,
            "synthetic": False,
            "source_trained_on": False,
            "participant_trained_on": True,
        }
    )
    comparison = ApproachComparison(
        table,
        evaluations={"1": {"reported": evaluation, "untouched": evaluation}},
        inflations={"1": inflation},
    )
    report = comparison_report(comparison, command=["glomclf", "compare", "a.csv"])
    page = Page(report.render())
    assert page.open == []
    assert APPROACHES[0].title in page.text
    assert "glomclf compare a.csv" in page.text
    assert f"{evaluation.scores['f1']:.2f}" in page.text
