"""A few cases of each kind of bad input; `python examples/fuzz` runs them all."""

import pytest
from fuzz_kinds import KINDS
from fuzzing import Kind, Wrong, mutated, run_cases

from glomclf.errors import ManifestError

N_CASES = 12
N_MODELS = 6  # each builds a network; tests/model/test_model_files.py changes more


@pytest.mark.parametrize("name", KINDS)
def test_bad_inputs_are_read_as_they_are_or_refused_by_name(name):
    n_cases = N_MODELS if name == "models" else N_CASES
    counts, faults = run_cases(KINDS[name], range(n_cases))
    assert faults == []
    assert counts.total() == n_cases


def test_each_outcome_is_counted_and_faults_keep_their_input(tmp_path, monkeypatch):
    monkeypatch.setattr("fuzzing.SECONDS", 0.05)

    def case(known, folder, rng):
        (folder / "input").write_bytes(mutated(known, rng, (b"=",)))
        raised = next(outcomes)
        while raised is None:  # for ever
            pass
        if raised is not str:
            raise raised("told")
        return "read"

    outcomes = iter([str, ManifestError, Wrong, None, KeyError])
    kind = Kind(lambda folder: b"a,b", case, n_cases=5)
    counts, faults = run_cases(kind, range(5), tmp_path)
    words = ["read", "refused: ManifestError", "wrong", "hang", "fault"]
    assert counts == dict.fromkeys(words, 1)
    told = [(fault.number, fault.word) for fault in faults]
    assert told == [(2, "wrong"), (3, "hang"), (4, "fault")]
    kept = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*"))
    assert kept == ["2/seen.txt", "3/seen.txt", "4/seen.txt"]
    assert all((tmp_path / name).with_name("input").exists() for name in kept)
