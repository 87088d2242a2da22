"""I/O: what the service said of sealed decisions: for `/api/v1/provenance` and the pages."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from dashboard.read.statements import Statements

FINDINGS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """How many events got one verdict, and when the last of them arrived."""

    verdict: str
    events: int
    rows: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class VerdictFinding:
    """One event, or a run of numbers, that is not as it was sealed; -1 is no number."""

    verdict: str
    producer: str
    epoch: str
    first_seq: int
    last_seq: int
    trace_id: str
    kid: str
    reason: str
    received_ns: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What was taken out of every sum: decisions, what they would have been worth, outcomes."""

    decisions: int
    value_usd: Decimal
    outcomes: int


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What is said of the sealed decisions that arrived in a window."""

    from_ns: int
    to_ns: int
    counts: list[VerdictCount]
    findings: list[VerdictFinding]  # the latest FINDINGS_MAX of them
    withdrawn: Withdrawn


class VerdictReader(Statements):
    """Reads `provenance_events`; each thread reads over its own connection."""

    def verdicts(self, from_ns: int, to_ns: int, *, unsigned: bool = False) -> Verdicts:
        """Return counts and findings of what arrived in (from, to].

        `unsigned` makes a decision without a seal a finding.
        """
        counts = self._rows("verdict_counts", from_ns=from_ns, to_ns=to_ns)
        findings = self._rows(
            "verdict_findings",
            from_ns=from_ns,
            to_ns=to_ns,
            required=int(unsigned),
            limit=FINDINGS_MAX,
        )
        return Verdicts(
            from_ns,
            to_ns,
            [VerdictCount(**row) for row in counts],
            [VerdictFinding(**row) for row in findings],
            self.withdrawn(from_ns, to_ns),
        )

    def withdrawn(self, from_ns: int, to_ns: int) -> Withdrawn:
        """Return what was taken out of the sums, of what arrived in (from, to]."""
        (row,) = self._rows("withdrawn", from_ns=from_ns, to_ns=to_ns)
        return Withdrawn(**row)

    def _rows(self, name: str, **parameters: int) -> list[dict[str, Any]]:
        return self.ask(name, __file__, parameters)
