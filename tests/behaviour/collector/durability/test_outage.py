"""The store is away while senders go on; `millworth bench crash` takes it away for ten minutes."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.crash.outage import (
    AwayStore,
    OutagePlan,
    Sent,
    Template,
    compare,
    half_of,
    make_template,
    outage,
    run_outage,
)
from collector.core.clock import SystemClock
from collector.core.errors import InputError, StoreUnavailableError
from collector.store.connect import Connections
from tests.support.builders import store_request

pytestmark = pytest.mark.integration


@pytest.fixture
def template() -> Template:
    """Return a request of three spans."""
    return make_template(3, SystemClock().now_ns())


def test_outage_loses_nothing_and_is_made_up_for(store: Connections, tmp_path: Path) -> None:
    """The last insert before it goes in and is not answered, so that it comes twice."""
    away = AwayStore(store.config)
    said: list[str] = []
    plan = OutagePlan(away_s=0.3, warm_s=0.05, spans_per_s=3_000, spans_per_request=100)

    figures = outage(away, tmp_path / "wal", plan, said.append)

    assert away.cut.is_set()
    assert figures["outage_spans_acked"] >= 300
    assert (figures["outage_lost"], figures["outage_twice"]) == (0, 0), said
    assert figures["outage_refused"] == 0
    away.close()


def test_store_that_is_away_refuses_and_comes_back(store: Connections) -> None:
    """As a server does that is restarted."""
    away = AwayStore(store.config)
    away.take_away()
    with pytest.raises(StoreUnavailableError):
        away.after_insert()
    with pytest.raises(StoreUnavailableError):
        away.client()

    away.bring_back()

    away.after_insert()
    assert away.client().query("SELECT 1").result_rows == [(1,)]
    away.close()


def test_comparison_finds_what_is_missing_altered_or_there_twice(
    store: Connections, template: Template
) -> None:
    """Each by what the spans say: their number alone would hide it."""
    now_ns = SystemClock().now_ns()
    part = ExportTraceServiceRequest.FromString(template.request(3))
    del part.resource_spans[0].scope_spans[0].spans[2]
    altered = ExportTraceServiceRequest.FromString(template.request(4))
    altered.resource_spans[0].scope_spans[0].spans[0].name = "another"
    whole = {
        number: ExportTraceServiceRequest.FromString(template.request(number))
        for number in (1, 5, 6)
    }
    for at, request in enumerate((*whole.values(), part, altered)):
        store_request(store, request, now_ns + at, token=f"t{at}")
    store_request(store, whole[5], now_ns + 1, token="again")  # as one arrival stored twice
    store_request(store, whole[6], now_ns + 9, token="retry")  # as a sender's own retry

    def found(*numbers: int) -> tuple[int, int]:
        return compare(store, Sent(acked=list(numbers)), template)

    assert found(1) == (0, 0)
    assert found(2) == (3, 0)  # never stored
    assert found(3) == (1, 0)
    assert found(4) == (3, 0)
    assert found(5) == (0, 3)
    assert found(6) == (0, 0)
    assert found(1, 2, 3, 4, 5, 6) == (7, 3)


def test_requests_of_a_template_differ_in_their_ids_alone(template: Template) -> None:
    """Ready-made bytes, so that a bench measures the collector and not its sender."""
    ids = set[bytes]()
    for number in (1, 2, 2**32 - 1):
        request = ExportTraceServiceRequest.FromString(template.request(number))
        spans = request.resource_spans[0].scope_spans[0].spans
        assert all(span.trace_id.startswith(half_of(number)) for span in spans)
        ids.update(span.trace_id for span in spans)

    assert len(ids) == 9


def test_outage_that_the_disk_has_no_room_for_is_refused() -> None:
    """Before it begins: a full disk would be another test."""
    with pytest.raises(InputError, match=r"takes up to \d+ MiB .*--outage-minutes"):
        run_outage(minutes=1e9, progress=list[str]().append)
