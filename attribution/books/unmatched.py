"""I/O: says where outcomes are of no decision that is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from attribution.path.columns import Table
from attribution.read.reader import Reader
from attribution.revenue.matching import DecisionReference, match_outcomes
from collector.core.config import AttributesConfig
from collector.core.sql import sql
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_S
from collector.store.connect import Connections

# So many outcomes are looked up, however many there are.
_DRAWN: Final = 1_000
# Of fewer nothing is said, and of fewer it is not said how long they take.
_TOLD_MIN: Final = 20
# A shop sells by telephone, too.
_SHARE_MIN: Final = 0.1
# A decision is sent once it is over; one that comes later than this is rare.
_WAITED_NS: Final = NS_PER_HOUR
_FIRST = sql("first_decision", __file__)
_SQL = sql("drawn_outcomes", __file__)


def unmatched_outcomes(
    store: Connections,
    window: tuple[int, int],
    now_ns: int,
    delay_s: int = 0,
    received_from_ns: int = 0,
) -> list[str]:
    """Return in words whether many outcomes of a window are of no decision that is known.

    Those that happened within the last hour wait for their decisions. Refunds come when decisions
    are long gone: they are left out. So is what decisions sold that are not kept, or began before
    the store: outcomes count from when decisions have been kept for twice as long as nine of ten
    outcomes take.

    Args:
        store: whose outcomes and decisions they are.
        window: when they happened, ns.
        now_ns: the time.
        delay_s: how long outcomes take where too few are of a known decision to say, s.
        received_from_ns: only those that came since then.
    """
    client = store.client()
    first = client.query(_FIRST).result_rows
    if not first:
        return []
    from_ns, to_ns = max(window[0], first[0][0]), min(window[1], now_ns - _WAITED_NS)
    if from_ns >= to_ns:
        return []
    parameters = {"from_ns": from_ns, "to_ns": to_ns, "received_from_ns": received_from_ns}
    drawn = client.query_arrow(_SQL, parameters={**parameters, "drawn": _DRAWN})
    if len(drawn) < _TOLD_MIN:
        return []
    named = [
        DecisionReference(decision_id, key, event_ns, received_ns, is_refund=False, is_sale=False)
        for decision_id, key, event_ns, received_ns in _rows(drawn)
    ]
    matched = match_outcomes(named, _candidates(store, named, from_ns, now_ns))
    delays = [
        max(each.event_ns - decision[0], 0)
        for each, decision in zip(named, matched, strict=True)
        if decision is not None
    ]
    usual_ns = delay_s * NS_PER_S
    if len(delays) >= _TOLD_MIN:
        usual_ns = 2 * round(float(np.quantile(delays, 0.9)))
    countable = [
        decision
        for each, decision in zip(named, matched, strict=True)
        if each.event_ns >= first[0][0] + usual_ns
    ]
    missing = countable.count(None)
    if missing < max(_TOLD_MIN, _SHARE_MIN * len(countable)):
        return []
    return [
        f"{missing:,} of {len(countable):,} outcomes that were looked up are of no decision that "
        "is known, and in no amount: by a clock that is behind or of another time zone they "
        "happened before their decision, or ids or keys differ, or their decisions were not sent; "
        "`millworth reconcile` has them by day, as unmatched"
    ]


def _candidates(
    store: Connections, named: Sequence[DecisionReference], from_ns: int, now_ns: int
) -> list[tuple[int, str, str]]:
    """Return the decisions that these outcomes may mean, as `match_outcomes` takes them."""
    reader = Reader(store, AttributesConfig())
    ids = {each.decision_id for each in named} - {""}
    keys = {each.key for each in named if not each.decision_id}
    # Most began within a day, among which it is cheaper to look than among all.
    candidates = _rows(
        reader.cell_candidates([from_ns - NS_PER_DAY, now_ns], sorted(ids), sorted(keys))
    )
    if older := ids - {decision_id for _, decision_id, *_ in candidates}:
        candidates += _rows(reader.cell_candidates([0, now_ns], sorted(older), ()))
    return sorted((begin_ns, decision_id, key) for begin_ns, decision_id, key, _ in candidates)


def _rows(table: Table) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
