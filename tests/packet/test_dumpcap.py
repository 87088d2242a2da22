from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.clock import NS_PER_S, SystemClock
from collector.errors import CaptureError
from packet.config import PacketConfig
from packet.decode import decode
from packet.dumpcap import DumpcapRecorder, capture_filter, dumpcap_available
from packet.engines import start_recorder
from packet.sampler import Selection
from tests.packet.traffic import echo_server, talk

_CLOCK = SystemClock()
_MEMORY = Path("/dev/shm")


@contextmanager
def _dumpcap(port: int, **settings: object) -> Iterator[DumpcapRecorder]:
    directory = _MEMORY / f"millworth-test-{os.getpid()}-{port}"
    config = PacketConfig.model_validate(
        {"engine": "dumpcap", "dumpcap_dir": directory, "ports": (port,), **settings}
    )
    recorder = start_recorder(config)
    assert isinstance(recorder, DumpcapRecorder)
    try:
        yield recorder
    finally:
        recorder.stop()
        assert list(directory.iterdir()) == []
        directory.rmdir()


@pytest.mark.integration
def test_dumpcap_answers_as_the_ring_does() -> None:
    """The same packets, the same selection, the same figures; nobody, with one capability."""
    with echo_server() as port, _dumpcap(port, window_s=3600, snaplen_bytes=96) as recorder:
        status = Path(f"/proc/{recorder.pid}/status").read_text()
        from_ns = _CLOCK.now_ns()
        local = talk(port, rounds=20, size=1_000)
        packets = decode(recorder.pull(Selection(from_ns, _CLOCK.now_ns()))).columns
        assert packets.payload_bytes[packets.src_port == port].sum() == 20_000
        assert packets.payload_bytes[packets.dst_port == port].sum() == 20_000
        assert set(packets.src_port.tolist()) == {port, local}
        nobody = Selection(from_ns, _CLOCK.now_ns(), frozenset({1}))
        assert len(recorder.pull(nobody)) == 0
        stats = recorder.stats()
        assert stats.held_packets == stats.packets >= len(packets)
        assert (stats.kernel_drops, stats.oldest_ns) == (0, int(packets.ts_ns.min()))
        while sum(second.packets for second in recorder.seconds(0)) < stats.packets:
            assert _CLOCK.now_ns() < from_ns + 30 * NS_PER_S
        assert stats.uncounted == 0
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert lines["Uid"].split() == ["65534"] * 4
    # Once its socket is open it lets go of the one capability that it was given.
    assert int(lines["CapEff"], 16) & ~(1 << 13) == 0
    assert int(lines["CapPrm"], 16) & ~(1 << 13) == 0
    assert lines["NoNewPrivs"].strip() == "1"


@pytest.mark.integration
def test_dumpcap_that_ended_is_reported() -> None:
    """The service runs on, and says since when it has no packets."""
    with echo_server() as port, _dumpcap(port) as recorder:
        talk(port, rounds=1, size=1)
        os.kill(recorder.pid, signal.SIGKILL)
        with pytest.raises(CaptureError, match="dumpcap has ended"):
            recorder.pull(Selection(0, _CLOCK.now_ns()))


@pytest.mark.integration
def test_dumpcap_that_cannot_start_says_why() -> None:
    """Its own last words are in the message, and the remedy."""
    config = PacketConfig(engine="dumpcap", interface="eth-none", dumpcap_dir=_MEMORY / "mw-none")
    with pytest.raises(CaptureError, match=r'on eth-none: .*; set packet.engine to "ring"'):
        start_recorder(config)
    (_MEMORY / "mw-none").rmdir()


def test_payload_does_not_reach_a_disk_by_itself() -> None:
    """dumpcap cuts at a length: a short packet would be on the disk as a whole."""
    config = PacketConfig(engine="dumpcap", dumpcap_dir=Path("/proc/1"))
    reason = dumpcap_available(config)
    assert reason is not None
    assert "writes the first 96 bytes of each packet, payload among them" in reason
    assert dumpcap_available(config.model_copy(update={"payload_on_disk": True})) is None
    assert dumpcap_available(PacketConfig(engine="dumpcap")) is None


def test_filter_is_of_the_ports_that_are_wanted() -> None:
    """pcap's own language, since dumpcap compiles it."""
    config = PacketConfig(ports=(80, 443), exclude_ports=(4317,))
    assert capture_filter(config) == "tcp and (port 80 or port 443) and not port 4317"
    assert capture_filter(PacketConfig()) == "tcp"
