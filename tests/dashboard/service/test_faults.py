"""A fault in native code: the service ends, and its log has where."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.support.collector.clients import WAIT_S
from tests.support.service import RunningService

pytestmark = pytest.mark.integration


def test_fault_ends_the_service_and_its_log_has_the_stack(tmp_path: Path) -> None:
    """Else a supervisor starts nothing, because nothing ended, and nobody knows where it was."""
    with RunningService(tmp_path) as service:
        service.process.send_signal(signal.SIGSEGV)
        assert service.process.wait(timeout=WAIT_S) == -signal.SIGSEGV
    said = (tmp_path / "service.log").read_text()
    assert "Fatal Python error: Segmentation fault" in said
    assert re.search(r"Current thread .*\n  File .*", said)
