"""I/O: what pages ask beside the reader: the same answers that `/api/v1` gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from attribution.books.unit_cost import UnitCost, unit_cost
from attribution.core.config import AttributionConfig
from attribution.core.selection import Selection
from attribution.experiments.job import ExperimentJob
from attribution.vram.job import VramJob
from attribution.whatif.analyst import Analyst
from collector.audit.log import AuditRow, AuditState, check_audit, read_audit
from collector.store.connect import Connections
from collector.store.retention import read_holds
from collector.store.retention_policy import Hold
from dashboard.read.sealed.verdicts import VerdictReader


@dataclass(frozen=True, slots=True)
class Sources:
    """One store and the settings of attribution, and who answers questions about them."""

    store: Connections
    attribution: AttributionConfig
    analyst: Analyst
    vram: VramJob
    experiments: ExperimentJob
    verdicts: VerdictReader

    @classmethod
    def over(cls, store: Connections, attribution: AttributionConfig) -> Self:
        """Return those of one store."""
        return cls(
            store,
            attribution,
            Analyst(attribution, store),
            VramJob(attribution, store),
            ExperimentJob(attribution, store),
            VerdictReader(store),
        )

    def unit_cost(self, chosen: Selection) -> UnitCost:
        """Return what a decision cost, as `/api/v1/cost` does."""
        return unit_cost(self.attribution, self.store, chosen)

    def audit(self, rows_max: int) -> tuple[AuditState, list[AuditRow]]:
        """Return whether the chain of the audit holds, and its last rows, the newest first."""
        rows = read_audit(self.store.reader())
        return check_audit(rows, self.store.audit_seal), rows[: -rows_max - 1 : -1]

    def holds(self) -> list[Hold]:
        """Return every legal hold, those that were released too."""
        return read_holds(self.store.reader())
