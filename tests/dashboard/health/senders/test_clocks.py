"""Whose clock is off, as Health and `/metrics` say it."""

from __future__ import annotations

import pytest

from collector.core.config import AttributesConfig, DecisionsConfig
from collector.core.counters import Counters
from collector.store.connect import Connections
from dashboard.health.items import HealthItem
from dashboard.health.senders.job import Senders, sender_items
from tests.support.attribution.attribution_job import at, job
from tests.support.attribution.stored import Stored, decision, put_spans, trace_id

_SKEW_MAX_S = 10.0


def put_sent(
    store: Connections, service: str, off_s: float, *, count: int = 60, every_s: float = 2.0
) -> None:
    """Store spans of a service whose clock is off, each sent half a second after its end."""
    host = {"host.name": f"{service}-1"}
    put_spans(
        store,
        [
            Stored("s", "", (n * every_s - 0.6 + off_s) * 1_000, 100, trace=f"{service}{n}",
                   service=service, resource=host, received_s=n * every_s)
            for n in range(count)
        ],
    )  # fmt: skip


def items_of(senders: Senders) -> dict[str, HealthItem]:
    """Return what Health says, by name."""
    return {each.name: each for each in sender_items(senders, _SKEW_MAX_S)}


def test_service_whose_clock_is_off_is_named_with_what_it_means(store: Connections) -> None:
    """It was paged for when the incident was over, or never, and nobody was told why."""
    for service, off_s in (("right", 0.0), ("ahead", 90.0), ("behind", -300.0), ("near", -8.0)):
        put_sent(store, service, off_s)
    counters = Counters()
    senders = Senders(store, counters, AttributesConfig(), DecisionsConfig())
    assert senders.run_once(at(120)) == 2
    found = items_of(senders)
    assert found.keys() == {"senders.clock.ahead", "senders.clock.behind"}
    ahead, behind = found["senders.clock.ahead"], found["senders.clock.behind"]
    assert (ahead.value, ahead.unit, ahead.status) == (89.5, "s", "warn")
    assert "the clock of ahead-1 is ahead; alerts, which go by it, see what" in ahead.detail
    assert behind.value == pytest.approx(-300.5, abs=0.1)
    assert "the clock of behind-1 is behind, or it holds them back; no window" in behind.detail
    value = counters.registry.get_sample_value
    name = "millworth_sender_clock_seconds"
    assert value(name, {"service": "ahead"}) == 89.5
    assert value(name, {"service": "right"}) is None
    assert senders.run_once(at(900)) == 0
    assert items_of(senders) == {}
    assert value(name, {"service": "ahead"}) is None


def test_what_was_held_back_or_is_of_a_file_is_no_clock(store: Connections) -> None:
    """It comes at once, or is little."""
    put_sent(store, "import", -3_000.0, every_s=0.01)
    put_sent(store, "quiet", -300.0, count=20)
    # A long file, in its order: ages of its spans differ by as much as it is long.
    long = [
        Stored("s", "", (60 * n - 7_200.0) * 1_000, 100, trace=f"long{n}", service="long",
               received_s=2.0 * n)
        for n in range(60)
    ]  # fmt: skip
    # Two short ones of one hour, a while apart.
    short = [
        Stored("s", "", (n / 10 - 7_200.0) * 1_000, 100, trace=f"short{n}", service="short",
               received_s=90.0 * (n % 2))
        for n in range(60)
    ]  # fmt: skip
    # One that is read at seven tenths of the speed at which it was written.
    slow = [
        Stored("s", "", (1.4 * n - 7_200.0) * 1_000, 100, trace=f"slow{n}", service="slow",
               received_s=2.0 * n)
        for n in range(60)
    ]  # fmt: skip
    put_spans(store, [*long, *short, *slow])
    senders = Senders(store, Counters(), AttributesConfig(), DecisionsConfig())
    assert senders.run_once(at(120)) == 0


def test_worst_ten_are_named(store: Connections) -> None:
    """Names come from outside: nobody fills the page or a scraper's store with them."""
    for number in range(12):
        put_sent(store, f"s{number:02}", 30.0 + number)
    senders = Senders(store, Counters(), AttributesConfig(), DecisionsConfig())
    assert senders.run_once(at(120)) == 10
    assert next(iter(senders.off)) == "s11"
    assert not {"s00", "s01"} & senders.off.keys()


def test_decisions_whose_spans_could_not_be_moved_are_named(store: Connections) -> None:
    """The alert blamed the network, and no page said that spans were left out."""
    spans: list[Stored] = []
    for number in range(3):
        name = f"off{number}"
        spans += decision(name, number, 100, 1.0)
        spans.append(Stored("exec", "post", number + 45 - 30_000, 10, "Server", name, "db",
                            resource={"host.name": "db-1"}, received_s=1.0))  # fmt: skip
    put_spans(store, [*spans, *decision("good", 5, 100, 1.0)])
    job(store).drain(at(10))
    senders = Senders(store, Counters(), AttributesConfig(), DecisionsConfig())
    senders.run_once(at(20))
    item = items_of(senders)["senders.skew_too_large"]
    assert (item.value, item.unit, item.status) == (3, "decisions", "warn")
    assert item.detail.startswith("of offer/eu in the last minutes: the clock of a service below")
    assert item.detail.endswith(f"as decision {trace_id('off2')}")
    senders.run_once(at(900))
    assert items_of(senders) == {}
