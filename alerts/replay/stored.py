"""I/O: losses, spans and instants that a replay takes from a store and from the alert state."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from alerts.replay.figures import FigureSeries
from alerts.replay.series import Ints, Series, Steps
from alerts.replay.spans import SpanSeries
from alerts.replay.walk import Instants
from alerts.rules.slo import SloConfig, span_filter
from alerts.rules.threshold import FIGURES, ThresholdConfig
from alerts.state.sqlite import AlertStore
from alerts.state.subject import ALL, Subject
from collector.core.sql import sql
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.store.connect import Connections

# Where the job evaluated nothing for longer, a replay evaluates by itself.
_GAP_NS: Final = 60 * NS_PER_S


def read_classes(store: Connections, from_ns: int, to_ns: int) -> dict[Subject, Series]:
    """Return what every class lost in [from, to), as it is known now."""
    table = store.reader().query_arrow(
        sql("cells", __file__), parameters={"from_ns": max(0, from_ns), "to_ns": to_ns}
    )
    return {
        subject: _series(table.slice(own.start, own.stop - own.start))
        for subject, own in _classes(table)
    }


def read_spans(
    store: Connections, config: SloConfig, from_ns: int, to_ns: int, step_ns: int
) -> dict[Subject, SpanSeries]:
    """Return what every subject of a rule answered in [from, to), step by step."""
    table = store.reader().query_arrow(
        sql("span_steps", __file__),
        parameters={
            "from_ns": max(0, from_ns),
            "to_ns": to_ns,
            "step_ns": step_ns,
            **span_filter(config),
        },
    )
    if not len(table):
        return {}
    steps = _arrays(table)
    if config.together:
        return {Subject(ALL, ""): _together(steps)}
    services = table["service"].combine_chunks()
    codes = _codes(services)
    starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
    ends = [*starts[1:], len(table)]
    return {
        Subject(services[int(start)].as_py(), ""): SpanSeries(*(each[start:end] for each in steps))
        for start, end in zip(starts, ends, strict=True)
    }


def read_figure(
    store: Connections, config: ThresholdConfig, from_ns: int, to_ns: int
) -> dict[Subject, FigureSeries]:
    """Return what every class did in [from, to) second by second, as a figure asks for it."""
    target_ns = 0 if config.target_ms is None else round(config.target_ms * NS_PER_MS)
    table = store.reader().query_arrow(
        sql(f"{FIGURES[config.figure].statement}_steps", __file__),
        parameters={"from_ns": max(0, from_ns), "to_ns": to_ns, "target_ns": target_ns},
    )
    names = table.column_names[3:-1]
    step, newest = (np.asarray(table[name].to_numpy(), np.int64) for name in ("step", "newest_ns"))
    columns = np.stack([np.asarray(table[name].to_numpy(), np.int64) for name in names], axis=1)
    return {
        subject: FigureSeries(subject, names, step[own], columns[own], newest[own])
        for subject, own in _classes(table)
    }


def read_service_classes(
    store: Connections, from_ns: int, to_ns: int
) -> dict[str, frozenset[Subject]]:
    """Return the classes of decisions that each service takes part in."""
    found: dict[str, set[Subject]] = {}
    rows = store.reader().query(
        sql("service_classes", __file__),
        parameters={"from_ns": max(0, from_ns), "to_ns": to_ns},
    )
    for service, action, region in rows.result_rows:
        found.setdefault(str(service), set()).add(Subject(str(action), str(region)))
    return {service: frozenset(classes) for service, classes in found.items()}


def read_values(store: Connections, from_ns: int, to_ns: int) -> dict[Subject, Decimal]:
    """Return what the decisions of each class in [from, to) were worth, USD."""
    rows = store.reader().query(
        sql("class_values", __file__), parameters={"from_ns": max(0, from_ns), "to_ns": to_ns}
    )
    return {
        Subject(str(action), str(region)): Decimal(value)
        for action, region, value in rows.result_rows
    }


def _classes(table: pa.Table) -> Iterator[tuple[Subject, slice]]:
    """Yield each class and its rows, which lie together."""
    if not len(table):
        return
    names = pc.binary_join_element_wise(table["action"], table["region"], "\0").combine_chunks()
    starts = np.flatnonzero(np.append(True, _codes(names)[1:] != _codes(names)[:-1]))
    for start, end in zip(starts, [*starts[1:], len(table)], strict=True):
        yield Subject(*names[int(start)].as_py().split("\0", 1)), slice(int(start), int(end))


def _arrays(table: pa.Table) -> tuple[Ints, Ints, Ints, Ints]:
    step, spans, bad, newest = (
        np.asarray(table[name].to_numpy(), np.int64) for name in ("step", "spans", "bad", "newest")
    )
    return step, spans, bad, newest


def _together(steps: tuple[Ints, Ints, Ints, Ints]) -> SpanSeries:
    """Return the steps of all services as those of one."""
    starts, places = np.unique(steps[0], return_inverse=True)
    spans, bad = (
        np.bincount(places, weights=each, minlength=len(starts)).astype(np.int64)
        for each in steps[1:3]
    )
    newest = np.zeros(len(starts), np.int64)
    np.maximum.at(newest, places, steps[3])
    return SpanSeries(starts, spans, bad, newest)


def read_instants(
    alert_state: AlertStore | None, from_ns: int, to_ns: int, interval_s: float, nodata_s: float
) -> Instants:
    """Return when to evaluate in [from, to): when the job did, and evenly where it did not.

    Args:
        alert_state: the state of alerts, which knows; None where it is elsewhere.
        from_ns: first end of the windows.
        to_ns: behind the last.
        interval_s: between two where the job did not run.
        nodata_s: time without decisions after which a state is unknown.
    """
    passes = [] if alert_state is None else alert_state.passes(from_ns, to_ns)
    known = np.array(passes, np.int64).reshape(-1, 2)
    # A pass whose windows end where the data ended says what was known since.
    begins = np.concatenate([[from_ns], known.max(axis=1, initial=0)])
    ends = np.concatenate([known[:, 0], [to_ns]])
    interval_ns = max(1, round(interval_s * NS_PER_S))
    even = [
        np.arange(begins[at] + interval_ns, ends[at], interval_ns)
        for at in np.flatnonzero(ends - begins > max(_GAP_NS, 2 * interval_ns))
    ]
    filled = np.concatenate([np.zeros(0, np.int64), *even]).astype(np.int64)
    filled -= filled % NS_PER_S  # windows end at whole seconds
    rows = np.concatenate([known, np.stack([filled, filled], axis=1)])
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    return Instants(rows[:, 0], rows[:, 1], round(nodata_s * NS_PER_S))


def _series(table: pa.Table) -> Series:
    def ints(name: str) -> Ints:
        return np.asarray(table[name].to_numpy(), np.int64)

    valued = ints("decisions") - ints("unvalued")
    return Series(
        ints("second_ns"),
        Steps(
            decisions=ints("decisions"),
            unvalued=ints("unvalued"),
            loss=ints("loss"),
            loss_low=ints("loss_low"),
            loss_high=ints("loss_high"),
            loss_squared=np.asarray(table["loss_squared"].to_numpy(), np.float64),
            basis=_by_label(table["basis"], valued),
            slope_source=_by_label(table["slope_source"], valued),
            unknown=ints("unknown"),
        ),
    )


def _by_label(column: pa.ChunkedArray, valued: Ints) -> dict[str, Ints]:
    return {
        str(label): np.where(pc.equal(column, label).to_numpy(zero_copy_only=False), valued, 0)
        for label in column.unique().to_pylist()
    }


def _codes(names: pa.Array) -> NDArray[np.int32]:
    return np.asarray(names.dictionary_encode().indices.to_numpy(), np.int32)
