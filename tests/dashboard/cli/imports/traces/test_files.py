from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from collector.core.errors import InputError
from dashboard.cli.imports.traces.files import trace_source


def test_a_file_is_read_as_often_as_asked(tmp_path: Path) -> None:
    """One pass may begin while another one is under way."""
    path = tmp_path / "traces"
    path.write_bytes(b"x" * 600_000)

    with trace_source(path) as source:
        outer = source.chunks()
        begun = next(outer)
        whole = b"".join(source.chunks())
        rest = b"".join(outer)

    assert begun + rest == whole == path.read_bytes()
    assert source.size == 600_000


def test_a_pipe_is_read_as_often_as_asked(tmp_path: Path) -> None:
    """What can be read once alone is kept."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"x" * 600_000,))
    writer.start()

    with trace_source(path) as source:
        writer.join()
        assert b"".join(source.chunks()) == b"".join(source.chunks()) == b"x" * 600_000


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    """A directory is the usual slip of a shell's star."""
    path = tmp_path / name
    with pytest.raises(InputError, match=f"{path}: .*; name a file"), trace_source(path):
        pass


def test_an_error_of_whoever_reads_is_no_error_of_the_file(tmp_path: Path) -> None:
    """A receiver that is gone must not be called a file that cannot be read."""
    path = tmp_path / "traces"
    path.write_bytes(b"x")

    with pytest.raises(ConnectionError), trace_source(path):
        raise ConnectionResetError
