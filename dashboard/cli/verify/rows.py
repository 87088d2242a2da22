"""I/O: what `millworth verify provenance` says of the rows that money is summed from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from collector.provenance.verify import Report, Verdict
from dashboard.cli.console import OUT, quoted

SHOWN_MAX: Final = 50  # a person reads the first ones; all of them are in the JSON


@dataclass(slots=True)
class RowsReport:
    """What became of the rows that money is summed from."""

    decisions: int = 0
    outcomes: int = 0
    imported: int = 0
    replaced: int = 0
    unaudited: int = 0
    earlier: int = 0
    withdrawn: int = 0
    changed: list[dict[str, Any]] = field(default_factory=list)
    undated: list[str] = field(default_factory=list)

    def add(self, page: dict[str, Any], report: Report) -> None:
        """Take what the service said of one window.

        A row that it says it took out of the sums is deleted, unless the event has the verdict.
        """
        self.decisions += page["decisions"]
        self.outcomes += page["outcomes"]
        self.imported += page["imported"]
        self.replaced += page["replaced"]
        self.unaudited += page["unaudited"]
        self.undated = sorted({*self.undated, *page["undated"]})
        for each in page["changed"]:
            if each["kind"] == "withdrawn" and _is_told(each, report):
                self.withdrawn += 1
            elif each["is_earlier"]:
                self.earlier += 1
            else:
                kind = "deleted" if each["kind"] == "withdrawn" else each["kind"]
                self.changed.append({**each, "kind": kind})


def _is_told(row: dict[str, Any], report: Report) -> bool:
    """Return whether a verdict of this run is why a row is not there."""
    subject = row["span_id"].removeprefix("outcome:")
    if row["table"] == "outcomes" and not subject:
        return Verdict.UNSIGNED in row["columns"]  # its own record has no seal
    return any(
        (finding.trace_id == row["trace_id"] if row["trace_id"] else finding.subject == subject)
        or (finding.line is None and finding.verdict in row["columns"])
        for finding in report.findings
    )


def show_rows(rows: RowsReport) -> None:
    """Write whether the rows that money is summed from are those of their events."""
    OUT.print(
        f"{rows.decisions:,} rows of decisions and {rows.outcomes:,} of outcomes compared with "
        f"their events: {len(rows.changed):,} not as they were sent"
    )
    for each in rows.changed[:SHOWN_MAX]:
        where = f", trace {quoted(each['trace_id'])}" if each["trace_id"] else ""
        columns = f": {', '.join(each['columns'])}" if each["columns"] else ""
        OUT.print(f"{each['kind']}: row of {each['table']} {quoted(each['id'])}{where}{columns}")
    if len(rows.changed) > SHOWN_MAX:
        OUT.print(f"and {len(rows.changed) - SHOWN_MAX:,} more; --json has all of them")
    if rows.withdrawn:
        OUT.print(f"{rows.withdrawn:,} are in no sum for what is said of them above")
    if rows.imported:
        OUT.print(
            f"{rows.imported:,} outcomes came from files, which have no event to compare; "
            f"{rows.replaced:,} of files stand where one of the same id was sent"
        )
    if rows.unaudited:
        OUT.print(
            f"inserted: {rows.unaudited:,} outcomes say that they came from files, and the audit "
            "has no import of them; import the files again, or find out who wrote them"
        )
    for table in rows.undated:
        OUT.print(
            f"the audit does not say since when names are mapped to {table} as they are, so a row "
            "of before that differs is a finding; see `millworth verify audit`, and start the "
            "service with its settings where they are others"
        )
    if rows.earlier:
        OUT.print(
            f"{rows.earlier:,} rows differ whose events came before names were mapped as they are"
        )
