from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from collector.core.clock import SystemClock
from collector.core.errors import CaptureError
from collector.core.times import NS_PER_S
from packet.capture.recorder import RecorderProcess, capture_available
from packet.config import PacketConfig
from packet.decode.columns import SYN
from packet.decode.decode import decode
from packet.decode.sampler import Selection, keep
from packet.tcp.per_second import WireSecond
from tests.support.packet.traffic import echo_server, recorder, talk
from tests.support.service import ended_within
from tests.support.tree import ROOT

_CLOCK = SystemClock()


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


@pytest.mark.integration
@pytest.mark.alone
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_every_packet_of_a_connection_is_recorded_once_and_without_payload(host: str) -> None:
    """The sum of the payload proves that none is missing; no byte of it is in memory."""
    with echo_server(host) as port, recorder(PacketConfig(ports=(port,))) as process:
        from_ns = _CLOCK.now_ns()
        client_port = talk(port, rounds=20, size=1000, host=host)
        frames = process.pull(Selection(from_ns, _CLOCK.now_ns()))
        decoded = decode(frames)
        packets = decoded.columns
        assert decoded.undecoded == {}
        assert set(packets.src_port.tolist()) == {port, client_port}
        assert len(np.unique(packets.flow_hash)) == 1
        assert packets.payload_bytes[packets.src_port == port].sum() == 20_000
        assert packets.payload_bytes[packets.dst_port == port].sum() == 20_000
        assert ((packets.tcp_flags & np.uint16(SYN)) != 0).sum() == 2
        assert b"s" * 8 not in frames.data.tobytes()
        assert (frames.wire_bytes - frames.lengths == packets.payload_bytes).all()
        stats = process.stats()
        assert stats.kernel_drops == 0
        assert stats.packets == stats.held_packets >= len(packets)
        assert stats.oldest_ns is not None
        assert stats.oldest_ns >= from_ns


@pytest.mark.integration
@pytest.mark.alone
def test_pull_gives_the_wanted_connections_of_the_wanted_time() -> None:
    """An alert names its flows; everything else stays where it is."""
    with (
        echo_server() as one,
        echo_server() as other,
        recorder(PacketConfig(ports=(one, other))) as process,
    ):
        start_ns = _CLOCK.now_ns()
        local = talk(one, rounds=3, size=10)
        between_ns = _CLOCK.now_ns()
        talk(other, rounds=3, size=10)
        end_ns = _CLOCK.now_ns()
        pair = min(local, one) << 16 | max(local, one)
        chosen = decode(process.pull(Selection(start_ns, end_ns, frozenset({pair})))).columns
        assert set(chosen.src_port.tolist()) == {local, one}
        later = decode(process.pull(Selection(between_ns, end_ns))).columns
        assert other in later.src_port
        assert (later.ts_ns >= between_ns).all()
        everything = decode(process.pull(Selection(start_ns, end_ns))).columns
        sample = Selection(start_ns, end_ns, sample_ratio=0.5, sample_epoch_s=3600)
        epoch = everything.ts_ns // np.uint64(3600 * NS_PER_S)
        expected = keep(everything.flow_hash, epoch, 0.5)
        assert len(process.pull(sample)) == expected.sum()


@pytest.mark.integration
@pytest.mark.alone
def test_excluded_port_takes_no_memory() -> None:
    """The service's own telemetry would fill the memory with itself."""
    with (
        echo_server() as kept,
        echo_server() as own,
        recorder(PacketConfig(exclude_ports=(own,))) as process,
    ):
        start_ns = _CLOCK.now_ns()
        talk(own, rounds=3, size=10)
        local = talk(kept, rounds=3, size=10)
        packets = decode(process.pull(Selection(start_ns, _CLOCK.now_ns()))).columns
        ports = set(packets.src_port.tolist()) | set(packets.dst_port.tolist())
        assert {kept, local} <= ports
        assert own not in ports


@pytest.mark.integration
@pytest.mark.alone
def test_memory_holds_the_newest_packets_only() -> None:
    """A flight recorder forgets the oldest first, and never grows."""
    with echo_server() as port, recorder(PacketConfig(ports=(port,), memory_mib=1)) as process:
        start_ns = _CLOCK.now_ns()
        talk(port, rounds=5_000, size=1)
        process.pull(Selection(_CLOCK.now_ns(), _CLOCK.now_ns()))
        stats = process.stats()
        assert stats.held_bytes <= 1024 * 1024
        assert stats.held_packets < stats.packets
        assert stats.oldest_ns is not None
        assert stats.oldest_ns > start_ns
        assert start_ns < stats.since_ns < _CLOCK.now_ns()


@pytest.mark.integration
@pytest.mark.alone
def test_packets_older_than_the_window_are_forgotten() -> None:
    """The memory is bounded in time as well as in bytes."""
    with echo_server() as port, recorder(PacketConfig(ports=(port,), window_s=1)) as process:
        start_ns = _CLOCK.now_ns()
        talk(port, rounds=5, size=1)
        process.pull(Selection(start_ns, _CLOCK.now_ns()))
        assert process.stats().held_packets > 0
        while process.stats().held_packets:
            assert _CLOCK.now_ns() < start_ns + 30 * NS_PER_S
        assert _CLOCK.now_ns() >= start_ns + NS_PER_S
        assert process.stats().packets > 0


@pytest.mark.integration
@pytest.mark.alone
def test_every_second_of_the_wire_is_counted() -> None:
    """The figures are of all packets, whatever is kept of them."""
    with echo_server() as port, recorder(PacketConfig(ports=(port,), link_mbit=1_000)) as process:
        start_ns = _CLOCK.now_ns()
        talk(port, rounds=50, size=1_000)
        frames, seconds = None, list[WireSecond]()
        while frames is None or sum(second.packets for second in seconds) < len(frames):
            assert _CLOCK.now_ns() < start_ns + 30 * NS_PER_S
            frames = process.pull(Selection(start_ns, _CLOCK.now_ns()))
            seconds = process.seconds(0)
        assert sum(second.packets for second in seconds) == len(frames)
        assert sum(second.wire_bytes for second in seconds) == frames.wire_bytes.sum()
        assert seconds[0].flows == 1
        assert seconds[0].queue_bytes is not None
        assert seconds[0].queue_bytes >= 1_000
        assert process.stats().uncounted == 0
        assert process.seconds(seconds[-1].second_ns) == []


@pytest.mark.integration
@pytest.mark.alone
def test_recorder_is_nobody_without_a_capability() -> None:
    """What reads packets from everyone must not be able to do anything else."""
    with recorder(PacketConfig(ports=(1,))) as process:
        status = _status(process.pid)
        assert status["Uid"].split() == ["65534"] * 4
        assert status["Gid"].split() == ["65534"] * 4
        assert int(status["CapEff"], 16) == 0
        assert int(status["CapPrm"], 16) == 0
        assert status["NoNewPrivs"] == "1"


@pytest.mark.integration
@pytest.mark.alone
def test_recorder_runs_on_where_nobody_may_read_its_code(tmp_path: Path) -> None:
    """Installed below /root: what it needs is loaded while it is root."""
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    (hidden / "numpy").symlink_to(Path(np.__file__).parent)
    script = (
        "from packet.config import PacketConfig\n"
        "from packet.decode.sampler import Selection\n"
        "from collector.core.clock import SystemClock\n"
        "from tests.support.packet.traffic import echo_server, recorder, talk\n"
        "import numpy, sys\n"
        "clock = SystemClock()\n"
        "with echo_server() as port, recorder(PacketConfig(ports=(port,))) as process:\n"
        "    start_ns = clock.now_ns()\n"
        "    talk(port, rounds=5, size=10)\n"
        "    while not process.seconds(0):\n"
        "        now_ns = clock.now_ns()\n"
        "        chosen = Selection(start_ns, now_ns, sample_ratio=0.5, sample_epoch_s=60)\n"
        "        process.pull(chosen)\n"
        "        process.contexts(chosen)\n"
        "    sys.stdout.write(f'{numpy.__file__} {process.stats().packets > 0}')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"PYTHONPATH": str(hidden)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{hidden}/numpy/__init__.py True"


@pytest.mark.integration
@pytest.mark.alone
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_recorder_ends_when_its_parent_says_so(number: signal.Signals) -> None:
    """A terminal and `timeout` signal all processes at once, and what is held was gone."""
    with recorder(PacketConfig(ports=(1,))) as process:
        os.kill(process.pid, number)
        assert process.stats().packets == 0


@pytest.mark.integration
@pytest.mark.alone
def test_recorder_that_ended_is_reported() -> None:
    """The service runs on, and says since when it has no packets."""
    with recorder(PacketConfig(ports=(1,))) as process:
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(CaptureError, match="the packet recorder has ended"):
            process.stats()


@pytest.mark.integration
@pytest.mark.alone
def test_recorder_ends_with_its_parent() -> None:
    """A parent that was killed leaves no capture behind."""
    script = (
        "from packet.config import PacketConfig\n"
        "from packet.capture.recorder import RecorderProcess\n"
        "import os, signal, sys\n"
        "recorder = RecorderProcess.start(PacketConfig(ports=(1,)))\n"
        "sys.stdout.write(f'{recorder.pid}\\n'); sys.stdout.flush()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert parent.returncode == -signal.SIGKILL, parent.stderr
    pid = int(parent.stdout)
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return  # it has ended already
    try:
        assert ended_within(watched, 30), f"recorder {pid} is still there"
    finally:
        os.close(watched)


def _without_privilege(code: str) -> str:
    result = subprocess.run(
        ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout


@pytest.mark.integration
@pytest.mark.alone
def test_missing_privilege_is_named_with_its_remedy() -> None:
    """The service runs on without packets; the operator reads what to grant."""
    text = _without_privilege(
        "from collector.core.errors import CaptureError\n"
        "from packet.config import PacketConfig\n"
        "from packet.capture.recorder import RecorderProcess, capture_available\n"
        "import sys\n"
        "try:\n"
        "    RecorderProcess.start(PacketConfig())\n"
        "except CaptureError as error:\n"
        "    sys.stdout.write(f'{error}\\n{capture_available(PacketConfig())}')\n"
    )
    raised, reason = text.split("\n")
    assert raised == reason
    assert "packet.interface lo: recording needs the privilege CAP_NET_RAW" in reason
    assert "setcap cap_net_raw+ep" in reason


@pytest.mark.integration
@pytest.mark.alone
def test_one_capability_opens_the_ring_and_none_is_left() -> None:
    """What systemd gives an ordinary user with AmbientCapabilities=CAP_NET_RAW."""
    script = (
        "import ctypes, os, sys\n"
        "from packet.config import PacketConfig\n"
        "from packet.capture.ring import Ring, drop_privileges\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.prctl(8, 1, 0, 0, 0)\n"  # PR_SET_KEEPCAPS
        "os.setgroups([]); os.setresgid(*[65534] * 3); os.setresuid(*[65534] * 3)\n"
        "head, only = (ctypes.c_uint32 * 2)(0x20080522, 0), 1 << 13\n"
        "assert libc.capset(head, (ctypes.c_uint32 * 6)(only, only)) == 0\n"
        "def effective():\n"
        "    status = open('/proc/self/status').read()\n"
        "    return int(status.split('CapEff:')[1].split()[0], 16)\n"
        "before = effective()\n"
        "ring = Ring(PacketConfig(ports=(1,)))\n"
        "drop_privileges()\n"
        "ring.drain()\n"
        "sys.stdout.write(f'{before == only} {effective()} {ring.count_drops()}')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (result.stdout, result.returncode) == ("True 0 0", 0), result.stderr


@pytest.mark.integration
@pytest.mark.alone
def test_root_that_cannot_become_nobody_is_refused() -> None:
    """A container's root with one capability would go on as root."""
    script = (
        "import sys\n"
        "from collector.core.errors import CaptureError\n"
        "from packet.config import PacketConfig\n"
        "from packet.capture.recorder import RecorderProcess\n"
        "try:\n"
        "    RecorderProcess.start(PacketConfig())\n"
        "except CaptureError as error:\n"
        "    sys.stdout.write(str(error))\n"
    )
    result = subprocess.run(
        [
            "setpriv",
            "--bounding-set=-all,+net_raw",
            "--inh-caps=-all",
            sys.executable,
            "-c",
            script,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.startswith("the recorder cannot become nobody")


def test_unknown_interface_is_named_with_those_there_are() -> None:
    """A typing error is told apart from a missing privilege."""
    config = PacketConfig(interface="eth-none")
    with pytest.raises(CaptureError, match=r"there is no 'eth-none'; expected one of .*lo"):
        RecorderProcess.start(config)
    assert "eth-none" in (capture_available(config) or "")


def test_recording_that_is_switched_off_says_so() -> None:
    """Off by choice is not the same as impossible."""
    reason = capture_available(PacketConfig(enabled=False))
    assert reason is not None
    assert "packet.enabled is false" in reason
