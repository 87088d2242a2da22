"""I/O: `millworth bench reconstruction`, its second part: what is printed against what is kept.

Incidents of every sort (`packet.bench.worlds`) in simulated time, through the real job and the real
store: for each sort the probability that was printed, and the share of the incidents of which every
packet of every call is among those that were kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from collector.bench.harness import Progress, own_database, own_directory
from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.core.intervals import wilson
from collector.core.times import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from packet.bench.worlds import (
    SERVER_PORT,
    SORTS,
    Call,
    Incident,
    SimulatedRecorder,
    Sort,
    incident,
)
from packet.config import PacketConfig
from packet.jobs.packets import PacketJob

EACH: Final = 24  # incidents of a sort, so that all are more than 200
SEED: Final = 20261126
_APART_NS: Final = 2 * NS_PER_MINUTE  # incidents
_RUN_NS: Final = 5 * NS_PER_S  # between two runs of the job
_STORED_NS: Final = NS_PER_S  # spans are stored so long after they ended
# Ten seconds after the end of what was asked for, and some runs; a dead recorder takes a few more.
_JUDGED_NS: Final = 24 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was said of one incident, and what was so."""

    has_row: bool
    printed: float
    is_whole: bool
    rebuilt: int  # requests, as printed
    whole: int  # requests, as kept


def run_sorts(runs: int, progress: Progress, count: int = EACH) -> dict[str, float]:
    """Return by sort the mean of what was printed, the share that is whole, and what is worst.

    `runs` changes nothing: the incidents are the sample.
    """
    figures: dict[str, float] = {}
    outside, worst, overstated = 0, 0.0, 0
    with own_directory() as scratch:
        for name, sort in SORTS.items():
            outcome_list = list(outcomes(f"chdb://{scratch}/store", name, sort, count))
            printed = sum(outcome.printed for outcome in outcome_list) / count
            share = sum(outcome.is_whole for outcome in outcome_list) / count
            low, high = wilson(share * count, count)
            outside += not low <= printed <= high
            worst = max(worst, printed - share)
            overstated = max(
                overstated, *(outcome.rebuilt - outcome.whole for outcome in outcome_list)
            )
            figures[f"{name}_printed"] = printed
            figures[f"{name}_whole"] = share
            figures[f"{name}_rows"] = sum(outcome.has_row for outcome in outcome_list) / count
            figures[f"{name}_requests_printed"] = sum(outcome.rebuilt for outcome in outcome_list)
            figures[f"{name}_requests_whole"] = sum(outcome.whole for outcome in outcome_list)
            figures[f"{name}_requests_overstated"] = max(
                outcome.rebuilt - outcome.whole for outcome in outcome_list
            )
            progress(f"{name}: printed {printed:.3f}, whole {share:.3f} ({low:.2f} to {high:.2f})")
    figures["sorts_incidents"] = count * len(SORTS)
    figures["sorts_outside_interval"] = outside
    figures["sorts_worst_overstated"] = worst
    figures["sorts_requests_overstated"] = overstated
    return figures


def outcomes(url: str, name: str, sort: Sort, count: int) -> Iterator[Outcome]:
    """Yield what becomes of incidents of one sort, through a store of their own."""
    with own_database(url, f"bench_{name}") as store:
        # What the store keeps expires by the machine's own clock.
        begin_ns = SystemClock().now_ns() - (count + 1) * _APART_NS
        recorder = SimulatedRecorder(sort, begin_ns - NS_PER_HOUR)
        config = PacketConfig(
            sample_ratio=0.0,
            trace_ratio=0.0,
            triggers_per_hour_max=0,
            capture_flows_max=sort.flows_max,
            window_s=sort.window_s,
        )
        job = PacketJob(config, AttributesConfig(), store, recorder, revive=recorder.revive)
        job.run_once(begin_ns - _APART_NS // 2)
        for number in range(count):
            happened = incident(sort, SEED + number, begin_ns + number * _APART_NS)
            yield _outcome(store, job, recorder, sort, happened, f"{name}-{number}")


def _outcome(
    store: Connections,
    job: PacketJob,
    recorder: SimulatedRecorder,
    sort: Sort,
    happened: Incident,
    name: str,
) -> Outcome:
    recorder.hear(happened)
    rows = [_roots(happened.touched, name), _calls(happened.touched), _calls(happened.others)]
    store.client().insert_arrow("otel_traces_in", pa.concat_tables(rows))
    now_ns, is_asked, is_killed = happened.from_ns, False, not sort.is_killed
    while now_ns < happened.asked_ns + _JUDGED_NS:
        now_ns += _RUN_NS
        recorder.now_ns = now_ns
        if not is_asked and now_ns >= happened.asked_ns:
            is_asked = True
            store.client().insert(
                "capture_requests",
                [[name, happened.asked_ns, happened.from_ns, happened.to_ns, "", name]],
                column_names=["trigger_id", "at_ns", "from_ns", "to_ns", "action", "region"],
            )
        if not is_killed and now_ns >= happened.killed_ns:
            is_killed = True
            recorder.end()
        # What is not stored yet is not there for the job either.
        job.run_once(now_ns, now_ns - _STORED_NS)
    return _judged(store, happened, name)


def _judged(store: Connections, happened: Incident, name: str) -> Outcome:
    reports = (
        store.client()
        .query(
            "SELECT probability, rebuilt FROM reconstructions FINAL "
            "WHERE trigger_id = {name:String}",
            parameters={"name": name},
        )
        .result_rows
    )
    kept = {
        (int(ts_ns), int(src), int(dst))
        for ts_ns, src, dst in store.client()
        .query(
            "SELECT ts_ns, src_port, dst_port FROM packets FINAL "
            "WHERE ts_ns >= {from_ns:UInt64} AND ts_ns <= {to_ns:UInt64}",
            parameters={"from_ns": happened.from_ns, "to_ns": happened.to_ns + NS_PER_S},
        )
        .result_rows
    }
    missing = {
        call.trace_id
        for call in happened.touched
        for ts_ns, port, is_answer in call.packets()
        if (ts_ns, *((SERVER_PORT, port) if is_answer else (port, SERVER_PORT))) not in kept
    }
    requests = len({call.trace_id for call in happened.touched})
    return Outcome(
        has_row=bool(reports),
        printed=float(reports[0][0]) if reports else 0.0,
        is_whole=not missing,
        rebuilt=int(reports[0][1]) if reports else 0,
        whole=requests - len(missing),
    )


def _roots(calls: Sequence[Call], region: str) -> pa.Table:
    first = {call.trace_id: call for call in sorted(calls, key=lambda call: -call.at_ns)}
    last_ns = {
        call.trace_id: call.span_ns[1] for call in sorted(calls, key=lambda call: call.at_ns)
    }
    return _table(
        [
            (trace, f"f{call.span_id[1:]}", call.span_ns[0] - 1_000, last_ns[trace] + 1_000,
             "Server", {"decision.action": "price", "decision.region": region})
            for trace, call in first.items()
        ]
    )  # fmt: skip


def _calls(calls: Sequence[Call]) -> pa.Table:
    rows = []
    for call in calls:
        names = {
            "network.local.port": str(call.port),
            "network.peer.port": str(SERVER_PORT),
            "network.peer.address": "127.0.0.1",
        }
        if call.named:
            del names["network.local.port"]
        if call.named == "all":
            names.clear()
        rows.append((call.trace_id, call.span_id, *call.span_ns, "Client", names))
    return _table(rows)


def _table(rows: Sequence[tuple[str, str, int, int, str, Mapping[str, str]]]) -> pa.Table:
    texts = pa.map_(pa.string(), pa.string())
    count = len(rows)
    return pa.table(
        {
            "Timestamp": pa.array([row[2] for row in rows], pa.timestamp("ns")),
            "TraceId": [row[0] for row in rows],
            "SpanId": [row[1] for row in rows],
            "ResourceAttributes": pa.array([[] for _ in rows], texts),
            "SpanName": ["exchange"] * count,
            "SpanKind": [row[4] for row in rows],
            "ServiceName": ["shop"] * count,
            "SpanAttributes": pa.array([list(row[5].items()) for row in rows], texts),
            "Duration": pa.array([row[3] - row[2] for row in rows], pa.uint64()),
            "StatusCode": ["Unset"] * count,
            "received_ns": pa.array([row[3] + _STORED_NS for row in rows], pa.uint64()),
        }
    )
