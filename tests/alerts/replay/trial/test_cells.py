"""Made-up rows add up as the statements of the store do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from alerts.people.calendars import Calendars
from alerts.read.reader import AlertReader
from alerts.replay.trial.cells import BEGIN_NS, Cells
from alerts.replay.trial.file import Case
from alerts.rules import slo, threshold
from alerts.rules.slo import SloConfig, span_filter
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from tests.support.alerts.scene import write_seconds
from tests.support.builders import span, store_blocks, trace_request

END_NS = BEGIN_NS + 6 * NS_PER_MINUTE
RINGS = {
    "end_ns": END_NS,
    "from_ns": BEGIN_NS + 60 * NS_PER_S,
    "starts_ns": [END_NS - 60 * NS_PER_S, BEGIN_NS + 60 * NS_PER_S],
}
WINDOW = {"from_ns": BEGIN_NS + 60 * NS_PER_S, "end_ns": END_NS}


def case(*series: tuple[str, str], **changes: object) -> Case:
    """Return a test of some series, a minute between their values."""
    inputs = [{"series": name, "values": values} for name, values in series]
    expected = [{"eval_time": "10m", "alertname": "x"}]
    return Case.model_validate({"input_series": inputs, "alert_rule_test": expected, **changes})


def comparable(rows: list[Any]) -> list[tuple[Any, ...]]:
    """Return rows in an order of their own, as plain values."""
    return sorted(
        tuple(round(float(v), 6) if isinstance(v, Decimal | float) else v for v in row)
        for row in rows
    )


def test_cells_of_decisions_add_up_as_those_of_the_store(store: Connections) -> None:
    """Five decisions at the begin of each minute; late ones lost a dollar each."""
    client = store.client()
    for minute, late in enumerate((0, 0, 1, 1, 0, 1)):
        at_ns = BEGIN_NS + minute * NS_PER_MINUTE
        write_seconds(
            client, at_ns, 1, "eu", slow_ms=120 * late, slope_source="estimate", failed=1,
            unvalued=5 if minute == 4 else 0,
        )  # fmt: skip
    of = 'action="checkout", region="eu"'
    cells = Cells(
        case(
            (f"decisions{{{of}}}", "5x5"),
            (f"late{{{of}}}", "0 0 5 5 0 5"),
            (f"failed{{{of}}}", "1x5"),
            (f"unvalued{{{of}}}", "0x3 5 0"),
            (f"loss_usd{{{of}}}", "0 0 5 5 0 5"),
            (f"loss_low_usd{{{of}}}", "0 0 3 3 0 3"),
            (f"loss_high_usd{{{of}}}", "0 0 15 15 0 15"),
        ),
        0,
    )
    stored = AlertReader(store, Calendars(()).budget_factor)
    for name, parameters in (("loss_rings", RINGS), ("class_figures", WINDOW)):
        made, real = (
            comparable(reader.rows(name, threshold.__file__, **parameters))
            for reader in (cells, stored)
        )
        assert made == real, name
        assert made


def test_spans_add_up_as_those_of_the_store(store: Connections) -> None:
    """Three spans at the begin of each minute, one of them bad in every other."""
    for minute in range(6):
        at_ns = BEGIN_NS + minute * NS_PER_MINUTE
        for number in range(3):
            one = span(start_ns=at_ns, duration_ns=0, error=number == 0 and minute % 2 == 0)
            store_blocks(store, trace_request(one, service="api"))
    cells = Cells(case(('spans{service="api"}', "3x5"), ('bad{service="api"}', "1 0 1 0 1 0")), 0)
    config = SloConfig.model_validate(
        {"name": "x", "failed": True, "tiers": [{"bad_share_max": 0, "long_window_s": 60}]}
    )
    made, real = (
        comparable(reader.rows("span_rings", slo.__file__, **RINGS, **span_filter(config)))  # type: ignore[arg-type]  # of one call
        for reader in (cells, AlertReader(store, Calendars(()).budget_factor))
    )
    assert made == real
    assert len(made) == 2


def test_lookups_of_a_cache_add_up_as_those_of_the_store(store: Connections) -> None:
    """Two hits and a miss at the begin of each minute; a window that holds none has no row."""
    for minute in range(4):
        at_ns = BEGIN_NS + minute * NS_PER_MINUTE
        asked = [{"cache.name": "offers", "cache.hit": hit} for hit in ("true", "true", "false")]
        spans = [span(start_ns=at_ns, duration_ns=0, attributes=each) for each in asked]
        store_blocks(store, trace_request(*spans, service="shop"))
    cells = Cells(case(('lookups{cache="offers"}', "3x3"), ('hits{cache="offers"}', "2x3")), 0)
    real = AlertReader(store, Calendars(()).budget_factor)
    silent = {"from_ns": END_NS, "end_ns": END_NS + NS_PER_MINUTE}
    for window, count in ((WINDOW, 9), (silent, None)):
        made = comparable(cells.rows("cache_lookups", threshold.__file__, **window))
        assert made == comparable(real.rows("cache_lookups", threshold.__file__, **window))
        assert [row[2] for row in made] == ([] if count is None else [count])


def test_gap_is_never_there_and_late_data_come_when_they_come() -> None:
    """They are added to what was there."""
    late = {"at": "5m", "begins": "1m", "series": "decisions", "values": "10x1"}
    story = case(("decisions", "1x9"), gap=[{"begins": "3m", "ends": "5m"}], late=[late])
    window = BEGIN_NS, BEGIN_NS + 10 * NS_PER_MINUTE
    assert Cells(story, 0).total("decisions", ("", ""), *window) == 8
    assert Cells(story, 5 * NS_PER_MINUTE).total("decisions", ("", ""), *window) == 28


def test_what_has_not_happened_yet_is_not_there() -> None:
    """Neither is it the newest that arrived."""
    cells = Cells(case(("decisions", "1x9"), ('arrivals{service="a"}', "_ 1 _ 1")), 0)
    cells.now_ns = BEGIN_NS + 150 * NS_PER_S
    assert cells.rows("arrivals", "", after_ns=0) == [("a", BEGIN_NS + NS_PER_MINUTE)]
    assert cells.arrived_ns == BEGIN_NS + 2 * NS_PER_MINUTE
    assert cells.end_ns(NS_PER_MINUTE) == BEGIN_NS + 150 * NS_PER_S
