"""What the processor computes in: bfloat16 is refused where it is emulated."""

import pytest

from glomclf import PatchClassifier
from glomclf.errors import EngineError
from glomclf.network import processor


@pytest.fixture
def flags(tmp_path, monkeypatch):
    """Return a function that gives this machine a processor with some flags."""
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(processor, "_CPU_FILE", file)
    monkeypatch.setattr(processor, "_has_accelerator", lambda: False)
    return lambda names: file.write_text(f"flags : {names}\n")


@pytest.mark.parametrize("names", ["sse2 avx512_bf16", "amx_bf16", "fp bf16"])
def test_a_processor_that_has_bfloat16_is_taken(flags, names):
    flags(names)
    assert processor.check_training_precision("bfloat16") is None


def test_a_processor_without_it_is_refused_by_name(flags, patches):
    flags("sse2 avx2 xbf16")
    processor.check_training_precision("float32")
    with pytest.raises(EngineError, match=r"none of amx_bf16, avx512_bf16, bf16"):
        processor.check_training_precision("bfloat16")
    net = PatchClassifier("cnn", weights=None, training_precision="bfloat16")
    with pytest.raises(EngineError, match="training_precision='float32'"):
        net.fit(*patches)


def test_an_accelerator_serves_as_well(flags, monkeypatch):
    flags("sse2")
    monkeypatch.setattr(processor, "_has_accelerator", lambda: True)
    assert processor.check_training_precision("bfloat16") is None


def test_where_flags_are_not_said_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "_CPU_FILE", tmp_path / "none")
    assert processor.check_training_precision("bfloat16") is None


def test_the_name_tells_the_vector_instructions(tmp_path, monkeypatch):
    cpu = tmp_path / "cpuinfo"
    cpu.write_text("model name\t: A Chip 9\nflags\t: fpu avx2 avx512f amx_bf16x\n")
    monkeypatch.setattr(processor, "_CPU_FILE", cpu)
    assert processor.processor_name() == "A Chip 9, avx2, avx512f"


def test_the_name_without_a_file_is_that_of_the_platform(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "_CPU_FILE", tmp_path / "none")
    monkeypatch.setattr(processor.platform, "processor", lambda: "arm")
    assert processor.processor_name() == "arm"
