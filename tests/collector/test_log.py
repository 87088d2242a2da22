"""Where log lines go."""

from __future__ import annotations

import contextlib
import io

from collector.log import configure, get_logger


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
