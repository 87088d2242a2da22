from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from collector.provenance.event import MacKey, event_of
from collector.provenance.keyring import CheckpointKey, KeyRing, public_of
from collector.provenance.records import checkpoint_of
from collector.provenance.verify import Verdict, Verifier
from dashboard.reference.launch import ReferencePath, ReferencePathError, TrafficSummary
from dashboard.reference.scenario import BASE_MS, FaultWindow, Scenario
from dashboard.reference.world import World
from tests.support.dashboard.sink import Sink, StoredSpan
from tests.support.service import ended_within

pytestmark = [pytest.mark.integration, pytest.mark.alone]

ROOT = Path(__file__).parents[3]
MS = 1_000_000
DECISIONS = 100
# One fault a region, so that each is told from the others in one run.
ADDED_MS = 60.0
FAULTS = {
    "eu-west": "decision/store",
    "us-east": "egress/network",
    "ap-south": "transform/compute",
}
SCENARIO = Scenario(
    seed=11,
    rate_per_s=10.0,  # that a machine with other work has time for
    faults=tuple(
        FaultWindow(0.0, 3600.0, region, segment, ADDED_MS) for region, segment in FAULTS.items()
    ),
)
SPANS = {
    ("decision-path", "decide offer"): None,
    ("decision-path", "validate_request"): "ingress",
    ("decision-path", "HGETALL"): "transform",
    ("decision-path", "resolve_identity"): "transform",
    ("decision-path", "MGET"): "decision",
    ("decision-path", "price_offer"): "decision",
    ("decision-path", "POST"): "egress",
    ("fulfilment", "POST /fulfil"): "egress",
}
PRIVATE = bytes(range(32))
SEAL = {
    "mac_kid": "chain",
    "mac_secret": bytes(range(1, 33)).hex(),
    "sign_kid": "audit",
    "sign_private": PRIVATE.hex(),
}
Trace = dict[str, StoredSpan]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the path, after everything was flushed."""

    summary: TrafficSummary
    outcomes: list[dict[str, object]]
    traces: dict[str, list[StoredSpan]]
    ports: tuple[int, ...]
    checkpoints: list[dict[str, str]]

    def by_name(self) -> Iterator[tuple[str, Trace]]:
        """Yield the region and the spans by name of each decision."""
        for spans in self.traces.values():
            trace = {span.name: span for span in spans}
            yield str(trace["decide offer"].attributes["decision.region"]), trace


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Drive the path until enough decisions arrived, then stop it in order."""
    path = ReferencePath()
    with Sink() as sink:
        try:
            path.start(SCENARIO, otlp_endpoint=sink.endpoint, seal=SEAL)
            ports = path.ports
            path.start_traffic()
            sink.wait_for_roots(DECISIONS)
            summary = path.stop_traffic()
        finally:
            path.stop()
        traces: dict[str, list[StoredSpan]] = defaultdict(list)
        for span in sink.spans:
            traces[span.trace_id].append(span)
        yield Run(summary, sink.outcomes, traces, ports, sink.checkpoints)


def injected_ns(trace: Trace) -> dict[str, int]:
    """Return the time of each segment that the spans of one decision show."""
    return {
        "ingress/compute": trace["validate_request"].duration_ns,
        "transform/store": trace["HGETALL"].duration_ns,
        "transform/compute": trace["resolve_identity"].duration_ns,
        "decision/store": trace["MGET"].duration_ns,
        "decision/compute": trace["price_offer"].duration_ns,
        "egress/network": trace["POST"].duration_ns - trace["POST /fulfil"].duration_ns,
        "egress/compute": trace["POST /fulfil"].duration_ns,
    }


def test_every_decision_is_whole(run: Run) -> None:
    """No span is lost at the end of a run, and each carries its stage."""
    assert run.summary.errors == 0
    assert len(run.traces) == run.summary.sent == run.summary.ok >= DECISIONS
    for spans in run.traces.values():
        assert {
            (span.service, span.name): span.attributes.get("decision.stage") for span in spans
        } == SPANS


def test_every_decision_is_sealed_to_the_last(run: Run) -> None:
    """A verifier that has the keys and what was sent finds nothing, and nothing is unproven."""
    macs = {"chain": MacKey("chain", bytes(range(1, 33)))}
    ring = KeyRing(macs, {"audit": CheckpointKey("audit", public_of(PRIVATE))})
    roots = [trace["decide offer"] for _, trace in run.by_name()]
    verifier = Verifier(ring.macs, ring.check, arrival=True)
    verifier.take(
        event_of(
            {
                **{name: str(value) for name, value in root.attributes.items()},
                "trace_id": root.trace_id,
                "span_id": root.span_id,
                "start_ns": str(root.start_ns),
                "end_ns": str(root.end_ns),
                "status": "Unset",
            }
        )
        for root in roots
    )
    for checkpoint in run.checkpoints:
        verifier.take_checkpoint(checkpoint_of(checkpoint))
    report = verifier.finish()
    assert report.findings == ()
    assert report.verdicts == {Verdict.OK: len(roots)}
    assert (report.unproven, report.open_chains) == (0, 0)


def test_spans_of_both_services_form_one_tree(run: Run) -> None:
    """Stock instrumentation hangs under the decision and carries it to the next service."""
    for _, trace in run.by_name():
        root = trace["decide offer"]
        assert root.parent_span_id == ""
        parents = {name: span.parent_span_id for name, span in trace.items() if span is not root}
        assert parents.pop("POST /fulfil") == trace["POST"].span_id
        assert set(parents.values()) == {root.span_id}


def test_stamps_are_in_order_inside_the_root(run: Run) -> None:
    """A section of the critical path is cut at each of them."""
    for _, trace in run.by_name():
        root = trace["decide offer"]
        stamps = [
            int(root.attributes[f"decision.ts.{stage}"])
            for stage in ("ingress", "transform", "decision", "egress")
        ]
        assert [root.start_ns, *stamps[1:], root.end_ns] == sorted([*stamps, root.end_ns])


def test_injected_delay_shows_in_its_segment(run: Run) -> None:
    """The truth of the scenario is on the wire: never less anywhere, and more only where it is.

    A busy machine adds time to any span, so that the least of each segment is compared.
    """
    least_ns: dict[tuple[str, str], int] = {}
    for region, trace in run.by_name():
        for segment, taken_ns in injected_ns(trace).items():
            assert taken_ns >= SCENARIO.delay_ns(segment, region, 1.0)
            key = (region, segment)
            least_ns[key] = min(taken_ns, least_ns.get(key, taken_ns))
    slowed = {
        key for key, taken_ns in least_ns.items() if taken_ns >= (BASE_MS[key[1]] + ADDED_MS) * MS
    }
    assert slowed == set(FAULTS.items())


def test_both_ends_of_every_connection_are_known(run: Run) -> None:
    """Packets are linked to spans by the five-tuple."""
    for _, trace in run.by_name():
        for name in ("HGETALL", "MGET", "POST"):
            attributes = trace[name].attributes
            assert attributes["network.peer.port"] in run.ports
            assert attributes["network.local.port"] not in run.ports
        client, server = trace["POST"].attributes, trace["POST /fulfil"].attributes
        assert client["network.local.port"] == server["client.port"]
        assert client["network.peer.port"] == server["network.local.port"]
        assert trace["decide offer"].attributes["network.local.port"] in run.ports


def test_outcome_arrives_for_every_decision(run: Run) -> None:
    """What a decision earned is joined by its id; the world says what that is."""
    assert run.summary.outcomes == run.summary.ok
    assert {outcome["decision.id"] for outcome in run.outcomes} == set(run.traces)
    assert len({outcome["outcome.id"] for outcome in run.outcomes}) == len(run.outcomes)
    assert {outcome["outcome.currency"] for outcome in run.outcomes} == {"USD"}
    assert any(outcome["outcome.converted"] for outcome in run.outcomes)


def test_customers_are_those_of_the_seed(run: Run) -> None:
    """A run can be repeated."""
    world = World(SCENARIO.seed, SCENARIO.regions)
    expected = sorted(world.visit(number).region for number in range(run.summary.sent))
    assert sorted(region for region, _ in run.by_name()) == expected


def test_clock_of_the_decision_is_named(run: Run) -> None:
    """A reader has to know which readings may be subtracted."""
    for _, trace in run.by_name():
        assert trace["decide offer"].resource["clock.anchor_id"]


def test_child_that_cannot_start_is_named_and_the_rest_is_stopped() -> None:
    """No process is left behind."""
    path = ReferencePath()
    with pytest.raises(ReferencePathError, match="correct the URL, or leave it out"):
        path.start(SCENARIO, otlp_endpoint="http://127.0.0.1:9", redis_url="redis://127.0.0.1:9/0")
    assert path.pids == {}


def test_path_goes_before_what_else_the_machine_does() -> None:
    """A service and a browser on the same processors are not what makes a decision slow."""
    path = ReferencePath()
    with Sink() as sink:
        try:
            path.start(SCENARIO, otlp_endpoint=sink.endpoint, goes_first=True)
            policies = {os.sched_getscheduler(pid) for pid in path.pids.values()}
        finally:
            path.stop()
    assert policies == {os.SCHED_RR if may_go_first() else os.SCHED_OTHER}
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def may_go_first() -> bool:
    """Say whether this process may ask the kernel for it, which takes CAP_SYS_NICE."""
    said = "import os; os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))"
    return subprocess.run([sys.executable, "-c", said], stderr=subprocess.DEVNULL).returncode == 0


def test_children_end_with_their_parent() -> None:
    """A parent that is killed leaves no process behind."""
    script = (
        "import os, sys\n"
        "from dashboard.reference.launch import ReferencePath\n"
        "from dashboard.reference.scenario import Scenario\n"
        "path = ReferencePath()\n"
        "path.start(Scenario(1, 1.0), otlp_endpoint=sys.argv[1])\n"
        "sys.stdout.write(' '.join(str(pid) for pid in path.pids.values()))\n"
        "sys.stdout.flush()\n"
        "os._exit(9)\n"
    )
    with Sink() as sink:
        result = subprocess.run(
            [sys.executable, "-c", script, sink.endpoint],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert result.returncode == 9
        pids = [int(pid) for pid in result.stdout.split()]
        assert len(pids) == 4
        for pid in pids:
            # One that is gone already has no descriptor to wait on.
            with suppress(ProcessLookupError):
                ended = os.pidfd_open(pid)
                assert ended_within(ended, 60), f"process {pid} lives on"
                os.close(ended)
