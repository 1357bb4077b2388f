"""Standard streams that the shell closed, or that nobody can write to."""

import errno
import io
import os
import sys

import pytest

from glomclf.__main__ import Unread, open_streams


class Full(io.RawIOBase):
    """A disk without room."""

    def writable(self):
        return True

    def write(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_closed_streams_are_opened_again(monkeypatch):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    open_streams()
    streams = [sys.stdin, sys.stdout, sys.stderr]
    assert sys.stdin.read() == ""
    print("unheard")
    print("unheard", file=sys.stderr, flush=True)
    for stream in streams:
        stream.close()


def test_messages_to_a_full_disk_stop_no_work(monkeypatch):
    full = io.TextIOWrapper(Full(), "ascii")
    monkeypatch.setattr(sys, "stderr", full)
    open_streams()
    assert isinstance(sys.stderr, Unread)
    print("of epoch 1\n" * 10_000, file=sys.stderr, flush=True)


@pytest.mark.parametrize("name", ["Müller.png", os.fsdecode(b"M\xfcller.png")])
def test_any_name_can_be_printed_where_only_ascii_can(monkeypatch, name):
    narrow = [io.TextIOWrapper(io.BytesIO(), "ascii") for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", narrow[0])
    monkeypatch.setattr(sys, "stderr", narrow[1])
    open_streams()
    for stream in (sys.stdout, sys.stderr):
        print(name, file=stream, flush=True)
        assert stream.buffer.getvalue().startswith(b"M\\")
