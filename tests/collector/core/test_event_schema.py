from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from collector.core.config import AttributesConfig, DecisionsConfig, OutcomesConfig
from collector.core.counters import Counters
from collector.core.event_schema import (
    ACCEPTED,
    BUDGET_BYTES,
    CURRENT,
    DIMENSIONS,
    IDS_AND_TIMES_BYTES,
    MAPPED,
    PREVIOUS,
    SIGNED,
    DecisionFields,
    Version,
    accepts,
    names_of,
)
from collector.core.times import NS_PER_S
from collector.instrument import DecisionInstrument, DecisionSeal, MacKey
from collector.store.connect import Connections
from collector.store.schema.cluster import render
from collector.store.schema.migrate import VIEWS_DIR, render_view
from collector.write.event_sizes import OTHERS, SERVICES_MAX, EventSizes
from packet.store.reader import _ENDPOINT_NAMES
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import decision_span, span, store_request, trace_request

ROOT = Path(__file__).parents[3]
PREFIXES = ("decision.", "provenance.", "outcome.key")  # of what counts


def event_bytes(attributes: Iterable[tuple[str, str]]) -> int:
    """Return how large an event is: its ids, times and values as a row of texts.

    Every value counts with its bytes and one byte of length, as ClickHouse's RowBinary has them.
    Names are not counted: each table and each compressed batch holds them once.
    """
    return IDS_AND_TIMES_BYTES + sum(
        len(text.encode()) + 1 for name, text in attributes if name.startswith(PREFIXES)
    )


def test_the_current_version_and_the_one_before_it_are_taken() -> None:
    """Two versions, so that senders and service need not change on one day; no third."""
    assert CURRENT.number == PREVIOUS.number + 1
    assert len(ACCEPTED) == len(set(ACCEPTED))
    assert [accepts(text) for text in ("", "0", "1", "2", "one", "1.0")] == [
        *(True, True, True, False, False, False),
    ]


def test_fields_are_those_of_the_page_of_attributes_and_of_the_seal() -> None:
    """One list of fields: what is sealed, what is documented and what is registered agree."""
    names = [field.name for field in CURRENT.fields]
    assert len(names) == len(set(names))
    assert set(SIGNED[5:]) <= set(names)
    documented = (ROOT / "docs" / "use" / "attributes.md").read_text()
    assert all(f"`{name}`" in documented for name in names)
    assert {f.name for f in CURRENT.fields} - {f.name for f in PREVIOUS.fields} == {
        "decision.schema",
        *(f"provenance.{part}" for part in ("kid", "producer", "epoch", "seq", "prev", "tag")),
    }


def test_names_that_may_be_mapped_are_those_that_are_looked_up_by_the_map() -> None:
    """The settings refuse every other, since a misspelt one has no effect."""
    views = "".join(path.read_text() for path in VIEWS_DIR.rglob("*.sql"))
    in_views = set(re.findall(r"\$\{(?:attr|amount):([a-z0-9_.]+):", views))
    ends = {name for names in _ENDPOINT_NAMES.values() for name in names}
    of_decisions = {field.name for field in CURRENT.fields if "provenance." not in field.name}
    assert in_views <= MAPPED
    assert in_views | ends | of_decisions == MAPPED


def test_version_that_is_not_known_is_kept_and_is_no_decision(store: Connections) -> None:
    """Its neighbours of both versions are decisions; it is named, with what is taken."""
    known = {"old": {}, "zero": {"decision.schema": "0"}, "new": {"decision.schema": "1"}}
    spans = [decision_span(decision_id=name, attributes=said) for name, said in known.items()]
    strange = {
        text: decision_span(decision_id=text, attributes={"decision.schema": text})
        for text in ("2", "7", "v1")
    }
    store_request(store, trace_request(*spans, *strange.values()))
    client = store.client()
    rows = client.query("SELECT decision_id FROM decisions FINAL ORDER BY decision_id").result_rows
    assert [row[0] for row in rows] == ["new", "old", "zero"]
    rejected = client.query(
        "SELECT reason_code, item_id, detail FROM rejected ORDER BY detail"
    ).result_rows
    for (spelling, made), row in zip(strange.items(), rejected, strict=True):
        item = f"{made.trace_id.hex()}:{made.span_id.hex()}"
        assert (row[0], row[1]) == ("schema_unknown", item)
        assert row[2].startswith(f"decision.schema is {spelling}, and not one of none, 0, 1")


def test_renamed_field_of_the_version_before_is_read(empty_store: Connections) -> None:
    """A view reads an event of the version before under its own names, today's first."""
    previous = Version(0, PREVIOUS.spellings, PREVIOUS.fields, (("decision.channel", "d.medium"),))
    assert names_of("decision.channel", "shop.channel", previous) == (
        *("decision.channel", "d.medium", "shop.channel"),
    )
    assert names_of("decision.region", "decision.region", previous) == ("decision.region",)
    attributes = AttributesConfig(map={"decision.channel": "shop.channel"})
    view = (VIEWS_DIR / "decisions_mv.sql").read_text()
    text = render_view(render(view, ""), attributes, DecisionsConfig(), OutcomesConfig(), previous)
    select = text.split(" AS\n", 1)[1].replace(" otel_decision_spans\n", " sent\n")
    client = empty_store.client()
    client.command(
        "CREATE TABLE sent (Timestamp DateTime64(9), TraceId String, SpanId String, ParentSpanId"
        " String, ServiceName String, SpanName String, SpanKind String, StatusCode String,"
        " Duration UInt64, SpanAttributes Map(String, String), received_ns UInt64) ENGINE = Memory"
    )
    sent = [
        {"d.medium": "old"},
        {"decision.channel": "new", "d.medium": "old"},
        {"shop.channel": "theirs"},
        {},
    ]
    client.insert(
        "sent",
        [
            [str(index), {"decision.action": "offer", **said}]
            for index, said in enumerate(sent)
        ],
        column_names=["TraceId", "SpanAttributes"],
    )  # fmt: skip
    rows = client.query(f"SELECT trace_id, channel FROM ({select}) ORDER BY trace_id").result_rows
    assert [row[1] for row in rows] == ["old", "new", "theirs", ""]


def sent(**fields: str) -> dict[str, str]:
    """Return the attributes of one sealed decision as it leaves the process."""
    exporter = InMemorySpanExporter()
    seal = DecisionSeal(MacKey("shop-2026-11", bytes(32)), "shop/eu-west-1")
    instrument = DecisionInstrument(exporter, Resource({}), export_every_s=3600, seal=seal)
    with instrument.begin("offer", **fields) as decision:  # type: ignore[arg-type]  # fields by name
        for stage in ("transform", "decision", "egress"):
            decision.stage(stage)
    instrument.shutdown()
    (made,) = exporter.get_finished_spans()
    return {name: str(value) for name, value in (made.attributes or {}).items()}


def test_event_with_every_field_is_within_the_budget() -> None:
    """The whole set, seal included, filled as a shop would; a field more has to find its room."""
    attributes = sent(
        region="eu-west",
        channel="web",
        cohort="gold",
        offer_type="discount",
        campaign="black-friday",
        route="eu-west-primary",
        vendor="acme",
        mode="normal",
        value_usd="4.20",
        experiment="latency-2026",
        arm="control",
        unit="0123456789abcdef",
        injected_delay_ns="10000000",
        outcome_key="order-0123456789",
    )
    assert {field.name for field in CURRENT.fields} == attributes.keys()
    assert event_bytes(attributes.items()) == 460
    assert event_bytes(attributes.items()) <= BUDGET_BYTES
    unsealed = {n: v for n, v in attributes.items() if not n.startswith("provenance.")}
    assert event_bytes(unsealed.items()) == 347


def test_events_over_the_budget_are_counted_by_service(store: Connections) -> None:
    """The store and Python count alike, to the byte; what is no decision event is none of it."""
    stored_ns = NOW_NS
    counters = Counters()
    sizes = EventSizes(store, counters, lambda: stored_ns, ManualClock())
    large = decision_span(attributes={"decision.cohort": "ö" * 300, "http.route": "x" * 900})
    small = decision_span(attributes={"http.route": "x" * 900})
    other = span(attributes={"decision.cohort": "x" * 900})
    before = trace_request(large, service="before")
    store_request(store, before, received_ns=NOW_NS - 5)
    assert sizes.run_once(NOW_NS) == 0
    store_request(store, trace_request(large, small, other, service="shop"), NOW_NS + 5)
    store_request(store, trace_request(large, large, service="shop"), NOW_NS + 6)
    assert sizes.run_once(NOW_NS + 10) == 0  # received, and not all of it stored
    stored_ns = NOW_NS + 10
    assert sizes.run_once(NOW_NS + 20) == 3
    said = {
        pair.key: pair.value.string_value or str(pair.value.int_value) for pair in large.attributes
    }
    bytes_of_large = event_bytes(said.items())
    assert bytes_of_large > 600
    assert {name: (o.events, o.largest, o.example) for name, o in sizes.oversized.items()} == {
        "shop": (3, bytes_of_large, large.trace_id.hex())
    }
    value = counters.registry.get_sample_value
    label = {"service": "shop"}
    assert value("millworth_decision_events_over_budget_total", label) == 3
    assert value("millworth_decision_event_bytes_max", label) == bytes_of_large
    assert sizes.run_once(NOW_NS + 30) == 0


class SlowClock(ManualClock):
    """A clock by which whatever is looked at takes a second."""

    def monotonic_ns(self) -> int:
        """Return a second more than the last time."""
        self.ns += NS_PER_S
        return self.ns


def test_where_much_comes_the_newest_is_measured(store: Connections) -> None:
    """To measure each of thousands of events a second took a twentieth of all CPU."""
    sizes = EventSizes(store, Counters(), lambda: NOW_NS + 60 * NS_PER_S, SlowClock())
    large = trace_request(decision_span(attributes={"decision.cohort": "x" * 600}))
    for second in (5, 15, 19.5, 20.5):
        store_request(store, large, received_ns=NOW_NS + round(second * NS_PER_S))
    sizes.run_once(NOW_NS)
    assert sizes.run_once(NOW_NS + 10 * NS_PER_S) == 1
    assert sizes.run_once(NOW_NS + 20 * NS_PER_S) == 1  # of the last second: a tenth of ten
    assert sizes.run_once(NOW_NS + 22 * NS_PER_S) == 0


def test_something_is_measured_however_slow_the_store_is(store: Connections) -> None:
    """A run that looked at a tenth of the one before it would look at nothing in the end."""
    sizes = EventSizes(store, Counters(), lambda: NOW_NS + 3_600 * NS_PER_S, SlowClock())
    large = trace_request(decision_span(attributes={"decision.cohort": "x" * 600}))
    sizes.run_once(NOW_NS)
    for second in range(30, 930, 30):
        store_request(store, large, received_ns=NOW_NS + second * NS_PER_S - NS_PER_S // 2)
        assert sizes.run_once(NOW_NS + second * NS_PER_S) == 1


def test_names_of_services_are_bounded(store: Connections) -> None:
    """Whoever sends a new name with every event must not fill the scraper's store."""
    stored_ns = NOW_NS
    counters = Counters()
    sizes = EventSizes(store, counters, lambda: stored_ns, ManualClock())
    sizes.run_once(NOW_NS)
    for half in range(2):
        request = trace_request(service="s0")
        del request.resource_spans[:]
        for number in range(SERVICES_MAX // 2 + half):
            large = decision_span(attributes={"decision.cohort": "x" * 600})
            request.MergeFrom(trace_request(large, service=f"s{half}-{number}"))
        stored_ns = NOW_NS + 10 * (half + 1)
        store_request(store, request, received_ns=stored_ns - 1)
        sizes.run_once(stored_ns)
    assert len(sizes.oversized) == SERVICES_MAX + 1
    assert sizes.oversized[OTHERS].events == 1


def test_what_a_service_may_state_is_what_the_registry_has() -> None:
    """The type that a customer's editor completes cannot be derived from a value."""
    ours = {f"decision.{name}" for name in DecisionFields.__annotations__} - {
        "decision.outcome_key"
    }
    assert ours <= {field.name for field in CURRENT.fields}
    assert {f"decision.{field.column}" for field in DIMENSIONS} <= ours
