from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.core.errors import InputError
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from packet.config import PacketConfig
from packet.correlate.spans import SpanFlow, link
from packet.decode.columns import SYN, WIRE_ONLY, PacketColumns
from packet.decode.decode import decode
from packet.decode.sampler import flow_hashes
from packet.files.export import ExportReader
from packet.files.pcapng import parse_pcapng
from packet.files.pcapng_writer import NOTE, Carried, comments_of, pcapng
from packet.jobs.packets import PacketJob
from packet.store.writer import Writer
from tests.support.packet.build import CLIENT, SERVER, Packet, client_span, columns, exchange
from tests.support.packet.seed import HeldFrames, Span, frames, insert_request, insert_spans

_MS = NS_PER_MS
_T = (SystemClock().now_ns() // NS_PER_S - 600) * NS_PER_S
_V6 = (("fd88::1", 40_000), ("fd88::2", 8_080))


def _read(data: bytes) -> PacketColumns:
    (group,) = parse_pcapng(data)
    assert group.frames.unread_bytes == 0
    decoded = decode(group.frames)
    assert decoded.undecoded == {}
    return decoded.columns


def _assert_same(found: PacketColumns, wanted: PacketColumns) -> None:
    for field in fields(PacketColumns):
        if field.name not in WIRE_ONLY:
            one, other = getattr(found, field.name), getattr(wanted, field.name)
            assert one.tolist() == other.tolist(), field.name


def _comments(data: bytes) -> Iterator[tuple[int, str]]:
    """Yield (kind of block, comment), by the letter of the draft."""
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        option_at = at + {0x0A0D0D0A: 24, 1: 16}.get(kind, 28)
        if kind == 6:
            (captured,) = struct.unpack_from("<I", data, at + 20)
            option_at += (captured + 3) // 4 * 4
        while option_at + 4 <= at + length - 4:
            code, size = struct.unpack_from("<HH", data, option_at)
            if code == 0:
                break
            if code == 1:
                yield kind, data[option_at + 4 : option_at + 4 + size].decode()
            option_at += 4 + (size + 3) // 4 * 4
        assert struct.unpack_from("<I", data, at + length - 4) == (length,)
        at += length


@given(
    st.lists(
        st.builds(
            Packet,
            ts_ns=st.integers(0, 2**62),
            src=st.sampled_from([CLIENT, SERVER, _V6[0]]),
            dst=st.sampled_from([SERVER, _V6[1]]),
            flags=st.integers(0, 511),
            seq=st.integers(0, 2**32 - 1),
            ack=st.integers(0, 2**32 - 1),
            window=st.integers(0, 65_535),
            payload=st.integers(0, 65_000),
        ).filter(lambda packet: (":" in packet.src[0]) == (":" in packet.dst[0])),
        min_size=1,
        max_size=8,
    )
)
def test_what_is_written_is_read_again(packets: list[Packet]) -> None:
    """Every column of the table, both families, to the nanosecond."""
    written = columns(packets)
    wire_bytes = (written.payload_bytes + 80).astype(np.uint32)
    written = replace(written, wire_bytes=wire_bytes)
    _assert_same(_read(pcapng(written, [""] * len(packets), [], "t")), written)


def test_udp_is_written_too() -> None:
    """The table holds both."""
    one = columns([Packet(_T, payload=300)])
    protocol = np.array([17], np.uint8)
    udp = replace(
        one,
        protocol=protocol,
        tcp_flags=np.zeros(1, np.uint16),
        flow_hash=flow_hashes(one.src, one.dst, one.src_port, one.dst_port, protocol),
        tcp_window=np.zeros(1, np.uint32),
    )
    _assert_same(_read(pcapng(udp, [""], [], "t")), udp)


def test_comments_name_what_a_packet_carried() -> None:
    """The evidence is beside the packet, and what could be two is said to be."""
    packets = columns([Packet(_T), Packet(_T + 10), Packet(_T + 30)])
    flow = int(packets.flow_hash[0])
    links = [
        Carried(flow, _T, _T + 10, "aa", "bb", "d1", "tuple+time", 1.0),
        Carried(flow, _T + 10, _T + 20, "cc", "dd", "", "ports+time", 0.45),
    ]
    data = pcapng(packets, ["", "", ""], links, "packets of d1")
    first = "decision d1 trace aa span bb (tuple+time, confidence 1)"
    second = "trace cc span dd (ports+time, confidence 0.45)"
    assert list(_comments(data)) == [
        (0x0A0D0D0A, "packets of d1"),
        (0x0A0D0D0A, NOTE),
        (6, first),
        (6, f"{first}; {second}"),
    ]


def test_each_host_is_an_interface_of_its_own() -> None:
    """Two recorders' stamps must not be taken for one clock."""
    data = pcapng(columns([Packet(_T), Packet(_T + 1)]), ["web", "app"], [], "t")
    assert [data.count(name) for name in (b"web", b"app")] == [1, 1]
    assert _read(data).ts_ns.tolist() == [_T, _T + 1]


def _one_connection(count: int, apart_ns: int) -> list[list[Packet]]:
    """Return exchanges of two packets each, a millisecond long."""
    return [
        [
            Packet(at_ns, CLIENT, SERVER, seq=1000 + 100 * k, ack=7000 + 100 * k, payload=100),
            Packet(
                at_ns + _MS, SERVER, CLIENT, seq=7000 + 100 * k, ack=1100 + 100 * k, payload=100
            ),
        ]
        for k in range(count)
        for at_ns in [_T + k * apart_ns]
    ]


def _links(exchanges: list[list[Packet]]) -> list[SpanFlow]:
    spans = [
        replace(
            client_span(f"s{k}", request.ts_ns - 1_000, response.ts_ns + 1_000),
            trace_id=f"t{k}",
            decision_id=f"d{k}",
        )
        for k, (request, response) in enumerate(exchanges)
    ]
    return link(spans, columns([packet for exchange in exchanges for packet in exchange]))


def test_neighbours_of_a_decision_are_named_as_well(store: Connections) -> None:
    """The file has what was on the connection around it, and that was of other decisions."""
    exchanges = _one_connection(3, 10 * _MS)
    packets = columns([packet for exchange in exchanges for packet in exchange])
    Writer(store).packets(packets, "sample", "")
    Writer(store).span_flows(_links(exchanges), _T)
    comments = [text for kind, text in _comments(ExportReader(store).export("d1")) if kind == 6]
    named = [text.split(" trace ")[0] for text in comments]
    assert named == [f"decision d{k}" for k in (0, 0, 1, 1, 2, 2)]


def test_packets_of_another_host_are_not_named_by_a_clock_that_is_not_theirs(
    store: Connections,
) -> None:
    """A clock that is off by the distance of two decisions would give each to the other."""
    exchanges = _one_connection(4, 5 * _MS)
    web = [packet for exchange in exchanges for packet in exchange]
    app = [replace(packet, ts_ns=packet.ts_ns + 5 * _MS) for packet in web]
    Writer(store, host="web").packets(columns(web), "sample", "")
    Writer(store, host="app").packets(columns(app), "sample", "")
    Writer(store, host="web").span_flows(_links(exchanges), _T)
    data = ExportReader(store).export("d2")
    assert len(_read(data)) == 16
    comments = [text for kind, text in _comments(data) if kind == 6]
    assert [text.split(" trace ")[0] for text in comments] == [
        f"decision d{k}" for k in range(4) for _ in range(2)
    ]
    assert _hosts_with_comments(data) == {"web"}


def test_links_of_before_name_the_packets_of_any_host() -> None:
    """They do not say whose clock their times are by, and one recorder was all there was."""
    packets = columns([Packet(_T), Packet(_T)])
    links = [
        Carried(int(packets.flow_hash[0]), _T, _T, "aa", "bb", "", "m", 1.0, host)
        for host in ("", "web", "app")
    ]
    found = [comments_of(packets, ["web", ""], [each]) for each in links]
    named = "trace aa span bb (m, confidence 1)"
    assert found == [[named, named], [named, named], ["", named]]


def _hosts_with_comments(data: bytes) -> set[str]:
    """Return the interfaces of the file whose packets say what they carried."""
    hosts, found, at = list[str](), set[str](), 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 1:
            (size,) = struct.unpack_from("<H", data, at + 18)
            hosts.append(data[at + 20 : at + 20 + size].decode())
        if kind == 6 and b"decision" in data[at : at + length]:
            found.add(hosts[struct.unpack_from("<I", data, at + 8)[0]])
        at += length
    return found


@pytest.mark.integration
def test_wireshark_opens_what_is_exported(tmp_path: Path) -> None:
    """Its own dissection: no malformed packet, right lengths, checksums and comments."""
    packets = columns([
        Packet(_T, *_V6, flags=SYN, seq=9),
        Packet(_T + 1_001, CLIENT, SERVER, seq=1, payload=100),
    ])  # fmt: skip
    links = [Carried(int(packets.flow_hash[1]), _T, _T + 5_000, "aa", "bb", "d1", "m", 1.0)]
    path = tmp_path / "out.pcapng"
    path.write_bytes(pcapng(packets, ["", ""], links, "t"))
    fields_wanted = ["frame.time_epoch", "ip.checksum.status", "tcp.len", "ipv6.src",
                     "frame.comment", "_ws.malformed"]  # fmt: skip
    asked = [part for name in fields_wanted for part in ("-e", name)]
    result = subprocess.run(
        ["tshark", "-r", path, "-o", "ip.check_checksum:TRUE", "-T", "fields", "-E",
         "separator=|", *asked],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    seconds, nanoseconds = divmod(_T, NS_PER_S)
    comment = "decision d1 trace aa span bb (m, confidence 1)"
    assert result.stdout.splitlines() == [
        f"{seconds}.{nanoseconds:09d}||0|fd88::1||",
        f"{seconds}.{nanoseconds + 1_001:09d}|1|100||{comment}|",
    ]


def test_incident_is_exported_with_its_decisions(store: Connections) -> None:
    """By its episode, its request, a decision or a trace; and a name without packets says so."""
    held = HeldFrames(frames(exchange(_T + 10 * _MS, _T + 20 * _MS)))
    ports = {"network.local.port": str(CLIENT[1]), "network.peer.port": str(SERVER[1]),
             "network.peer.address": "127.0.0.1"}  # fmt: skip
    root = {"decision.action": "price", "decision.id": "d1"}
    insert_spans(
        store,
        [
            Span("t1", "r1", _T, _T + 30 * _MS, root, "Server"),
            Span("t1", "s1", _T + 9 * _MS, _T + 21 * _MS, ports),
        ],
    )
    insert_request(store, "episode/1", _T - NS_PER_S, _T + NS_PER_S)
    PacketJob(PacketConfig(sample_ratio=0), AttributesConfig(), store, held).run_once(
        _T + 4 * NS_PER_S
    )
    reader = ExportReader(store)
    for name in ("episode", "episode/1", "d1", "t1"):
        data = reader.export(name)
        assert _read(data).ts_ns.tolist() == held.held.ts_ns.tolist(), name
        comments = [text for kind, text in _comments(data) if kind == 6]
        assert comments == ["decision d1 trace t1 span s1 (tuple+time, confidence 1)"] * 3
    with pytest.raises(InputError, match="nobody: no packets were kept for it"):
        reader.export("nobody")
