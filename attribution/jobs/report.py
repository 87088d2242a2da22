"""Pure: what a run of the job says that it did."""

from __future__ import annotations

from dataclasses import dataclass

from attribution.path.revisions import Revisions


@dataclass(slots=True)
class AttributionReport:
    """What one run did."""

    attributed: int = 0  # decisions for the first time
    revised: int = 0  # decisions whose result a late span changed
    unchanged: int = 0  # decisions looked at again, with the same result
    spans: int = 0
    minutes_rewritten: int = 0
    cells_rewritten: int = 0
    cursor_ns: int = 0  # everything received up to here has been seen

    def count(self, revisions: Revisions) -> None:
        """Count decisions by their result."""
        self.attributed += int((revisions.is_new & (revisions.revision == 1)).sum())
        self.revised += int((revisions.is_new & (revisions.revision > 1)).sum())
        self.unchanged += int((~revisions.is_new).sum())
