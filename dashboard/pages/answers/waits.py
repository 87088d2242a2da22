"""Pure: what packets prove of a range, as the Network page says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from collector.core.times import NS_PER_S
from dashboard.pages.parts import Cell, Component, facts_list, table
from dashboard.read.network.rows import Network, Pair, Waited, Wire
from dashboard.read.packet_rows import Burst
from dashboard.read.scope import Scope, format_scope
from dashboard.units import UNKNOWN, count, counted, ms, percent, size, span_of_time, utc_iso

# Parts of a wait: the words, and the columns that are summed.
PARTS: Final = (
    ("the answering service at work", ("think_ns",)),
    ("round trips on the wire", ("rtt_ns",)),
    ("bytes on their way", ("transfer_ns",)),
    ("connecting", ("handshake_ns",)),
    ("sent again after a loss", ("retransmission_ns",)),
    ("a receiver without room", ("zero_window_ns",)),
    ("the machine of the caller", ("host_queue_ns",)),
    ("not explained", ("unexplained_ns",)),
)
_WIRE: Final = ("rtt_ns", "transfer_ns", "handshake_ns", "retransmission_ns", "zero_window_ns")
_ON_THE_WIRE: Final = tuple(name for name, (column, *_) in PARTS if column in _WIRE)
PACKETS: Final = "packets"
_LEAST_NS: Final = 10_000  # less than two digits of milliseconds show
# Under this share of the waits nobody would look at the network first.
_WORTH_A_LOOK: Final = 0.1


def answer_sentence(network: Network, why_off: str) -> str:
    """Return the answer in a sentence: whether the network is to blame.

    Args:
        network: of the range.
        why_off: why no packets are recorded, "" where they are.
    """
    proven = [each for each in network.waited if each.method == PACKETS]
    whole = _sum(proven, ("self_ns",))
    if whole:
        wire = _sum(proven, _WIRE) / whole
        begin = "It is not the network" if wire < _WORTH_A_LOOK else "Look at the network"
        name, share = largest(proven)
        largest_words = "" if name in _ON_THE_WIRE else f", {percent(share)} was {name}"
        on_wire = f"{percent(wire)} was on the wire{largest_words}"
        return f"{begin}: of the waiting that packets show, {on_wire}."
    wire_seen = network.wire
    if network.waited:
        kernel = _sum(network.waited, ("rtt_ns",)) / max(_sum(network.waited, ("self_ns",)), 1)
        return (
            f"By what the kernel knew, at least {percent(kernel)} of the waiting was on the wire; "
            "no packets of these decisions are kept to show the rest."
        )
    if wire_seen.packets:
        return f"On the wire {_losses(wire_seen)}; no wait of a decision is linked to packets here."
    if why_off:
        return f"Nobody can say: no packets are recorded. {why_off[0].upper()}{why_off[1:]}."
    return "Nobody can say: no packet of this range was recorded."


def largest(waited: Sequence[Waited]) -> tuple[str, float]:
    """Return the largest part of the waits, in words, and its share."""
    whole = max(_sum(waited, ("self_ns",)), 1)
    shares = [(name, _sum(waited, columns) / whole) for name, columns in PARTS]
    return max(shares, key=lambda each: each[1])


def waits_table(unordered: Sequence[Waited]) -> Component:
    """Return the parts of the waits, a column a class and source, as ms a decision and share."""
    waited = sorted(unordered, key=lambda each: (each.method != PACKETS, -each.self_ns))
    if not waited:
        return table(
            ("Waited for", "ms a decision"),
            [("nothing is known: no decision of this range is linked to packets", UNKNOWN)],
        )
    headings = ["Waited for", *(f"{each.latency_class}, by {each.method}" for each in waited)]
    rows: list[Sequence[str | Cell]] = []
    for name, columns in PARTS:
        shares = [_sum([each], columns) for each in waited]
        if any(shares):
            rows.append((name, *(_part(each, ns) for each, ns in zip(waited, shares, strict=True))))
    rows.append(("in all", *(Cell(_part(each, each.self_ns), strong=True) for each in waited)))
    rows.append(("decisions, waits", *(f"{count(w.decisions)}, {count(w.spans)}" for w in waited)))
    return table(headings, rows, numeric=range(1, len(headings)))


def pairs_lines(pairs: Sequence[Pair]) -> list[dict[str, object]]:
    """Return one row a client and server, most sent again first."""
    return [
        {
            "id": f"{each.client_address} {each.server_address} {each.server_port}",
            "pair": f"{each.server_address}:{each.server_port}",
            "from": f"from {each.client_address}, {counted(each.connections, 'connection')}",
            "href": _decision(each.decision_id),
            "again": percent(each.retransmissions / each.packets, 2) if each.packets else UNKNOWN,
            "interval": _interval(each.retransmission_low, each.retransmission_high, each.packets),
            "rtt": UNKNOWN if each.rtt_p50_ns is None else ms(each.rtt_p50_ns, 3),
            "rtt_of": _tail(each),
            "connect": UNKNOWN if each.handshake_p50_ns is None else ms(each.handshake_p50_ns, 3),
            "connect_of": f"n {count(each.handshakes)}",
            "closed": count(each.zero_windows),
            "bytes": size(each.wire_bytes),
        }
        for each in pairs
    ]


def bursts_lines(bursts: Sequence[Burst], scope: Scope) -> list[dict[str, object]]:
    """Return one row a burst, the largest queue first, with its decisions."""
    rows: list[dict[str, object]] = []
    for burst in sorted(bursts, key=lambda burst: -burst.queue_ns):
        to_ns = burst.end_ns // NS_PER_S * NS_PER_S + NS_PER_S
        listed = replace(scope, window="2s", until_ns=to_ns, filters=(("sort", "slowest"),))
        rows.append(
            {
                "id": f"{burst.start_ns} {burst.host}",
                "at": utc_iso(scope.zone.wall_ns(burst.start_ns))[11:],
                "host": burst.host or "this host",
                "href": "/decisions" + format_scope(listed),
                "lasts": ms(burst.end_ns - burst.start_ns),
                "peak": f"{burst.peak_ratio * 100:.0f} % of the link",
                "queue": ms(burst.queue_ns),
                "queue_of": size(burst.queue_bytes),
                "flows": counted(burst.flows, "connection"),
                "top": f"{percent(burst.top_share)} by the largest",
            }
        )
    return rows


def wire_facts(wire: Wire) -> Component:
    """Return what recorders saw in all, and how much of it is kept."""
    if not wire.seconds:
        return facts_list([("Packets", UNKNOWN)])
    kept = UNKNOWN
    if wire.seen_bytes:
        kept = f"{percent(wire.kept_bytes / wire.seen_bytes)} of {size(wire.seen_bytes)}"
    again = _interval(wire.retransmission_low, wire.retransmission_high, wire.packets)
    return facts_list(
        [
            ("Packets seen", f"{count(wire.packets)} in {span_of_time(wire.seconds * NS_PER_S)}"),
            ("Sent again", f"{count(wire.retransmissions)} · {again}"),
            ("Windows closed", count(wire.zero_windows)),
            ("Bytes kept", kept),
            ("No room for", size(wire.refused_bytes)),
            ("Hosts that record", count(wire.hosts)),
        ]
    )


def bursts_empty(wire: Wire) -> str:
    """Return why there is no burst, in words."""
    if not wire.seconds:
        return "No packets were recorded in this range, so nobody looked for bursts."
    if not wire.judged_seconds:
        return "Bursts are not looked for: set packet.link_mbit to what the link carries."
    return f"No burst in {span_of_time(wire.judged_seconds * NS_PER_S)} that were looked at."


def missing(network: Network) -> str:
    """Return what the figures lack, in words, "" where nothing."""
    wire, parts = network.wire, []
    if wire.refused_bytes:
        parts.append(f"there was no room for {size(wire.refused_bytes)} of packets")
    outside = sum(each.outside_spans for each in network.waited)
    if outside:
        parts.append(f"{count(outside)} waits disagree with their packets by more than the clocks")
    return "; ".join(parts)


def _losses(wire: Wire) -> str:
    interval = _interval(wire.retransmission_low, wire.retransmission_high, wire.packets)
    share = percent(wire.retransmissions / max(wire.packets, 1), 2)  # as its interval
    return f"{share} of {count(wire.packets)} packets were sent again ({interval})"


def _interval(low: float | None, high: float | None, packets: int) -> str:
    if low is None or high is None or not packets:
        return "no packet"
    return f"95 %: {low * 100:.2f} to {high * 100:.2f} %, n {count(packets)}"


def _part(waited: Waited, ns: int) -> str:
    if not ns:
        # The kernel has figures of round trips and losses alone.
        return "none" if waited.method == PACKETS else "not known"
    share = percent(ns / waited.self_ns) if waited.self_ns else UNKNOWN
    mean_ns = ns / max(waited.decisions, 1)
    answer_sentence = ms(mean_ns, 2) if mean_ns >= _LEAST_NS else f"under {ms(_LEAST_NS, 2)}"
    return f"{answer_sentence} · {share}"


def _tail(pair: Pair) -> str:
    if pair.rtt_p95_ns is None:
        return "no round trip seen"
    return f"p95 {ms(pair.rtt_p95_ns, 3)}, n {count(pair.rtts)}"


def _decision(decision_id: str) -> str:
    return f"/decision?{urlencode({'id': decision_id})}" if decision_id else ""


def _sum(waited: Sequence[Waited], columns: Sequence[str]) -> int:
    return sum(getattr(each, column) for each in waited for column in columns)
