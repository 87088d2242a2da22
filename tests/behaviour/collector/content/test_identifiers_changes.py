"""A value that a rule or a pattern changed says so: on its span, and in a count by attribute."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import httpx
import pytest
from prometheus_client import generate_latest

from collector.core.config import CollectorConfig
from collector.core.counters import Counters
from collector.core.times import NS_PER_DAY
from collector.otlp.check import Signal
from collector.privacy.redact import REPLACED, Changes
from collector.service import CollectorService
from collector.store.connect import Connections
from dashboard.read.reader import Reader
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import decision_span, span, trace_request
from tests.support.collector.clients import WAIT_S, post
from tests.support.collector.redact import ALICE, SHIPPED, rules

SENT = {
    "user.id": "7",
    "cookie": "c",
    "note": f"to {ALICE}",
    "many": [ALICE, "4111 1111 1111 1111"],
    ALICE: "x",
    "shop": "b",
    "user.email": True,
}


def marks(body: bytes) -> list[str]:
    """Return what each span of a request says of itself."""
    request = Signal.TRACES.request_class.FromString(body)
    return [
        "".join(pair.value.string_value for pair in one.attributes if pair.key == REPLACED)
        for one in request.resource_spans[0].scope_spans[0].spans  # type: ignore[union-attr]  # a trace request
    ]


def test_span_names_its_attributes_that_were_changed() -> None:
    """Whoever reads a token knows that nobody sent it; a span that is as it was says nothing."""
    changes: Changes = Counter()
    body = trace_request(span(attributes=SENT), span(attributes={"a": "b"})).SerializeToString()
    once = SHIPPED.rewrite(Signal.TRACES, body, NOW_NS, changes=changes)
    assert marks(once) == ["cookie,many,note,other,user.id", ""]
    assert changes == {
        ("user.id", "rule"): 1, ("cookie", "rule"): 1, ("note", "pattern"): 1,
        ("many", "pattern"): 2, ("other", "pattern"): 1,
    }  # fmt: skip
    assert SHIPPED.rewrite(Signal.TRACES, once, NOW_NS + 400 * NS_PER_DAY) == once
    behind = rules(("shop", "tokenise")).rewrite(Signal.TRACES, once, NOW_NS)
    assert marks(behind) == ["cookie,many,note,other,shop,user.id", ""]


def test_names_alone_and_a_walk_say_the_same() -> None:
    """A request without any pattern takes the short way."""
    for attributes in ({"user.id": "7"}, {"user.id": "7", "nested": {"a": ["b"]}}):
        body = trace_request(span(attributes=attributes)).SerializeToString()
        assert marks(SHIPPED.rewrite(Signal.TRACES, body, NOW_NS)) == ["user.id"]


@pytest.mark.integration
def test_changes_are_counted_by_attribute_and_shown_with_the_decision(
    store: Connections, tmp_path: Path, clock: ManualClock
) -> None:
    """Names that senders make up are counted together beyond the first two hundred."""
    counters = Counters()
    service = CollectorService(
        CollectorConfig(grpc_port=0, http_port=0), store, tmp_path / "wal", counters, clock
    )
    service.start()
    root = decision_span(decision_id="order-7", attributes={"user.id": "7", "note": ALICE})
    plain = decision_span(decision_id="order-8", trace_id="08" * 16)
    made_up = [span(attributes={f"n{number}": ALICE}) for number in range(500)]
    with httpx.Client(
        base_url=f"http://127.0.0.1:{service.http_port}", timeout=WAIT_S, trust_env=False
    ) as http:
        assert post(http, trace_request(root, plain)).status_code == 200
        assert post(http, trace_request(*made_up)).status_code == 200
    assert service.stop(WAIT_S)

    told = generate_latest(counters.registry).decode()
    lines = [line for line in told.splitlines() if "identifiers_changed_total{" in line]
    assert 'millworth_identifiers_changed_total{attribute="user.id",by="rule"} 1.0' in lines
    assert 'millworth_identifiers_changed_total{attribute="note",by="pattern"} 1.0' in lines
    assert len(lines) <= 201
    assert sum(float(line.split()[-1]) for line in lines) == 502
    reader = Reader(store)
    found = [reader.decision(name) for name in ("order-7", "order-8")]
    assert [one.replaced for one in found if one] == ["note,user.id", ""]
