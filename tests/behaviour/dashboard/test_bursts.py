"""A burst on the wire, and the decisions that it is told of."""

from __future__ import annotations

import dataclasses

from collector.core.times import NS_PER_MS
from collector.store.connect import Connections
from dashboard.read.decision.link_wording import burst_line
from dashboard.read.packet_rows import Burst
from dashboard.read.reader import Reader
from tests.support.dashboard.app import Api
from tests.support.dashboard.fixtures import Run

LINE = (
    "crossed 2 bursts, the fullest of 900 packets at edge: 103% of the link for 500 us, "
    "a queue of 0.800 ms, 75% of it by one of 4 connections"
)


def put_bursts(store: Connections, decision_id: str) -> None:
    """Store two bursts that a decision ran through, and two that it did not."""
    facts = Reader(store).decision(decision_id)
    assert facts is not None
    fullest = Burst(
        start_ns=facts.ingress_ns - NS_PER_MS, end_ns=facts.ingress_ns, host="edge", packets=900,
        wire_bytes=1_200_000, peak_ratio=1.03, queue_bytes=100_000, queue_ns=800_000, flows=4,
        top_share=0.75,
    )  # fmt: skip
    times = {
        "within": (facts.ingress_ns + NS_PER_MS, facts.ingress_ns + 3 * NS_PER_MS),
        "before": (facts.ingress_ns - 5 * NS_PER_MS, facts.ingress_ns - 1),
        "after": (facts.end_ns + 1, facts.end_ns + NS_PER_MS),
    }
    others = [
        dataclasses.replace(
            fullest, host=name, start_ns=start_ns, end_ns=end_ns, packets=300, queue_ns=0
        )
        for name, (start_ns, end_ns) in times.items()
    ]
    rows = [dataclasses.asdict(each) for each in (fullest, *others)]
    store.client().insert(
        "microbursts", [list(row.values()) for row in rows], column_names=list(rows[0])
    )


def test_decision_says_which_bursts_it_crossed(own_world: Connections) -> None:
    """Through the API, and on its page beside what links its packets."""
    put_bursts(own_world, "d-12")
    told = Api(own_world).send("GET", "/api/v1/decisions/d-12").json()["bursts"]
    assert [each["host"] for each in told] == ["edge", "within"]
    found = Reader(own_world).bursts(told[0]["start_ns"], told[0]["end_ns"])
    assert [dataclasses.asdict(each) for each in found if each.host == "edge"] == told[:1]
    assert burst_line([Burst(**each) for each in told]) == LINE
    assert burst_line([]) == ""


def test_trace_says_which_bursts_its_decision_crossed(run: Run, own_world: Connections) -> None:
    """On the terminal, in a line of its own."""
    put_bursts(own_world, "d-12")
    result = run("trace", "d-12")
    assert result.exit_code == 0, result.output
    assert f"wire: {LINE}" in result.stdout
