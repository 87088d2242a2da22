"""I/O: the two sides of a comparison, read within the limits of a question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa

from attribution.core.selection import AT_ONCE, Narrowed
from attribution.path.columns import Table
from attribution.path.rows import SEGMENT_COLUMNS
from attribution.read.parts import parts_of
from attribution.read.reader import asked
from attribution.revenue.priced import STATED, over_priced
from collector.core.sql import fill, sql
from collector.store.connect import Connections

_CARRIED: Final = ("action", "region", "channel", "cohort", *SEGMENT_COLUMNS)


def side_parts(store: Connections, side: Narrowed, at_once: int = AT_ONCE) -> list[Narrowed]:
    """Return a side in parts of its time: to join all that a week holds takes too much memory."""
    selection = side.of
    return [
        replace(side, of=replace(selection, from_ns=from_ns, to_ns=to_ns))
        for from_ns, to_ns in parts_of(store, selection.from_ns, selection.to_ns, at_once)
    ]


def compared_count(store: Connections, parts: list[Narrowed], but: Narrowed | None) -> int:
    """Return how many decisions a side has, but for those in the time and latency of another."""
    reader, text = store.reader(), _text("compared_count")
    return sum(
        int(reader.query(text, parameters=_parameters(part, but)).result_rows[0][0])
        for part in parts
    )


def compared_rows(
    store: Connections,
    parts: list[Narrowed],
    but: Narrowed | None,
    every: int,
    rated: Mapping[str, object],
) -> Table:
    """Return the split of one in `every` of them, the same ones every time, and what they lost.

    Args:
        store: that is asked.
        parts: of the side whose decisions they are.
        but: those in the time and latency of this one are left out.
        every: one in so many.
        rated: the reference latencies and the slopes that lateness is priced by.
    """
    reader = store.reader()
    text = over_priced(sql("compared", __file__), _text("compared_priced"), _CARRIED)
    tables = []
    for part in parts:
        parameters = _parameters(part, but) | dict(rated) | {"every": every}
        parameters |= {"seconds_ns": [], "instants_ns": []}
        ((stated,),) = reader.query(STATED, parameters=parameters).result_rows
        tables.append(reader.query_arrow(text, parameters=parameters | {"stated": int(stated)}))
    return pa.concat_tables(tables)


def _text(name: str) -> str:
    return fill(sql(name, __file__), held=sql("compared_held", __file__).rstrip())


def _parameters(side: Narrowed, but: Narrowed | None) -> dict[str, Any]:
    left_out = (but or side).of
    return {
        **asked(side.of),
        "channel": side.channel,
        "cohort": side.cohort,
        "service": side.service,
        "places": list(side.places),
        "rest": int(but is not None),
        "not_from_ns": left_out.from_ns,
        "not_to_ns": left_out.to_ns,
        "not_low_ns": left_out.low_ns,
        "not_high_ns": left_out.high_ns,
    }
