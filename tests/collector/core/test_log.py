"""Where log lines go."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from collector.core.log import Lines, configure, get_logger, lines_lost


def test_line_goes_to_standard_error_as_it_is_now() -> None:
    """A thread that logs must not fail because standard error was replaced and closed since."""
    closed = io.StringIO()
    with contextlib.redirect_stderr(closed):
        configure(json=True)
    log = get_logger("collector")
    closed.close()
    now = io.StringIO()

    with contextlib.redirect_stderr(now):
        log.warning("batch_dropped", spans=512)

    assert '"event": "batch_dropped"' in now.getvalue()


def test_line_that_cannot_be_written_is_counted_and_told_by_the_next(tmp_path: Path) -> None:
    """Whoever logs has other work to do, on a full disk too; a reader has to know of gaps."""
    before = lines_lost()
    log = get_logger("collector")
    with Path("/dev/full").open("w") as full, contextlib.redirect_stderr(full):
        configure(json=True)
        log.warning("batch_dropped", spans=1)
        log.warning("batch_dropped", spans=2)
    now = tmp_path / "lines"
    with now.open("w") as stream, contextlib.redirect_stderr(stream):
        log.warning("batch_dropped", spans=3)
        log.warning("batch_dropped", spans=4)

    said = [json.loads(line) for line in now.read_text().splitlines()]
    assert [line.get("spans") or line["event"] for line in said] == [3, "log_lines_lost", 4]
    assert said[1]["lines"] == 2
    assert lines_lost() - before == 2


@pytest.mark.parametrize("has_reader", [True, False], ids=["stuck", "gone"])
def test_line_to_a_pipe_that_nobody_reads_is_not_waited_for(*, has_reader: bool) -> None:
    """A supervisor that is stuck or dead must not stop what it watches."""
    reader, writer = os.pipe()
    lines = Lines(lambda: stream)
    with os.fdopen(writer, "w") as stream:
        if not has_reader:
            os.close(reader)
        for _ in range(100):
            lines.write("x" * 1_000 + "\n")
        if has_reader:
            with os.fdopen(reader, "rb", buffering=0) as end:
                whole = [line for line in end.read(1_000_000).splitlines() if len(line) == 1_000]
                assert len(whole) == 100 - lines.lost
                assert lines.write("again\n") == lines.lost
                assert end.read(1_000_000).splitlines()[-1] == b"again"
    assert 0 < lines.lost <= 100


def test_process_may_be_started_without_outputs() -> None:
    """Otherwise a file of the store gets the number, and what the engine says would be in it."""
    probe = "import os, sys; from dashboard.cli.main import run; run(lambda: sys.exit(os.dup(0)))"
    command = ["sh", "-c", 'exec "$0" -c "$1" >&- 2>&-', sys.executable, probe]

    assert subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode == 3
