"""The checklists are whole, and answers go to items that exist."""

import pytest

from glomclf.report.checklists import CLAIM, TRIPOD_AI


def test_claim_has_44_items_in_order():
    assert [item.number for item in CLAIM.items] == [str(n) for n in range(1, 45)]


def test_tripod_has_27_items_with_their_parts():
    numbers = [item.number for item in TRIPOD_AI.items]
    whole = [int(number.rstrip("abcdefg")) for number in numbers]
    assert sorted(set(whole)) == list(range(1, 28))
    assert whole == sorted(whole)
    assert len(set(numbers)) == len(numbers) == 52


@pytest.mark.parametrize("checklist", [CLAIM, TRIPOD_AI], ids=lambda one: one.name)
def test_every_item_has_a_section_and_asks_something(checklist):
    assert all(item.section and item.asks for item in checklist.items)
    assert "2024" in checklist.reference
    assert "doi:" in checklist.reference


def test_unanswered_items_stay_open():
    table = CLAIM.fill({"23": "numpy 2"})
    assert table.loc["23", "answer"] == "numpy 2"
    assert (table.drop("23")["answer"] == "").all()


def test_answers_to_unknown_items_are_all_named():
    with pytest.raises(KeyError, match="TRIPOD\\+AI has no items 28, 3z"):
        TRIPOD_AI.fill({"3z": "", "28": "", "1": ""})
