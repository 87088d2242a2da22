"""I/O: what alerting reads from the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from collector.core.sql import sql
from collector.store.connect import Connections
from collector.store.cursors import ATTRIBUTION_CURSOR

# Questions about long windows that rules ask within a minute.
_KEPT_MAX: Final = 64


BudgetFactor = Callable[[Iterable[str], int, int], Decimal]


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far the dollars of decisions have come; Unix ns, None where nothing is there."""

    newest_ns: int | None  # newest second with a decision
    # Everything that was received before it is attributed, but for what was put off: each rule
    # counts what is missing of the very rows that it judges.
    attributed_ns: int | None


class AlertReader:
    """Reads through the calling thread's limited, read-only connection, and from calendars."""

    def __init__(self, store: Connections, budget_factor: BudgetFactor) -> None:
        self._store = store
        self._budget_factor = budget_factor
        self._kept: dict[tuple[object, ...], list[Any]] = {}

    def rows(self, name: str, of: str, **parameters: str | int | Sequence[int]) -> list[Any]:
        """Return the rows of the statement `sql/NAME.sql` beside the module whose file is `of`."""
        return list(self._store.reader().query(sql(name, of), parameters=parameters).result_rows)

    def kept_rows(self, name: str, of: str, **parameters: str | int | Sequence[int]) -> list[Any]:
        """Return the same, read once while the parameters are the same."""
        key = (name, of, *((each, str(value)) for each, value in sorted(parameters.items())))
        if key not in self._kept:
            if len(self._kept) >= _KEPT_MAX:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = self.rows(name, of, **parameters)
        return self._kept[key]

    def budget_factor(self, names: Iterable[str], from_ns: int, to_ns: int) -> Decimal:
        """Return how many times its usual loss a budget allows in [from, to), by calendars."""
        return self._budget_factor(names, from_ns, to_ns)

    def watermark(self, now_ns: int) -> Watermark:
        """Return how far the dollars of decisions have come by now; some clocks are ahead."""
        newest_ns, cursors = self.rows("watermark", __file__, now_ns=now_ns)[0]
        return Watermark(int(newest_ns) or None, cursors.get(ATTRIBUTION_CURSOR, 0) or None)
