"""The checklists are whole, and answers go to items that exist."""

import re

import pytest

from glomclf.report.sections.checklists import (
    CHECKLISTS,
    checklist_items,
    filled_checklist,
)


@pytest.mark.parametrize(
    ("key", "n_items", "last", "parts"),
    [
        ("claim", 44, 44, []),
        ("tripod_ai", 52, 27, None),
        ("stard_ai", 48, 40, "15a 15b 15c 15d 16a 16b 16c 17a 17b 26a 26b 40a 40b"),
    ],
)
def test_every_item_of_the_source_is_there_in_order(key, n_items, last, parts):
    numbers = checklist_items(key)["item"].tolist()
    whole = [int(number.rstrip("abcdefg")) for number in numbers]
    assert sorted(set(whole)) == list(range(1, last + 1))
    assert whole == sorted(whole)
    assert len(set(numbers)) == len(numbers) == n_items
    if parts is not None:
        assert [n for n in numbers if not n.isdigit()] == (
            parts.split() if parts else []
        )


@pytest.mark.parametrize("key", CHECKLISTS)
def test_every_item_has_a_section_and_asks_something(key):
    assert (checklist_items(key)[["section", "asks"]] != "").to_numpy().all()
    *_, source = filled_checklist(key, {}).rows
    assert re.search("202[45].*doi:", source[2])


def test_items_whose_fact_is_not_known_stay_open():
    table = filled_checklist("claim", {"software": "numpy 2"})
    answers = {row[0]: row[3] for row in table.rows[:-1]}
    assert answers.pop("23") == "numpy 2"
    assert set(answers.values()) == {"open"}
    assert table.caption == "CLAIM 2024: 1 filled, 43 open"


def test_one_fact_answers_all_items_that_ask_for_it():
    facts = {"counts": "60 patches", "nobody asks": "this"}
    rows = filled_checklist("tripod_ai", facts).rows[:-1]
    assert [row[0] for row in rows if row[3] != "open"] == ["20a", "21"]
