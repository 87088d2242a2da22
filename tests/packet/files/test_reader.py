from __future__ import annotations

import gzip
import os
import random
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collector.core.errors import DecodeError, InputError
from packet.bench.traffic import http_capture
from packet.decode.frames import parse_pcap
from packet.files.analyse import analysed_blocks, flows_of_file
from packet.files.json_lines import packet_lines
from packet.files.reader import CaptureFile, FileReport
from packet.tcp.connections import hops
from tests.support.packet.build import CLIENT, SERVER, Packet, capture_of

_PACKETS = 3000


@pytest.fixture(scope="module")
def http() -> bytes:
    """Return a capture of some dozen connections, at least one of which loses a segment."""
    return http_capture(_PACKETS, seed=5)


def _lines(path: Path, packets_max: int = 1 << 20) -> list[str]:
    return [
        line
        for block, analysis in analysed_blocks(path, FileReport(), packets_max=packets_max)
        for line in packet_lines(block, analysis)
    ]


def _flows(path: Path, packets_max: int = 1 << 20) -> list[dict[str, Any]]:
    return [flow.as_json() for flow in flows_of_file(path, FileReport(), packets_max=packets_max)]


def _without_handshakes(flows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [flow | {"handshake_rtt_ns": None} for flow in flows]


def test_compressed_file_is_the_same_file(tmp_path: Path, http: bytes) -> None:
    """Captures are kept compressed, and Wireshark reads them so."""
    plain, packed = tmp_path / "a.pcap", tmp_path / "a.pcap.gz"
    plain.write_bytes(http)
    packed.write_bytes(gzip.compress(http, 1))
    assert _lines(packed) == _lines(plain)
    assert len(_lines(plain)) >= _PACKETS


@pytest.mark.parametrize("packed", [False, True])
def test_pipe_is_read_as_a_file_is(tmp_path: Path, http: bytes, packed: bool) -> None:
    """It can be read once only, and a capture of more than one block is read twice."""
    plain = tmp_path / "a.pcap"
    plain.write_bytes(http)
    reader, writer = os.pipe()
    with ThreadPoolExecutor() as pool, os.fdopen(writer, "wb") as pipe:
        found = pool.submit(_lines, Path(f"/dev/fd/{reader}"), 400)
        pipe.write(gzip.compress(http, 1) if packed else http)
        pipe.close()
        assert found.result() == _lines(plain, 400)
    os.close(reader)


def test_file_of_many_blocks_gives_what_it_gives_as_one(tmp_path: Path, http: bytes) -> None:
    """Memory has a bound, and connections go on over the end of a block."""
    path = tmp_path / "a.pcapng"
    path.write_bytes(_as_pcapng(http))
    assert sum(1 for _ in CaptureFile(path).blocks(FileReport(), packets_max=400)) > 1
    assert _lines(path, 400) == _lines(path)
    # A handshake that a block's end cuts in two is unknown; all else is joined.
    assert _without_handshakes(_flows(path, 400)) == _without_handshakes(_flows(path))


def _as_pcapng(pcap: bytes) -> bytes:
    """Return the same frames as enhanced packet blocks of two interfaces, in sections."""
    frames = parse_pcap(pcap)

    def block(kind: int, body: bytes) -> bytes:
        body += b"\x00" * (-len(body) % 4)
        size = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + size + body + size

    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    nanoseconds = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)
    interface = block(1, struct.pack("<HHI", 1, 0, 0) + nanoseconds)
    parts = []
    for row in range(len(frames)):
        if row % 150 == 0:
            parts.append(section + interface * 2)
        ts_ns, frame = int(frames.ts_ns[row]), frames.frame(row)
        head = struct.pack("<IIIII", row % 2, ts_ns >> 32, ts_ns & 0xFFFFFFFF, *[len(frame)] * 2)
        parts.append(block(6, head + frame))
    return b"".join(parts)


def test_blocks_of_a_pcapng_are_read_part_by_part(tmp_path: Path, http: bytes) -> None:
    """Sections and interfaces are known from one part to the next."""
    pcap, pcapng = tmp_path / "a.pcap", tmp_path / "a.pcapng"
    pcap.write_bytes(http)
    pcapng.write_bytes(_as_pcapng(http))
    assert _lines(pcapng) == _lines(pcap)


def test_torn_file_is_read_as_far_as_it_goes(tmp_path: Path, http: bytes) -> None:
    """What is missing is counted, whether the file or the compression is cut off."""
    cut, packed = tmp_path / "cut.pcap", tmp_path / "cut.pcap.gz"
    cut.write_bytes(http[:-10])
    report = FileReport()
    (block,) = CaptureFile(cut).blocks(report)
    assert report.unread_bytes > 0
    assert report.frames == len(block.columns) >= _PACKETS - 1
    packed.write_bytes(gzip.compress(http, 1)[:-2000])
    report = FileReport()
    (block,) = CaptureFile(packed).blocks(report)
    assert 0 < report.frames < len(_lines(tmp_path / "cut.pcap"))
    assert len(block.columns) == report.frames


@pytest.mark.parametrize("data", [b"", b"\x1f\x8b", b"\x1f\x8bgarbage", b"text, no capture"])
def test_file_that_is_no_capture_is_refused(tmp_path: Path, data: bytes) -> None:
    """By the first bytes; an empty one too."""
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(DecodeError, match="pcap: begins with"):
        list(CaptureFile(path).blocks(FileReport()))


def test_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """A directory, or nothing at all."""
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match="cannot be read"):
            list(CaptureFile(path).blocks(FileReport()))


def test_capture_without_packets_has_no_flows(tmp_path: Path) -> None:
    """It is a file like any other."""
    path = tmp_path / "empty.pcap"
    path.write_bytes(http_capture(1)[:24])
    assert (_lines(path), _flows(path)) == ([], [])


_MS = 1_000_000
_START = 1_700_000_000_000_000_000


def test_flow_has_the_figures_of_each_direction(tmp_path: Path) -> None:
    """Who sent what, how far away it is, and whether the way there changed."""
    one, two = ("10.0.0.1", 40_000), ("10.0.0.2", 443)
    packets = [
        Packet(0, one, two, flags=2, seq=100),
        Packet(10 * _MS, two, one, flags=18, seq=900, ack=101, ttl=120),
        Packet(11 * _MS, one, two, seq=101, ack=901),
        Packet(20 * _MS, one, two, seq=101, ack=901, payload=500),
        Packet(34 * _MS, two, one, seq=901, ack=601, ttl=119, payload=1000),
        Packet(35 * _MS, one, two, seq=601, ack=1901),
        Packet(300 * _MS, two, one, seq=901, ack=601, ttl=119, payload=1000),
    ]
    path = tmp_path / "one.pcap"
    path.write_bytes(capture_of([replace(p, ts_ns=_START + p.ts_ns) for p in packets]))
    (flow,) = _flows(path)
    assert (flow["client_address"], flow["server_port"], flow["protocol"]) == ("10.0.0.1", 443, 6)
    assert (flow["first_ns"], flow["last_ns"]) == (_START, _START + 300 * _MS)
    assert (flow["packets"], flow["handshake_rtt_ns"]) == (7, 11 * _MS)
    assert (flow["retransmissions"], flow["spurious_retransmissions"]) == (1, 1)
    client, server = flow["from_client"], flow["from_server"]
    assert (client["packets"], client["payload_bytes"], client["wire_bytes"]) == (4, 500, 716)
    assert (client["ttl"], client["hops"], client["path_changes"]) == (64, 0, 0)
    # SYN to SYN-ACK, and the request to the response that acknowledges it.
    assert (client["rtt_count"], client["rtt_min_ns"], client["rtt_max_ns"]) == (
        2,
        10 * _MS,
        14 * _MS,
    )
    assert (client["rtt_mean_ns"], client["jitter_ns"]) == (12 * _MS, 4 * _MS)
    assert (server["retransmissions"], server["packets"]) == (1, 3)
    assert (server["ttl"], server["hops"], server["path_changes"]) == (119, 9, 1)
    assert (server["rtt_count"], server["rtt_mean_ns"], server["jitter_ns"]) == (2, _MS, 0)


@pytest.mark.parametrize("parts", [1, 2])
def test_clock_that_was_set_back_is_told_and_measures_nothing(tmp_path: Path, parts: int) -> None:
    """One step of two seconds gave a mean round trip of less than nothing."""
    one, two = ("10.0.0.1", 40_000), ("10.0.0.2", 443)
    packets = [Packet(0, one, two, seq=100, ack=900, payload=1)]
    for number in range(1, 30):
        at = number * 10 * _MS - (2_000 * _MS if number >= 15 else 0)
        packets.append(Packet(at, two, one, seq=900, ack=100 + number))
        packets.append(Packet(at, one, two, seq=100 + number, ack=900, payload=1))
    path = tmp_path / "one.pcap"
    path.write_bytes(capture_of([replace(p, ts_ns=_START + p.ts_ns) for p in packets]))
    (flow,) = _flows(path, len(packets) // parts + 1)
    client = flow["from_client"]
    assert (client["clock_steps"], flow["from_server"]["clock_steps"]) == (1, 0)
    assert (client["rtt_count"], client["rtt_min_ns"], client["rtt_max_ns"]) == (
        28, 10 * _MS, 10 * _MS,
    )  # fmt: skip
    assert (client["rtt_mean_ns"], client["jitter_ns"]) == (10 * _MS, 0)


def test_handshake_over_which_the_clock_was_set_back_has_no_round_trip(tmp_path: Path) -> None:
    """Unknown, and not less than nothing."""
    opened = [Packet(10, flags=2), Packet(20, SERVER, CLIENT, flags=18, ack=1), Packet(5, ack=1)]
    path = tmp_path / "one.pcap"
    path.write_bytes(capture_of([replace(p, ts_ns=_START + p.ts_ns) for p in opened]))
    (flow,) = _flows(path)
    assert flow["handshake_rtt_ns"] is None


def test_direction_without_a_round_trip_has_none(tmp_path: Path) -> None:
    """Unknown is null, never zero; and the lower port listens where no handshake was seen."""
    path = tmp_path / "one.pcap"
    path.write_bytes(capture_of([Packet(_START, ("10.0.0.9", 443), ("10.0.0.8", 50_000))]))
    (flow,) = _flows(path)
    assert (flow["client_port"], flow["server_port"]) == (50_000, 443)
    assert flow["handshake_rtt_ns"] is None
    for direction in ("from_client", "from_server"):
        for name in ("rtt_min_ns", "rtt_mean_ns", "rtt_max_ns", "jitter_ns"):
            assert flow[direction][name] is None
    assert (flow["from_client"]["ttl"], flow["from_client"]["hops"]) == (None, None)


def test_hops_are_counted_from_the_next_usual_ttl() -> None:
    """64, 128 and 255 are what senders begin with."""
    assert [hops(ttl) for ttl in (64, 50, 65, 128, 129, 255, 1, 0)] == [
        0,
        14,
        63,
        0,
        126,
        0,
        63,
        64,
    ]


def test_ports_used_again_are_another_flow(tmp_path: Path) -> None:
    """A busy client takes the same port again within a minute."""
    first = [Packet(0, flags=2, seq=5), Packet(1, SERVER, CLIENT, flags=18, seq=9, ack=6)]
    again = [Packet(5 * _MS, flags=2, seq=5_000)]
    path = tmp_path / "one.pcap"
    path.write_bytes(capture_of([replace(p, ts_ns=_START + p.ts_ns) for p in first + again]))
    assert [flow["packets"] for flow in _flows(path)] == [2, 1]
    assert [flow["client_port"] for flow in _flows(path)] == [CLIENT[1], CLIENT[1]]


def test_lost_segments_of_the_traffic_are_all_found(tmp_path: Path) -> None:
    """The traffic that the benchmark measures with has events in it, as many as were put there."""
    path = tmp_path / "http.pcap"
    path.write_bytes(http_capture(30_000, seed=3))
    flows = _flows(path)
    lossy = [flow for flow in flows if flow["retransmissions"]]
    assert len(lossy) >= 3
    for flow in lossy:
        assert flow["from_server"]["lost_segments"] == 1
        assert flow["from_client"]["duplicate_acks"] == 6
        assert (flow["retransmissions"], flow["fast_retransmissions"]) == (1, 1)
    quiet = [flow for flow in flows if not flow["retransmissions"]]
    assert all(flow["duplicate_acks"] == flow["lost_segments"] == 0 for flow in quiet)


def test_mutated_captures_are_read_or_refused(tmp_path: Path, http: bytes) -> None:
    """Bit errors, lengths that lie and cuts: every frame is a packet or counted, none raises."""
    dice = random.Random(20_261_125)
    path = tmp_path / "mutant"
    small = http[:40_000]
    for number in range(120):
        mutant = bytearray(_as_pcapng(small) if number % 3 == 0 else small)
        for _ in range(dice.choice((1, 5, 50))):
            at = dice.randrange(24, len(mutant) - 4)
            mutant[at : at + 4] = dice.choice(
                (bytes([mutant[at] ^ 1 << dice.randrange(8)]) + mutant[at + 1 : at + 4],
                 b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", dice.randbytes(4))
            )  # fmt: skip
        path.write_bytes(mutant[: dice.randrange(30, len(mutant))] if number % 4 == 0 else mutant)
        report, seen = FileReport(), 0
        try:
            for block, analysis in analysed_blocks(path, report):
                seen += len(block.columns)
                assert len(analysis.events) == len(block.columns)
        except DecodeError:
            continue
        assert seen + sum(report.left_out.values()) == report.frames
        assert sum(flow["packets"] for flow in _flows(path)) == seen


def test_numbers_are_those_of_all_frames(tmp_path: Path) -> None:
    """As Wireshark counts them: frames that are no TCP have numbers too."""
    path = tmp_path / "one.pcap"
    data = capture_of([Packet(_START + row, seq=row) for row in range(4)])
    arp = bytearray(data)
    size = (len(data) - 24) // 4
    arp[24 + size + 16 + 12 : 24 + size + 16 + 14] = b"\x08\x06"
    path.write_bytes(arp)
    (block,) = CaptureFile(path).blocks(FileReport())
    assert block.numbers.tolist() == [1, 3, 4]
    assert np.array_equal(block.columns.tcp_seq, [0, 2, 3])
