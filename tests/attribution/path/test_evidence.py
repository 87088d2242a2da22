from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from attribution.jobs.evidence import EvidenceJob
from attribution.path.evidence import (
    OUTSIDE_SPAN,
    PARTLY_ON_PATH,
    SHARED,
    Connection,
    Evidence,
    Waited,
    finding,
    split_by_connection,
    split_by_evidence,
)
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.stored import (
    BASE_NS,
    MS,
    Stored,
    decision,
    put_spans,
    rows,
    span_id,
    tcp_attributes,
    trace_id,
)

KINDS = ("host", "handshake", "send", "answer", "receive", "retransmission", "zero_window")


def waited(*pieces: tuple[str, int], rtt: int | None = 5, exchanges: int = 1) -> Waited:
    """Return stretches from 0, each as (kind, end)."""
    return Waited(0, [kind for kind, _ in pieces], [end for _, end in pieces], exchanges, rtt, 0)


WHOLE = waited(
    ("host", 10), ("handshake", 16), ("send", 20), ("retransmission", 60), ("answer", 90),
    ("zero_window", 94), ("receive", 97), ("host", 100),
)  # fmt: skip


def test_store_call_is_wire_and_store_at_work() -> None:
    """Of 30 ns of answer one round trip is the wire's, the rest the store's."""
    assert split_by_evidence([(0, 100)], WHOLE, "store") == Evidence(
        rtt_ns=5, handshake_ns=6, transfer_ns=7, retransmission_ns=40, zero_window_ns=4,
        host_queue_ns=13, think_ns=25,
    )  # fmt: skip


def test_network_time_is_what_the_callee_does_not_cover() -> None:
    """The callee's span took 65 to 85 off the path: ten of the answer are left, five explained."""
    got = split_by_evidence([(0, 65), (85, 100)], WHOLE, "network")
    assert (got.rtt_ns, got.unexplained_ns, got.think_ns) == (5, 5, 0)
    assert got.total_ns == 80


def test_unknown_round_trip_explains_nothing() -> None:
    """Unknown is not zero: the answer is unexplained, not a fast wire."""
    got = split_by_evidence([(0, 100)], waited(("answer", 100), rtt=None), "network")
    assert (got.rtt_ns, got.unexplained_ns) == (0, 100)


def test_packets_outside_their_span_are_a_finding_beyond_the_clock_bound() -> None:
    """Within the bound the clocks may explain it."""
    odd = Waited(0, ["host"], [10], 1, None, outside_ns=400)
    assert [finding(odd, bound) for bound in (None, 399, 400)] == [OUTSIDE_SPAN, OUTSIDE_SPAN, ""]


@given(
    cuts=st.lists(st.integers(0, 200), min_size=1, max_size=8),
    kinds=st.lists(st.sampled_from(KINDS), min_size=9, max_size=9),
    edges=st.lists(st.integers(-20, 220), min_size=2, max_size=8, unique=True),
    rtt=st.one_of(st.none(), st.integers(0, 300)),
    latency_class=st.sampled_from(["network", "store"]),
)
def test_parts_sum_to_the_self_time_whatever_the_packets_show(
    cuts: list[int], kinds: list[str], edges: list[int], rtt: int | None, latency_class: str
) -> None:
    """Clipped, shifted or cut short: no nanosecond is lost, and none is negative."""
    ends = sorted(cuts)
    told = Waited(0, kinds[: len(ends)], ends, 2, rtt, 0)
    ordered = sorted(edges)
    sections = list(zip(ordered[::2], ordered[1::2], strict=False))
    got = split_by_evidence(sections, told, latency_class)
    assert got.total_ns == sum(end - begin for begin, end in sections)
    assert min(got.rtt_ns, got.host_queue_ns, got.think_ns, got.unexplained_ns) >= 0


def put_wire_time(store: Connections, name: str, linked_s: float = 5.0) -> None:
    """Store what the span `name` of decision a, from 10 to 30 ms, waited for."""
    begin = BASE_NS + 10 * MS
    store.client().insert(
        "wire_times",
        [[
            trace_id("a"), span_id(name), trace_id("a"), begin, begin + 20 * MS, 1, MS,
            ["host", "answer", "host"], [begin + 2 * MS, begin + 17 * MS, begin + 20 * MS],
            3 * MS, 1.0, BASE_NS + round(linked_s * NS_PER_S),
        ]],
        column_names=[
            "trace_id", "span_id", "decision_id", "start_ns", "end_ns", "exchanges", "rtt_ns",
            "kinds", "ends_ns", "outside_ns", "confidence", "linked_ns",
        ],
    )  # fmt: skip


def test_evidence_follows_packets_and_late_spans(store: Connections) -> None:
    """Stored once; a run more changes nothing; a span that comes late gives other parts."""
    put_spans(store, decision())
    attribution = AttributionJob(AttributionConfig(), AttributesConfig(), store)
    attribution.drain(BASE_NS + 4 * NS_PER_S)
    job = EvidenceJob(store)
    assert job.run_once(BASE_NS + 4 * NS_PER_S).spans == 0
    put_wire_time(store, "get")
    assert job.run_once(BASE_NS + 6 * NS_PER_S) == job.run_once(BASE_NS + 7 * NS_PER_S)

    asked = "SELECT * EXCEPT (computed_ns) FROM path_evidence FINAL"
    (row,) = rows(store, asked)
    assert (row["decision_id"], row["span_id"], row["class"]) == (
        trace_id("a"), span_id("get"), "store",
    )  # fmt: skip
    assert (row["self_ns"], row["host_queue_ns"], row["rtt_ns"], row["think_ns"]) == (
        20 * MS, 5 * MS, MS, 14 * MS,
    )  # fmt: skip
    assert (row["finding"], row["outside_ns"], row["revision"]) == ("outside_span", 3 * MS, 1)

    put_spans(store, [Stored("late", "get", 10, 15, "Internal", received_s=60)])
    attribution.drain(BASE_NS + 70 * NS_PER_S)
    assert job.run_once(BASE_NS + 71 * NS_PER_S).spans == 1
    (row,) = rows(store, asked)
    assert (row["revision"], row["self_ns"], row["think_ns"]) == (2, 5 * MS, MS)


def test_only_time_on_the_critical_path_is_split(store: Connections) -> None:
    """A call that nobody waited for explains nothing."""
    put_spans(store, [Stored("root", "", 0, 100, "Server", attributes={"decision.action": "x"}),
                      Stored("post", "root", 10, 20, "Client"),
                      Stored("beside", "root", 5, 90, "Client")])  # fmt: skip
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(BASE_NS + 4 * NS_PER_S)
    put_wire_time(store, "post")
    assert EvidenceJob(store).run_once(BASE_NS + 6 * NS_PER_S).spans == 0


def connection(
    min_rtt: int = 5,
    rto: int | None = 30,
    retransmits: int | None = 0,
    segments_out: int | None = 1,
    *,
    is_shared: bool = False,
) -> Connection:
    """Return the connection of a span from 0 to 100 ms; times are in ms."""
    rto_ns = None if rto is None else rto * MS
    return Connection(0, 100 * MS, min_rtt * MS, rto_ns, retransmits, segments_out, is_shared)


@pytest.mark.parametrize(
    ("told", "rtt", "retransmission", "limit"),
    [
        pytest.param(connection(), 5, 0, "", id="one round trip, and no more is known"),
        pytest.param(connection(retransmits=1, segments_out=2), 5, 20, "", id="the timer ran once"),
        pytest.param(
            connection(retransmits=2, segments_out=3), 5, 40, "", id="after a probe the timer"
        ),
        pytest.param(
            connection(rto=90, retransmits=3, segments_out=4), 5, 95, "", id="and twice as long"
        ),
        pytest.param(connection(retransmits=9, segments_out=10), 5, 95, "", id="within the span"),
        pytest.param(
            connection(retransmits=1, segments_out=5), 5, 10, "", id="of several, mended sooner"
        ),
        pytest.param(
            connection(rto=None, retransmits=1, segments_out=2), 5, 10, "", id="a new connection"
        ),
        pytest.param(connection(retransmits=None), 5, 0, "", id="unknown is not one"),
        pytest.param(
            connection(retransmits=1, segments_out=2, is_shared=True), 5, 0, SHARED, id="shared"
        ),
        pytest.param(connection(min_rtt=500), 100, 0, "", id="never more than the span"),
    ],
)
def test_a_kernel_shows_the_least(
    told: Connection, rtt: int, retransmission: int, limit: str
) -> None:
    """It says how often and not when: what else may be is unexplained, and no store at work."""
    left = 100 - rtt - retransmission
    expected = Evidence(
        rtt_ns=rtt * MS, retransmission_ns=retransmission * MS, unexplained_ns=left * MS
    )
    assert split_by_connection([(0, 100 * MS)], told) == (expected, limit)


def test_a_path_that_covers_a_part_of_the_span_places_nothing() -> None:
    """The round trip may lie where nobody waited; the callee's own span does not count."""
    assert split_by_connection([(0, 60 * MS)], connection()) == (
        Evidence(unexplained_ns=60 * MS), PARTLY_ON_PATH,
    )  # fmt: skip
    assert split_by_connection([(0, 20 * MS), (70 * MS, 100 * MS)], connection()) == (
        Evidence(rtt_ns=5 * MS, unexplained_ns=45 * MS), "",
    )  # fmt: skip


@given(
    edges=st.lists(st.integers(0, 10**6), min_size=2, max_size=8).map(sorted),
    told=st.builds(
        Connection,
        start_ns=st.integers(0, 10),
        end_ns=st.integers(11, 10**6),
        min_rtt_ns=st.integers(0, 2**63),
        rto_ns=st.none() | st.integers(0, 2**63),
        retransmits=st.none() | st.integers(0, 2**40),
        segments_out=st.none() | st.integers(0, 2**40),
        is_shared=st.booleans(),
    ),
)
def test_parts_sum_to_the_self_time_whatever_the_kernel_shows(
    edges: list[int], told: Connection
) -> None:
    """Figures come over the wire: no nanosecond is lost, and none is negative."""
    sections = list(zip(edges[::2], edges[1::2], strict=False))
    got, _ = split_by_connection(sections, told)
    assert got.total_ns == sum(end - begin for begin, end in sections)
    assert min(got.rtt_ns, got.retransmission_ns, got.unexplained_ns) >= 0


def kernel_rows(store: Connections) -> list[tuple[object, ...]]:
    """Return method, round trips, retransmissions, the rest and the limit of each span."""
    found = rows(store, "SELECT * FROM path_evidence FINAL ORDER BY span_id")
    names = ("method", "rtt_ns", "retransmission_ns", "unexplained_ns", "finding", "revision")
    return [tuple(row[name] for name in names) for row in found]


def told_by_the_kernel(**said: Any) -> list[Stored]:  # noqa: ANN401  as `tcp_attributes`
    """Return a decision whose call to a store, from 10 to 40 ms, says how its connection was."""
    return [
        Stored("root", "", 0, 100, "Server", attributes={"decision.action": "x"}),
        Stored(
            "get", "root", 10, 30, "Client",
            attributes={"db.system": "redis", **tcp_attributes(**said)},
        ),
    ]  # fmt: skip


def test_a_span_without_packets_is_split_by_the_kernel(store: Connections) -> None:
    """Once, after its decision is attributed; packets that come later take its place."""
    put_spans(store, told_by_the_kernel(min_rtt_ms=4, retransmits=1, segments_out=2, rto_ms=22))
    job = EvidenceJob(store)
    assert job.run_once(BASE_NS + 3 * NS_PER_S).by_tcp_info == 0  # not attributed yet
    attribution = AttributionJob(AttributionConfig(), AttributesConfig(), store)
    attribution.drain(BASE_NS + 4 * NS_PER_S)

    assert job.run_once(BASE_NS + 5 * NS_PER_S).by_tcp_info == 1
    assert job.run_once(BASE_NS + 6 * NS_PER_S).by_tcp_info == 0
    assert kernel_rows(store) == [("tcp_info", 4 * MS, 12 * MS, 14 * MS, "", 1)]

    put_wire_time(store, "get", linked_s=7)
    assert job.run_once(BASE_NS + 8 * NS_PER_S).spans == 1
    assert [row[0] for row in kernel_rows(store)] == ["packets"]


def test_packets_that_were_there_first_stay(store: Connections) -> None:
    """The weaker evidence never hides the stronger."""
    put_spans(store, told_by_the_kernel())
    put_wire_time(store, "get", linked_s=1)
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(BASE_NS + 4 * NS_PER_S)

    report = EvidenceJob(store).run_once(BASE_NS + 5 * NS_PER_S)

    assert (report.spans, report.by_tcp_info) == (1, 0)
    assert [row[0] for row in kernel_rows(store)] == ["packets"]


def test_a_late_span_changes_what_the_kernel_explains(store: Connections) -> None:
    """The self time is another one, so its parts are too."""
    put_spans(store, told_by_the_kernel(is_shared=True, retransmits=1))
    attribution = AttributionJob(AttributionConfig(), AttributesConfig(), store)
    attribution.drain(BASE_NS + 4 * NS_PER_S)
    job = EvidenceJob(store)
    job.run_once(BASE_NS + 5 * NS_PER_S)
    assert kernel_rows(store) == [("tcp_info", 4 * MS, 0, 26 * MS, "shared_connection", 1)]

    put_spans(store, [Stored("late", "get", 12, 22, "Internal", received_s=60)])
    attribution.drain(BASE_NS + 70 * NS_PER_S)
    job.run_once(BASE_NS + 71 * NS_PER_S)

    assert kernel_rows(store) == [("tcp_info", 4 * MS, 0, 4 * MS, "shared_connection", 2)]


def test_decisions_of_last_week_are_split_too(store: Connections) -> None:
    """They are imported, and found by their arrival."""
    attribution = AttributionJob(AttributionConfig(), AttributesConfig(), store)
    job = EvidenceJob(store)
    put_spans(store, decision())
    attribution.drain(BASE_NS + 4 * NS_PER_S)
    job.run_once(BASE_NS + 5 * NS_PER_S)
    week_s = 7 * 86_400
    put_spans(
        store,
        [replace(each, received_s=week_s) for each in told_by_the_kernel()],
    )
    attribution.drain(BASE_NS + (week_s + 10) * NS_PER_S)

    assert job.run_once(BASE_NS + (week_s + 11) * NS_PER_S).by_tcp_info == 1
