"""What goes on paper, methods, model card and plans, has its numbers from the run."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from glomclf.evaluation.evaluation import evaluate
from glomclf.evaluation.sample_size import plan_validation
from glomclf.report import Table
from glomclf.report.evaluated_model import EvaluatedModel
from glomclf.report.sections.checklists import filled_checklist, known_facts
from glomclf.report.sections.methods import methods_text, model_card
from glomclf.report.sections.planning import planning_section
from glomclf.report.sections.scores import cautions_of


@pytest.fixture(scope="module")
def rows():
    rng = np.random.RandomState(0)
    groups = np.repeat([f"P{n:02}" for n in range(20)], 20)
    y = rng.binomial(1, 0.3, 400)
    y_score = 1 / (1 + np.exp(-3 * (y - 0.5) - rng.normal(size=400)))
    return y, y_score, groups


@pytest.fixture(scope="module")
def plain(rows):
    return model_of(rows)


def model_of(rows, by=None, **known):
    y, p, groups = rows
    evaluation = evaluate(y, p, groups=groups, by=by, n_bootstrap=100)
    known = {"groups": groups, "evaluation": evaluation, **known}
    return EvaluatedModel(X=None, y=y, y_score=p, **known)


def test_methods_tell_the_numbers_of_the_run(plain, rows):
    text, evaluation = methods_text(plain), plain.evaluation
    assert f"400 patches of 20 participants, of which {rows[0].sum()}" in text
    low, high = evaluation.interval("recall")
    assert f"recall {evaluation.scores['recall']:.3f} ({low:.3f} to {high:.3f})" in text
    assert "from a probability of 0.5 on" in text
    assert "20 biopsies" in text


def test_methods_leave_out_what_the_run_does_not_know(plain, rows):
    text = methods_text(plain)
    assert "trained on" not in text
    assert "centre" not in text
    assert "{" not in text
    trained = SimpleNamespace(
        training_record_={"n_samples": 90, "n_participants": 14}, history_={}
    )
    told = {"evaluation": plain.evaluation, "biopsies": plain.biopsies}
    of_trained = model_of(rows, classifier=trained, **told)
    assert "It was trained on 90 patches of 14 participants." in methods_text(
        of_trained
    )


def test_methods_never_tell_an_interval_that_there_is_not():
    y, groups = np.tile([0, 1], 20), np.repeat(list("abcdefgh"), 5)
    text = methods_text(model_of((y, 0.1 + 0.8 * y, groups)))
    assert "nan" not in text
    assert "8 biopsies" in text


def test_next_validation_is_planned_from_the_rows(plain, rows):
    blocks = planning_section(plain).blocks
    (table,) = [one for one in blocks if isinstance(one, Table)]
    planned = plan_validation(*rows)
    shown = {row[0]: row for row in table.rows}
    expected = planned.loc["specificity"]
    assert shown["Specificity"][3] == f"{expected['n_patches']:.0f}"
    assert shown["Specificity"][5] == f"{max(5, expected['n_participants']):.0f}"
    assert len(shown) == len(planned)


def test_model_card_has_scores_subgroups_and_no_participant(rows):
    centre = pd.Series(np.where(np.arange(400) < 200, "A|B", "C<b>"), name="centre")
    train = pd.DataFrame({"label": [0, 1], "participant": ["P01", "Q1"]})
    model = model_of(rows, by=centre, train=train)
    card = model_card(model)
    assert f"| Recall | {model.evaluation.scores['recall']:.3f} |" in card
    assert "### By centre" in card
    assert r"| A\|B | 200 | 10 |" in card
    assert "<b>" not in card
    assert "1 participants of the test set were trained on" in card
    assert not re.search(r"\bP\d\d\b", card)
    assert "P01" in " ".join(cautions_of(model))


def test_heterogeneity_of_centres_fills_the_items_that_ask_for_it(rows):
    centre = pd.Series(np.where(np.arange(400) < 200, "A", "B"), name="centre")
    facts = known_facts(model_of(rows, by=centre))
    assert facts["subgroups"].startswith("By centre: A: recall")
    assert re.match(r"Called sclerotic: \d+ that are", facts["crosstabulation"])
    for key, items in (("tripod_ai", ["23b", "12d"]), ("stard_ai", ["21"])):
        answers = {row[0]: row[3] for row in filled_checklist(key, facts).rows}
        assert [answers[item] for item in items] == [facts["subgroups"]] * len(items)
