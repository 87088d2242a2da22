from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.core.clock import SystemClock
from collector.core.counters import Counters
from collector.core.errors import CaptureError
from collector.core.times import NS_PER_S
from packet.capture.dumpcap import DumpcapRecorder, capture_filter, dumpcap_available
from packet.capture.start import LastingRecorder
from packet.config import PacketConfig
from packet.decode.decode import decode
from packet.decode.sampler import Selection
from packet.files.pcapng_writer import pcapng
from tests.support.packet.build import Packet, columns
from tests.support.packet.traffic import echo_server, talk

_CLOCK = SystemClock()
_MEMORY = Path("/dev/shm")


@contextmanager
def _dumpcap(port: int, **settings: object) -> Iterator[DumpcapRecorder]:
    directory = _MEMORY / f"millworth-test-{os.getpid()}-{port}"
    config = PacketConfig.model_validate(
        {"engine": "dumpcap", "dumpcap_dir": directory, "ports": (port,), **settings}
    )
    recorder = DumpcapRecorder.start(config)
    try:
        yield recorder
    finally:
        recorder.stop()
        assert list(directory.iterdir()) == []
        directory.rmdir()


@pytest.mark.integration
@pytest.mark.alone
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
@pytest.mark.alone
def test_dumpcap_that_ended_is_reported() -> None:
    """The service runs on, and says since when it has no packets."""
    with echo_server() as port, _dumpcap(port) as recorder:
        talk(port, rounds=1, size=1)
        os.kill(recorder.pid, signal.SIGKILL)
        with pytest.raises(CaptureError, match="dumpcap has ended"):
            recorder.pull(Selection(0, _CLOCK.now_ns()))


@contextmanager
def _over(directory: Path, program: str) -> Iterator[DumpcapRecorder]:
    """Yield a recorder whose dumpcap is a few lines of Python."""
    config = PacketConfig(engine="dumpcap", dumpcap_dir=directory)
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    recorder = DumpcapRecorder(process, config, _CLOCK)
    try:
        yield recorder
    finally:
        assert process.stdin is not None
        process.stdin.close()
        recorder.stop()


def test_what_dumpcap_says_is_read_all_the_time(tmp_path: Path) -> None:
    """It names each file that it begins: left in the pipe, that ended recording after 1,200."""
    says = "import sys; [print('File: ring', n, file=sys.stderr) for n in range(20_000)]"
    with _over(tmp_path, says) as recorder:
        assert os.waitid(os.P_PID, recorder.pid, os.WEXITED | os.WNOWAIT) is not None
        with pytest.raises(CaptureError, match=r"ended \(exit 0\): File: ring 19999"):
            recorder.stats()


def _write(path: Path, packets: int) -> None:
    """Write a file as dumpcap does; its packets are a nanosecond apart."""
    seen = columns([Packet(_CLOCK.now_ns() + n) for n in range(packets)])
    path.write_bytes(pcapng(seen, [""] * packets, [], "t"))


def test_a_complete_file_is_read_once(tmp_path: Path) -> None:
    """Reading all that is held, three times every two seconds, was a second of CPU each."""
    with _over(tmp_path, "import sys; sys.stdin.read()") as recorder:
        _write(tmp_path / "ring_00001_1.pcapng", 3)
        _write(tmp_path / "ring_00002_2.pcapng", 4)
        assert (recorder.stats().packets, recorder.stats().held_packets) == (7, 7)
        _write(tmp_path / "ring_00001_1.pcapng", 50)
        _write(tmp_path / "ring_00002_2.pcapng", 5)  # dumpcap is still at it
        assert (recorder.stats().packets, recorder.stats().held_packets) == (8, 8)
        _write(tmp_path / "ring_00003_3.pcapng", 1)
        (tmp_path / "ring_00001_1.pcapng").unlink()
        assert (recorder.stats().packets, recorder.stats().held_packets) == (9, 6)


def test_a_file_that_dumpcap_takes_away_in_between_is_no_failure(tmp_path: Path) -> None:
    """A name without a file is what that looks like: the ring came round while we looked."""
    with _over(tmp_path, "import sys; sys.stdin.read()") as recorder:
        (tmp_path / "ring_00001_1.pcapng").symlink_to(tmp_path / "gone")
        _write(tmp_path / "ring_00002_2.pcapng", 2)
        assert recorder.stats().packets == 2
        assert len(recorder.pull(Selection(0, _CLOCK.now_ns()))) == 2


@pytest.mark.integration
@pytest.mark.alone
def test_dumpcap_that_cannot_start_says_why() -> None:
    """Its own last words are in the message, and the remedy."""
    config = PacketConfig(engine="dumpcap", interface="eth-none", dumpcap_dir=_MEMORY / "mw-none")
    with pytest.raises(CaptureError, match=r'on eth-none: .*; set packet.engine to "ring"'):
        LastingRecorder(config, Counters())
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
