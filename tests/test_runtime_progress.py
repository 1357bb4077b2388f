"""The bar: on standard error, only where asked for."""

import pytest

from glomclf._runtime import progress


def test_a_bar_is_shown_on_standard_error_alone(capsys):
    with progress("training", total=3) as advance:
        advance(n_done=2, note="loss 0.250")
        advance()
    out, err = capsys.readouterr()
    assert out == ""
    assert "training" in err
    assert "3/3" in err


def test_the_last_note_stands_behind_the_bar(capsys):
    with progress("training", total=2) as advance:
        advance(note="loss 0.500")
        advance(note="loss 0.250")
    assert "loss 0.250" in capsys.readouterr().err


def test_a_bar_that_is_not_asked_for_shows_nothing(capfd):
    with progress("training", total=3, enabled=False) as advance:
        advance(n_done=2, note="loss 0.250")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("enabled", [True, False])
def test_an_error_inside_the_block_comes_out(enabled, capsys):
    with (
        pytest.raises(KeyError, match="broken"),
        progress("training", total=3, enabled=enabled),
    ):
        raise KeyError("broken")
