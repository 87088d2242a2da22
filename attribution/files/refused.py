"""Pure: what of a file could not be used: where it is, why, and of which traces it is a part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

# Each is named; beyond so many only their number grows, so that no file fills the memory.
NAMED_MAX = 1_000


@dataclass(slots=True)
class Refused:
    """What could not be used, in the order of the file."""

    lines: list[str] = field(default_factory=list)  # where, why; the first NAMED_MAX
    count: int = 0
    spans: int = 0  # of these, spans and roots; the rest are documents, lists and resources
    by_trace: Counter[str] = field(default_factory=Counter)  # where the trace can be told

    def add(
        self, where: str, why: str, traces: Iterable[str] = (), *, is_span: bool = True
    ) -> None:
        """Count one span, or something around spans, that cannot be used."""
        self.count += 1
        self.spans += is_span
        self.by_trace.update(each for each in traces if each)
        if len(self.lines) < NAMED_MAX:
            self.lines.append(f"{where}: {why}")
