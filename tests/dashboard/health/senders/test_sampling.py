"""Services that send a share of their decisions are named, by what came of them."""

from __future__ import annotations

from random import Random

from attribution.core.selection import CALIBRATION_ACTION
from collector.core.config import AttributesConfig, DecisionsConfig
from collector.core.counters import Counters
from collector.core.times import NS_PER_MINUTE
from collector.store.connect import Connections
from dashboard.health.items import SAMPLING
from dashboard.health.senders.job import Senders, sender_items
from dashboard.health.senders.sampling import Sampled
from tests.conftest import NOW_NS
from tests.support.builders import span, store_request, trace_request


def put_decisions(store: Connections, service: str, ids: list[str], action: str) -> None:
    """Store a decision of each of these traces."""
    spans = [span(trace_id=each, attributes={"decision.action": action}) for each in ids]
    store_request(store, trace_request(*spans, service=service))


def test_service_that_samples_is_named_with_its_share(store: Connections) -> None:
    """Not the others, nor what is of no decision of a customer's."""
    draw = Random(7)
    whole = [f"{draw.getrandbits(128):032x}" for _ in range(400)]
    tenth = [f"{draw.getrandbits(64):016x}{draw.getrandbits(64) // 10:016x}" for _ in range(400)]
    put_decisions(store, "shop", tenth, "offer")
    put_decisions(store, "cart", whole, "offer")
    put_decisions(store, "ours", tenth, CALIBRATION_ACTION)
    senders = Senders(store, Counters(), AttributesConfig(), DecisionsConfig())
    senders.run_once(NOW_NS + NS_PER_MINUTE)
    [item] = (item for item in sender_items(senders, 10) if item.name.startswith(SAMPLING))
    assert (item.name, item.value, item.status) == (f"{SAMPLING}shop", "about 10 %", "warn")
    assert item.detail.startswith(
        "shop sends about 10 % of its decisions: the ids of all 400 traces"
    )
    senders.run_once(NOW_NS + 20 * NS_PER_MINUTE)
    assert senders.sampled == []


def test_half_may_be_what_makes_the_ids() -> None:
    """Some leave the sign of a number at 0: then nothing is missing."""
    assert "leaves their first bit at 0" in Sampled("shop", 0.503, 500).detail
    assert "leaves their first bit at 0" not in Sampled("shop", 0.1, 500).detail
