"""A recorder that ends is started anew, by whoever runs the job, and by nobody else."""

from __future__ import annotations

import os
import signal

import pytest

from collector.core.counters import Counters
from collector.core.errors import CaptureError
from collector.core.times import NS_PER_S
from packet.capture.start import LastingRecorder
from packet.config import PacketConfig

pytestmark = [pytest.mark.integration, pytest.mark.alone]


def test_recorder_that_ended_is_started_anew_ever_more_seldom() -> None:
    """What ends again and again must not take a core; what it held is gone, and said to be."""
    counters = Counters()
    recorder = LastingRecorder(PacketConfig(ports=(1,)), counters)
    began_ns = recorder.stats().since_ns
    for number, (too_early_s, in_time_s) in enumerate(((None, 1), (2, 4), (7, 9)), start=1):
        pid = recorder.pid
        os.kill(pid, signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(CaptureError, match=r"has ended .*; it is started anew"):
                recorder.stats()
        assert recorder.pid == 0
        if too_early_s is not None:
            with pytest.raises(CaptureError, match="has ended"):
                recorder.revive(too_early_s * NS_PER_S)
        recorder.revive(in_time_s * NS_PER_S)
        assert recorder.pid not in (0, pid)
        assert recorder.stats().since_ns > began_ns
        assert recorder.restarts == number
    assert counters.registry.get_sample_value("millworth_recorder_restarts_total") == 3
    recorder.stop()
    assert recorder.pid == 0
