"""Delays by registered experiments: who is delayed, for how long at most, and what calls it off."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.core.assignment import unit_digest
from collector.core.clock import AnchoredClock
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.instrument import DecisionFields, DelayInjector
from collector.instrument.delay import ActiveArm, ActiveExperiment, parse_active
from tests.support.collector.instruments import Bench, attributes_of

FOREVER_NS = 2**62
EVERYBODY = {"name": "all", "share": 1.0, "delay_ns": 2 * NS_PER_MS}
LONG = {"name": "long", "share": 1.0, "delay_ns": 60 * NS_PER_S}


class Registry(ThreadingHTTPServer):
    """Answers which experiments run, as a test says."""

    daemon_threads = True

    def __init__(self) -> None:
        self.status, self.answer = 200, b'{"experiments": [], "holds_s": 5}'
        self.paths: list[tuple[str, str]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def run(self, *arms: dict[str, Any], holds_s: float = 5, **said: Any) -> None:  # noqa: ANN401  # JSON
        """Let one experiment run."""
        one = {"name": "e1", "to_ns": FOREVER_NS, "arms": arms, **said}
        self.answer = json.dumps({"experiments": [one], "holds_s": holds_s}).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers and keeps what was asked."""

    server: Registry

    def do_GET(self) -> None:
        """Answer."""
        self.server.paths.append((self.path, self.headers.get("authorization", "")))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Return a registry in which nothing runs."""
    server = Registry()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def injector(registry: Registry) -> Iterator[DelayInjector]:
    """Return an injector that asks when a test says so."""
    made = DelayInjector(registry.url, token="t1", ask_every_s=3600)
    yield made
    made.shutdown()


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Return an instrument that exports when a test says so."""
    made = Bench()
    yield made
    made.instrument.shutdown()


def decide(
    bench: Bench,
    injector: DelayInjector,
    unit: str | UUID = "",
    **fields: Any,  # noqa: ANN401  # of the decision
) -> dict[str, Any]:
    """Return what one decision says of its experiment."""
    with bench.instrument.begin("offer", **DecisionFields(**fields)) as decision:  # type: ignore[typeddict-item]  # passed on as they are
        injector.delay(decision, unit)
    bench.instrument.flush()
    said = bench.memory.get_finished_spans()[-1].attributes or {}
    return {k: said.get(f"decision.{k}") for k in ("experiment", "arm", "injected_delay_ns")}


def test_decision_is_delayed_and_says_so(
    registry: Registry, injector: DelayInjector, bench: Bench
) -> None:
    """What was injected is on the span, and is in its duration."""
    nothing = {"experiment": None, "arm": None, "injected_delay_ns": None}
    assert decide(bench, injector) == nothing
    registry.run(EVERYBODY)
    assert injector.refresh()
    clock = AnchoredClock()
    began_ns = clock.monotonic_ns()
    said = decide(bench, injector)
    assert said == {"experiment": "e1", "arm": "all", "injected_delay_ns": 2 * NS_PER_MS}
    assert clock.monotonic_ns() - began_ns >= 2 * NS_PER_MS
    assert (injector.enrolled, injector.delayed) == (1, 1)
    assert registry.paths[-1] == ("/api/v1/experiments/active", "Bearer t1")


def test_unit_that_is_a_uuid_is_drawn_as_its_text(
    registry: Registry, injector: DelayInjector, bench: Bench
) -> None:
    """A customer often is one; whatever goes wrong here must not fail a request."""
    registry.run({**EVERYBODY, "delay_ns": 0})
    injector.refresh()
    customer = UUID("0af76519-16cd-43dd-8448-eb211c80319c")
    for unit in (customer, str(customer)):
        assert decide(bench, injector, unit)["arm"] == "all"
    first, second = (attributes_of(span) for span in bench.memory.get_finished_spans())
    assert first["decision.unit"] == second["decision.unit"]


@pytest.mark.parametrize(
    ("target", "fields", "is_in"),
    [
        ({"region": ["eu"]}, {"region": "eu"}, True),
        ({"region": ["eu"]}, {"region": "us"}, False),
        ({"region": ["eu"]}, {}, False),
        ({"cohort": ["new", "old"], "offer_type": ["bundle"]}, {"cohort": "old"}, False),
        (
            {"cohort": ["new", "old"], "offer_type": ["bundle"]},
            {"cohort": "old", "offer_type": "bundle"},
            True,
        ),
        ({"channel": ["app"]}, {"channel": "app"}, True),
        ({"action": ["price"]}, {}, False),
        ({"action": ["price", "offer"]}, {}, True),
    ],
)
def test_only_its_own_decisions_are_in_an_experiment(
    registry: Registry,
    injector: DelayInjector,
    bench: Bench,
    target: dict[str, Any],
    fields: dict[str, Any],
    is_in: bool,
) -> None:
    """By action, region, cohort, channel and offer type; what is not known matches nothing."""
    registry.run({**EVERYBODY, "delay_ns": 0}, **target)
    injector.refresh()
    assert (decide(bench, injector, **fields)["experiment"] == "e1") is is_in


def test_delay_over_the_cap_of_the_service_is_never_injected(
    registry: Registry, injector: DelayInjector, bench: Bench
) -> None:
    """The whole experiment is left out: a shorter arm would not be the registered one."""
    control = {"name": "control", "share": 0.5, "delay_ns": 0}
    registry.run(control, {"name": "slow", "share": 0.5, "delay_ns": 100 * NS_PER_MS + 1})
    injector.refresh()
    assert (list(injector.active), injector.refused) == ([], 1)
    assert decide(bench, injector)["experiment"] is None


@pytest.mark.parametrize("how", ["here", "registry", "lapsed", "ended"])
def test_what_is_called_off_delays_nobody(
    registry: Registry, injector: DelayInjector, bench: Bench, how: str
) -> None:
    """By the switch at hand, by the registry, by silence of the registry, or by its end."""
    registry.run(EVERYBODY, holds_s=0 if how == "lapsed" else 5)
    if how == "ended":
        registry.run(EVERYBODY, to_ns=1)
    injector.refresh()
    assert list(injector.active) == ["e1"]
    if how == "here":
        injector.stop()
    elif how == "registry":
        registry.answer = b'{"experiments": [], "holds_s": 5}'
        injector.refresh()
    assert decide(bench, injector)["experiment"] is None


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("how", ["here", "registry"])
def test_delay_in_flight_ends_when_it_is_called_off(
    registry: Registry, bench: Bench, how: str, is_async: bool
) -> None:
    """A minute of delay ends at once; the test would take that minute otherwise."""
    injector = DelayInjector(registry.url, ask_every_s=3600, delay_ms_max=120_000)
    registry.run(LONG)
    injector.refresh()

    def wait() -> None:
        with bench.instrument.begin("offer") as decision:
            if is_async:
                asyncio.run(injector.delay_async(decision))
            else:
                injector.delay(decision)

    waiting = threading.Thread(target=wait)
    waiting.start()
    if how == "here":
        injector.stop()
    else:
        registry.answer = b'{"experiments": [], "holds_s": 5}'
        injector.refresh()
    waiting.join(30)
    assert not waiting.is_alive()
    injector.shutdown()


def test_delay_in_flight_goes_on_while_another_experiment_changes(
    registry: Registry, bench: Bench
) -> None:
    """It was cut short, and the decision said the whole of it."""
    injector = DelayInjector(registry.url, ask_every_s=3600, delay_ms_max=120_000)
    slow = {"name": "slow", "share": 1.0, "delay_ns": 300 * NS_PER_MS}
    registry.run(slow)
    injector.refresh()
    took = list[dict[str, Any]]()
    waiting = threading.Thread(target=lambda: took.append(decide(bench, injector)))
    waiting.start()
    while not injector.delayed and waiting.is_alive():
        pass  # it is drawn at once
    running = json.loads(registry.answer)
    running["experiments"].append({**running["experiments"][0], "name": "e2", "region": ["us"]})
    registry.answer = json.dumps(running).encode()
    injector.refresh()
    waiting.join(30)
    assert list(injector.active) == ["e1", "e2"]
    assert took[0]["injected_delay_ns"] == 300 * NS_PER_MS
    span = bench.memory.get_finished_spans()[-1]
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time - span.start_time >= 300 * NS_PER_MS
    injector.shutdown()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{}",
        b'{"experiments": {}, "holds_s": "x"}',
        b'{"experiments": [{"name": "e", "to_ns": 5, "arms": []}], "holds_s": 5}',
        b'{"experiments": [{"name": "e", "to_ns": 5, "arms": [{"name": "a", "share": 0.4, '
        b'"delay_ns": 0}]}], "holds_s": 5}',
    ],
)
def test_answer_that_cannot_be_read_changes_nothing(
    registry: Registry, injector: DelayInjector, answer: bytes
) -> None:
    """The last one holds until it lapses; one that failed is counted."""
    registry.run(EVERYBODY)
    injector.refresh()
    registry.answer = answer
    assert not injector.refresh()
    assert list(injector.active) == ["e1"]
    assert injector.failed_asks == 1


def test_registry_that_is_gone_lets_the_experiment_lapse(
    registry: Registry, injector: DelayInjector
) -> None:
    """No answer, and the last one no longer holds: nothing is injected."""
    registry.run(EVERYBODY, holds_s=0)
    injector.refresh()
    registry.status = 503
    assert not injector.refresh()
    assert list(injector.active) == []


def test_crowd_is_in_no_experiment(registry: Registry, bench: Bench) -> None:
    """Before the draw: who is left out has nothing to do with the arm that he would have had."""
    injector = DelayInjector(registry.url, ask_every_s=3600, in_flight_max=0)
    registry.run(EVERYBODY)
    injector.refresh()
    assert decide(bench, injector)["experiment"] is None
    assert (injector.crowded, injector.enrolled) == (1, 0)
    injector.shutdown()


@given(st.binary(max_size=200))
def test_any_answer_is_read_or_refused(said: bytes) -> None:
    """The thread of a customer's service meets ValueError alone."""
    with contextlib.suppress(ValueError):
        parse_active(said, 100.0)


def test_arms_get_their_shares_and_units_keep_theirs_for_a_minute() -> None:
    """Even over units and over minutes, alike in every process, and another draw by experiment."""
    arms = (ActiveArm("control", 0.9, 0), ActiveArm("slow", 0.1, 1))
    one = ActiveExperiment("e1", 1, arms, frozenset(), ())
    units = [unit_digest("e1", f"c{unit}") for unit in range(500)]
    drawn = Counter(one.arm(unit, minute).name for unit in units for minute in range(40))
    # 20,000 draws: four standard errors of a share of a tenth are 0.0085.
    assert abs(drawn["slow"] / 20_000 - 0.1) < 0.0085
