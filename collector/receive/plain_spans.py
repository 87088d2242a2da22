"""I/O: whether a request of spans may go to the log without being parsed.

Nearly every request may: its bytes are canonical, its spans good, and no rule on personal data
touches it. The compiled module finds that in one pass (`collector.otlp.native`). It knows attribute
names that were judged before; those that are new are judged here, once. Whatever it does not take
goes the other way, which says what is wrong.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from collector.otlp.limits import TRACE_ID_BYTES, Limits
from collector.otlp.native import spans as native
from collector.otlp.native.spans import (
    NAME_PLAIN,
    NAME_QUERY,
    NAME_STOP,
    OF_BYTES,
    OF_QUERY,
    Names,
    RequestScan,
)
from collector.privacy.patterns import URL_PARTS, has_any

_NAMES_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class PlainSpans:
    """A request that may go to the log as it is, where no pattern is in it.

    `doubtful` are the texts in which one may be, and whether each is a URL's query or fragment
    alone; None where there are too many to list.
    """

    spans: int
    trace_id: str  # of the first one, hex
    doubtful: tuple[tuple[str, bool], ...] | None


class PlainSpanScanner:
    """Scans requests with the compiled module, which is there.

    Args:
        has_rule: whether a rule on personal data applies to an attribute, by its name.
        stamp_names: of each stage in order, ours before the customer's.
    """

    def __init__(
        self, has_rule: Callable[[str], bool], stamp_names: tuple[tuple[str, ...], ...]
    ) -> None:
        self._has_rule = has_rule
        self._stamps = {
            # Of two names of one stage the first counts, and the module does not ask for that.
            name: stage if len(names) == 1 else NAME_STOP
            for stage, names in enumerate(stamp_names, start=1)
            for name in names
        }
        self._names = Names({})
        self._lock = threading.Lock()

    def scan(self, body: bytes, limits: Limits) -> PlainSpans | None:
        """Return what a plain request has; None where nobody can say that it is one."""
        for _ in range(2):  # once more where names were new
            scan = native.check(body, self._names, limits.earliest_ns, limits.latest_ns)
            if scan is None:
                return None
            if not scan.unknown:
                offset = scan.first_trace
                return PlainSpans(
                    spans=scan.spans,
                    trace_id=body[offset : offset + TRACE_ID_BYTES].hex(),
                    doubtful=_doubtful(body, scan),
                )
            self._learn(body[begin:end] for begin, end in scan.unknown)
        return None

    def _learn(self, new: Iterable[bytes]) -> None:
        with self._lock:
            verdicts = self._names.judged
            # Names that senders make up must not fill the memory.
            kept = verdicts if len(verdicts) < _NAMES_MAX else {}
            self._names = Names({**kept, **{name: self._judge(name) for name in new}})

    def _judge(self, name: bytes) -> int:
        try:
            text = name.decode()
        except UnicodeDecodeError:
            return NAME_STOP
        if has_any(text) is not None or self._has_rule(text):
            return NAME_STOP
        if text in URL_PARTS:
            return NAME_QUERY
        return self._stamps.get(text, NAME_PLAIN)


def _doubtful(body: bytes, scan: RequestScan) -> tuple[tuple[str, bool], ...] | None:
    if scan.doubtful is None:
        return None
    return tuple(
        (body[begin:end].decode("latin-1" if kind == OF_BYTES else "utf-8"), kind == OF_QUERY)
        for begin, end, kind in scan.doubtful
    )
