"""Pure: the page docs/reference/schema.md, from the registry itself; a test holds it."""

from __future__ import annotations

from typing import Final

from collector.core.event_schema import BUDGET_BYTES, CURRENT, PREVIOUS, SIGNED, EventField
from dashboard.docs.table import table

_HEAD: Final = """# Schema of decision events

A decision event is the root span of a decision. `decision.schema` says which version of these
fields it speaks: the current one and the one before it are taken. Another is kept in `rejected`
with the reason `schema_unknown`, because a name may mean something else in it; its span is stored
in `otel_traces` all the same, and `millworth rejected replay` makes it a decision once a program
runs that knows its version. What each field means is in [attributes.md](../use/attributes.md).

A field that is no part of any version is stored with the span and is in no figure. A value that
is not of its kind is unknown, never zero.

This page is written by `make example`.

"""


def schema_page() -> str:
    """Return the page."""
    return "".join((_HEAD, _versions(), _fields(), _mapping(), _budget()))


def _versions() -> str:
    rows = [
        (str(version.number), ", ".join(map(_spelled, version.spellings)), state)
        for version, state in ((CURRENT, "current"), (PREVIOUS, "still taken"))
    ]
    return "## Versions\n\n" + table(("version", "`decision.schema`", ""), rows)


def _fields() -> str:
    head = ("field", "kind", "in version", "sealed", "")
    return "## Fields\n\n" + table(head, map(_row, CURRENT.fields))


def _row(field: EventField) -> tuple[str, ...]:
    versions = [str(v.number) for v in (PREVIOUS, CURRENT) if field in v.fields]
    required = "required, unless a `[[decisions.match]]` rule names the span"
    return (
        f"`{field.name}`",
        str(field.kind),
        ", ".join(versions),
        "yes" if field.name in SIGNED else "",
        required if field.required else "",
    )


def _mapping() -> str:
    renamed = "".join(f"- `{old}` is `{new}` now.\n" for new, old in sorted(PREVIOUS.renamed))
    said = renamed or "- No field had another name.\n"
    absent = [f"`{f.name}`" for f in CURRENT.fields if f not in PREVIOUS.fields]
    return (
        f"## From version {PREVIOUS.number} to {CURRENT.number}\n\n"
        "An event of the version before is read field by field under the names that they had in "
        "it;\nnothing is rewritten.\n\n"
        f"{said}- It has no {', '.join(absent)}: it was sent before events said their version, "
        "and cannot be sealed.\n\n"
    )


def _budget() -> str:
    return f"""## Size

An event has a budget of {BUDGET_BYTES} bytes. Its size is that of its ids, times and values as a
row of texts (ClickHouse's RowBinary): every value counts with its bytes and one byte of length.
Names are not counted, since a table and a compressed batch hold each once. Every field filled as a
shop would makes 443 bytes with the first seal of a chain, and 330 without; on the wire the names
come on top, before compression some 970 bytes a span.

An event over the budget is taken like any other: what was decided must not be lost over what was
said of it. It is counted by service in `millworth_decision_events_over_budget_total`, the largest
is in `millworth_decision_event_bytes_max`, and the Health page names the service. Every 30 seconds
what came is measured, for a tenth of a second: at 60 decisions a second all of it, at thousands the
newest.
"""


def _spelled(text: str) -> str:
    return f"`{text}`" if text else "absent"
