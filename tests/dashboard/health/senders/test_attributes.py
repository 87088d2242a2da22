"""What was meant to be ours and nobody reads, as Health says it."""

from __future__ import annotations

import pytest

from collector.core.config import AttributesConfig
from collector.store.connect import Connections
from dashboard.health.items import HealthItem
from dashboard.health.senders.attributes import SentAttributes, attribute_items
from tests.support.attribution.attribution_job import at
from tests.support.attribution.stored import Stored, decision, put_spans, trace_id


def items_of(store: Connections, mapped: dict[str, str] | None = None) -> dict[str, HealthItem]:
    """Return what Health says, by name, where these names of ours are called otherwise."""
    sent = SentAttributes(AttributesConfig(map=mapped or {}))
    client, after_ns = store.client(), at(-60)
    found = attribute_items(
        sent.misspelt(client, after_ns),
        sent.odd(client, after_ns),
        sent.on_resource(client, after_ns),
    )
    return {each.name: each for each in found}


def put(store: Connections, attributes: dict[str, str], *, count: int = 1) -> None:
    """Store spans with these attributes."""
    put_spans(store, [Stored(f"s{n}", trace=f"t{n}", attributes=attributes) for n in range(count)])


def put_log(store: Connections, event: str, attributes: dict[str, str]) -> None:
    """Store a log record of a shop."""
    names = {"event.name": event} | attributes
    row = [at(1), at(1), trace_id("a"), "shop", names]
    columns = ["Timestamp", "received_ns", "TraceId", "ServiceName", "LogAttributes"]
    store.client().insert("otel_logs", [row], column_names=columns)


def test_misspelt_attribute_is_named_with_what_was_meant(store: Connections) -> None:
    """Spans came, no decision did, and every figure was said to be well."""
    names = {"decision.acton": "offer", "Decision.Region": "eu", "decision.colour": "red"}
    names |= {"decison.region": "eu", "precision.action": "none of ours"}
    names |= {"decision.channels": "web"}  # which this customer calls it
    put(store, names, count=3)
    put_spans(store, decision("a", 1_000, 40))
    found = items_of(store, {"decision.channel": "decision.channels"})
    assert found.keys() == {
        "senders.attribute.shop.decision.acton",
        "senders.attribute.shop.Decision.Region",
        "senders.attribute.shop.decison.region",
    }
    acton = found["senders.attribute.shop.decision.acton"]
    assert (acton.value, acton.unit, acton.status) == (3, "spans", "warn")
    assert "shop carry decision.acton, which nobody reads: did you mean decision.action?" in (
        acton.detail
    )
    assert "did you mean decision.region?" in found["senders.attribute.shop.Decision.Region"].detail


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"shop.operatoin": "pay"}, ["senders.attribute.shop.shop.operatoin"]),
        ({"shop.operations": "9", "shop.operation": "pay"}, []),
        ({"shop.colour": "red"}, []),
    ],
    ids=["nearly it", "beside it", "another"],
)
def test_customers_own_name_may_be_misspelt_too(
    store: Connections, sent: dict[str, str], expected: list[str]
) -> None:
    """What a service sends beside the right name is a name of its own."""
    put(store, sent)
    assert [*items_of(store, {"decision.action": "shop.operation"})] == expected


def test_name_that_is_said_of_the_resource_is_told(store: Connections) -> None:
    """A region stayed empty, as `cloud.region` is no attribute of a span."""
    resource, root = {"cloud.region": "eu-west-1"}, {"deployment.id": "7"}
    put_spans(store, [Stored("s", resource=resource | root, attributes=root)])
    mapped = {"decision.region": "cloud.region", "decision.route": "deployment.id"}
    assert items_of(store) == {}
    (item,) = items_of(store, mapped).values()
    assert (item.name, item.value, item.status) == (
        "senders.resource.shop.cloud.region", 1, "warn"
    )  # fmt: skip
    assert "shop says cloud.region of its resource, and [attributes.map] reads what" in item.detail


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("decision.stage", "transformation", "one of ingress, transform, decision and egress"),
        ("latency.class", "Store", "one of network, compute and store"),
        ("latency.blocking", "no", "one of true and false"),
        ("decision.ts.decision", "2026-12-02T10:00:00Z", "Unix nanoseconds, a whole number"),
        ("decision.injected_delay_ns", "5ms", "a whole number of nanoseconds"),
        ("decision.value_usd", "4,20 EUR", "a number such as 4.20"),
        ("decision.action", " ", "a name"),
        ("shop.worth", "much", "a number such as 4.20"),
    ],
)
def test_value_that_cannot_be_read_is_named(
    store: Connections, name: str, value: str, expected: str
) -> None:
    """It was read as absent, and nobody was told: the time went to another stage, the money too."""
    put(store, {name: value}, count=2)
    put_spans(store, decision("b", value_usd="4.20"))
    (item,) = items_of(store, {"decision.value_usd": "shop.worth"}).values()
    assert item.name == f"senders.value.shop.{name}"
    assert (item.value, item.status) == (2, "warn")
    assert f"{name} = {value!r}, which is read as absent: it is not {expected}." in item.detail


def test_values_as_they_should_be_are_none(store: Connections) -> None:
    """Absent ones are absent; a number may be written as any number."""
    put(store, {"decision.stage": "egress", "latency.class": "store", "latency.blocking": "true"})
    put(store, {"decision.value_usd": "-1.5e2", "decision.ts.ingress": "0", "decision.region": ""})
    assert items_of(store) == {}


def test_outcome_that_is_misspelt_is_named(store: Connections) -> None:
    """An event of another name is none, and an amount under another name is unknown."""
    put_log(store, "decision_outcome", {"outcome.id": "1", "outcome.revenus": "5"})
    put_log(store, "decision.made", {})
    put_log(store, "decision.outcome", {"outcome.id": "2", "outcome.revenu": "5"})
    found = items_of(store)
    assert found.keys() == {
        "senders.event.shop.decision_outcome",
        "senders.attribute.shop.outcome.revenu",
    }
    event = found["senders.event.shop.decision_outcome"]
    assert (event.value, event.unit) == (1, "records")
    assert "named decision_outcome, which nobody reads: did you mean decision.outcome?" in (
        event.detail
    )
