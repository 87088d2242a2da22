"""Pure: the columns that attribution computes on, one array a column, one row a span or a root.

Integer codes stand for strings, so that the cores compare and sort numbers only. Times are Unix
epoch nanoseconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Ids: TypeAlias = npt.NDArray[np.uint64]
Small: TypeAlias = npt.NDArray[np.int8]
Bools: TypeAlias = npt.NDArray[np.bool_]

KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
UNSPECIFIED, INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(6)

# Loopback, and the bridge that Docker makes on every machine.
EVERYWHERE = frozenset({"127.0.0.1", "::1", "172.17.0.1"})

NONE = -1  # a code that says: the span does not say


@dataclass(frozen=True, slots=True)
class Spans:
    """Spans of any number of traces, in any order, as they were received."""

    trace: Ints  # dense code of the trace id
    span_id: Ids  # big-endian, so that numbers sort as the hex text does
    parent_id: Ids  # 0 for none
    start_ns: Ints
    end_ns: Ints
    kind: Small  # index into KINDS
    service: Ints  # code of service.name
    label: Ints  # code of (service.name, span name), which the rules of the config judge
    host: Ints  # code of the machine whose clock stamped it, 0 where the span does not say
    clock_error_ns: Ints  # bound of that clock's error, NONE where the resource does not say
    latency_class: Small  # latency.class as sent, or NONE
    stage: Small  # decision.stage as sent, or NONE
    blocking: Small  # latency.blocking as sent: 1, 0 or NONE
    is_store: Bools  # a database, cache or object store call by semantic conventions
    is_receive: Bools  # a consumer that polls
    decision: Ints  # index of a decision id that it carries, or NONE
    received_ns: Ints
    content: Ids  # hash of everything sent, to tell a retry from a clash of ids
    # By code of a machine, where one is named by a list: the addresses of each.
    addresses: Mapping[int, frozenset[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.trace)

    def take(self, rows: Ints) -> Spans:
        """Return these rows, in this order."""
        columns = [each.name for each in fields(self) if each.name != "addresses"]
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})


@dataclass(frozen=True, slots=True)
class Links:
    """Span links: span `row` points at another span, by trace and id."""

    row: Ints  # index into Spans
    trace: Ints  # code as in Spans, NONE for a trace that is not at hand
    span_id: Ids


@dataclass(frozen=True, slots=True)
class Roots:
    """The decisions: root span, stamps, and the code by which spans name them."""

    trace: Ints
    span_id: Ids
    decision: Ints  # code of the decision id as in Spans.decision
    ingress_ns: Ints
    start_ns: Ints
    end_ns: Ints
    transform_ns: Ints  # 0 where the root has no such stamp
    decision_ns: Ints
    egress_ns: Ints

    def __len__(self) -> int:
        return len(self.trace)


def lookup(keys: Ints, values: Ints) -> Ints:
    """Return where each of `values` is in the sorted `keys`, NONE where it is not."""
    if len(keys) == 0:
        return np.full(len(values), NONE, np.int64)
    place = np.minimum(np.searchsorted(keys, values), len(keys) - 1)
    return np.where(keys[place] == values, place, NONE)


def machine_codes(hosts: Sequence[str], host: Ints, trace: Ints) -> Ints:
    """Return the code of the machine of each span: 0 where it is not named, and others are.

    A trace in which no span names its machine has one clock: nothing tells skew from work that
    outlives its parent, so nothing is shifted.

    Args:
        hosts: names of machines, "" for none.
        host: place of the name of each span.
        trace: code of the trace of each.
    """
    code = np.array([index + 1 if each else 0 for index, each in enumerate(hosts)], np.int64)[host]
    is_named = np.zeros(int(trace.max(initial=-1)) + 1, bool)
    is_named[trace[code > 0]] = True
    codes: Ints = np.where(is_named[trace], code, len(hosts) + 1)
    return codes


def addresses_of(hosts: Sequence[str]) -> Mapping[int, frozenset[str]]:
    """Return the addresses of each machine by its code; none where no machine has a list.

    A list is the text of a JSON array, as the store and the exporters write it.
    """
    lists = {index: addresses for index, host in enumerate(hosts) if (addresses := _listed(host))}
    if not lists:
        return {}
    return {
        index + 1: lists.get(index, frozenset((host,))) for index, host in enumerate(hosts) if host
    }


def _listed(host: str) -> frozenset[str]:
    if not host.startswith("["):
        return frozenset()
    try:
        addresses = json.loads(host)
    except (ValueError, RecursionError):
        return frozenset()
    texts = frozenset(each for each in addresses if isinstance(each, str) and each)
    # Every machine has these, and so they name none; alone they are all there is.
    return texts - EVERYWHERE or texts
