"""Looking for the first declared decision costs what arrived, not what is stored."""

from __future__ import annotations

from collector.core.config import AttributesConfig, DecisionsConfig
from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.store.connect import Connections
from collector.write.decision_spans import wanted_spans
from collector.write.declared import WantedSpans
from tests.conftest import NOW_NS
from tests.support.attribution.rows_read import rows_read

OLD = 200_000
DECLARED = wanted_spans(AttributesConfig(), DecisionsConfig())
ROOTS = wanted_spans(AttributesConfig(), DecisionsConfig(), has_roots=True)


def put(store: Connections, action: str, received_ns: int, count: int = 1) -> None:
    """Store decisions of one action that arrived at about one time."""
    store.client().command(
        "INSERT INTO decisions (ingress_ns, end_ns, decision_id, action, received_ns) SELECT"
        " {at_ns:UInt64} + number AS at, at, toString(number), {action:String}, at"
        " FROM numbers({count:UInt64})",
        parameters={"at_ns": received_ns, "action": action, "count": count},
    )


def test_look_after_look_reads_what_arrived(store: Connections) -> None:
    """A store that nobody declares anything of grows for ever, and is asked at each insert."""
    put(store, "auto GET /a", NOW_NS - 5 * NS_PER_DAY, OLD)
    put(store, "auto GET /a", NOW_NS, 10)
    wanted = WantedSpans(AttributesConfig(), DecisionsConfig())

    first, read = rows_read(store, lambda: wanted.now(store.client()))
    assert first == ROOTS
    assert read >= OLD
    again, read = rows_read(store, lambda: wanted.now(store.client()))
    assert again == ROOTS
    assert read < 20_000

    put(store, "calibration", NOW_NS + NS_PER_S)
    assert wanted.now(store.client()) == ROOTS
    put(store, "checkout", NOW_NS + 2 * NS_PER_S)
    assert wanted.now(store.client()) == DECLARED
    settled, read = rows_read(store, lambda: wanted.now(store.client()))
    assert settled == DECLARED
    assert read < 1_000, "the count of rows itself reads some"
