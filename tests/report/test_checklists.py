"""The checklists are whole, and answers go to items that exist."""

import re

import pytest

from glomclf.report.sections.checklists import CLAIM, STARD_AI, TRIPOD_AI


def test_claim_has_44_items_in_order():
    assert CLAIM.items.index.tolist() == [str(n) for n in range(1, 45)]


def test_tripod_has_27_items_with_their_parts():
    numbers = TRIPOD_AI.items.index.tolist()
    whole = [int(number.rstrip("abcdefg")) for number in numbers]
    assert sorted(set(whole)) == list(range(1, 28))
    assert whole == sorted(whole)
    assert len(set(numbers)) == len(numbers) == 52


def test_stard_has_40_items_with_their_parts():
    numbers = STARD_AI.items.index.tolist()
    whole = [int(number.rstrip("abcd")) for number in numbers]
    assert sorted(set(whole)) == list(range(1, 41))
    assert whole == sorted(whole)
    assert len(set(numbers)) == len(numbers) == 48
    assert [n for n in numbers if not n.isdigit()] == [
        *("15a", "15b", "15c", "15d", "16a", "16b", "16c", "17a", "17b"),
        *("26a", "26b", "40a", "40b"),
    ]


@pytest.mark.parametrize(
    "checklist", [CLAIM, STARD_AI, TRIPOD_AI], ids=lambda one: one.name
)
def test_every_item_has_a_section_and_asks_something(checklist):
    assert (checklist.items[["section", "asks"]] != "").to_numpy().all()
    assert re.search("202[45]", checklist.reference)
    assert "doi:" in checklist.reference


def test_items_whose_fact_is_not_known_stay_open():
    table = CLAIM.fill({"software": "numpy 2"})
    assert table.loc["23", "answer"] == "numpy 2"
    assert (table.drop("23")["answer"] == "").all()


def test_one_fact_answers_all_items_that_ask_for_it():
    table = TRIPOD_AI.fill({"counts": "60 patches", "nobody asks": "this"})
    assert table.index[table["answer"] != ""].tolist() == ["20a", "21"]
