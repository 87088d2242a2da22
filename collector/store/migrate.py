"""I/O: brings a store to the schema of this program.

Migrations are forward-only files of one statement, applied in order and remembered in a ledger
with their SHA-256: a file edited after it was applied stops the start. Every statement can be run
again, so a start that was killed resumes. Views that depend on configuration are rendered from
`views/` and remade whenever their text changes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.client import Client

from collector.config import AttributesConfig, DecisionMatch, DecisionsConfig, OutcomesConfig
from collector.errors import MigrationError

MIGRATIONS_DIR = Path(__file__).parent / "migrations"
VIEWS_DIR = Path(__file__).parent / "views"

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name String,
    sha256 String,
    applied_ns UInt64
) ENGINE = MergeTree ORDER BY name
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `name` without its ending, and the statement as it is sent."""

    name: str
    sha256: str
    statement: str


def load_migrations(directory: Path = MIGRATIONS_DIR) -> list[Migration]:
    """Read the migrations in order of their numbers, rendered for one machine."""
    return [
        Migration(
            name=path.stem,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            statement=_render_for_one_machine(path.read_text()),
        )
        for path in sorted(directory.glob("[0-9]*.sql"))
        if not path.read_text().startswith("-- Only: cluster")
    ]


def migrate(
    client: Client, now_ns: int, *, dry_run: bool = False, directory: Path = MIGRATIONS_DIR
) -> list[str]:
    """Apply what is pending and return its names, in order; with `dry_run` only name it.

    Raises:
        MigrationError: an applied file was edited, or the store has a migration that this
            program does not know.
    """
    migrations = load_migrations(directory)
    client.command(_LEDGER)
    applied = _ledger(client, "SELECT name, sha256 FROM schema_migrations ORDER BY name")
    _refuse_drift(migrations, applied)
    pending = [migration for migration in migrations if migration.name not in applied]
    if dry_run:
        return [migration.name for migration in pending]
    done: list[list[object]] = []
    try:
        for migration in pending:
            client.command(migration.statement)
            done.append([migration.name, migration.sha256, now_ns])
    finally:
        # Once for all, since an insert costs as much as a statement does. A start that is killed
        # before it runs the statements again, which each of them allows.
        if done:
            client.insert("schema_migrations", done, column_names=["name", "sha256", "applied_ns"])
    return [migration.name for migration in pending]


def apply_views(
    client: Client,
    attributes: AttributesConfig,
    decisions: DecisionsConfig,
    outcomes: OutcomesConfig,
    now_ns: int,
) -> list[str]:
    """Make the configured views, remaking those whose text changed; return their names.

    Called before anything is received, so nothing passes while a view is away.
    """
    known = _ledger(
        client,
        "SELECT name, argMax(sha256, applied_ns) FROM schema_migrations"
        " WHERE startsWith(name, 'view ') GROUP BY name",
    )
    made = []
    for path in sorted(VIEWS_DIR.glob("*.sql")):
        statement = render_view(path.read_text(), attributes, decisions, outcomes)
        digest = hashlib.sha256(statement.encode()).hexdigest()
        name = f"view {path.stem}"
        if known.get(name) == digest:
            continue
        client.command(f"DROP VIEW IF EXISTS {path.stem}")
        client.command(statement)
        client.insert(
            "schema_migrations",
            [[name, digest, now_ns]],
            column_names=["name", "sha256", "applied_ns"],
        )
        made.append(path.stem)
    return made


def render_view(
    template: str,
    attributes: AttributesConfig,
    decisions: DecisionsConfig,
    outcomes: OutcomesConfig,
) -> str:
    """Put a customer's names, root rules and currency into a view's text.

    `${attr:NAME:MAP}` is the value of our attribute NAME in the column MAP, the customer's own
    name after ours; `${matches}` is true for a span that a rule makes a root; `${match_action}`
    is that rule's action; `${currency}` is the currency of an outcome that names none.
    """

    def attribute(match: re.Match[str]) -> str:
        canonical, column = match[1], match[2]
        own = f"{column}[{_literal(canonical)}]"
        mapped = attributes.name(canonical)
        if mapped == canonical:
            return own
        return f"if({own} != '', {own}, {column}[{_literal(mapped)}])"

    text = re.sub(r"\$\{attr:([a-z0-9_.]+):(\w+)\}", attribute, template)
    text = text.replace("${matches}", _matches(decisions.match))
    text = text.replace("${match_action}", _match_action(decisions.match))
    return text.replace("${currency}", _literal(outcomes.currency))


def _matches(rules: Sequence[DecisionMatch]) -> str:
    return " OR ".join(f"({_condition(rule)})" for rule in rules) or "false"


def _match_action(rules: Sequence[DecisionMatch]) -> str:
    arms = "".join(
        f"{_condition(rule)}, {_literal(rule.action) if rule.action else 'toString(SpanName)'}, "
        for rule in rules
    )
    return f"multiIf({arms}'')" if arms else "''"


def _condition(rule: DecisionMatch) -> str:
    parts = []
    if rule.service:
        parts.append(f"ServiceName = {_literal(rule.service)}")
    if rule.span_name:
        parts.append(f"SpanName = {_literal(rule.span_name)}")
    if rule.kind:
        parts.append(f"SpanKind = {_literal(rule.kind.capitalize())}")
    parts += [
        f"SpanAttributes[{_literal(name)}] = {_literal(value)}"
        for name, value in sorted(rule.attributes.items())
    ]
    return " AND ".join(parts) or "false"  # an empty rule matches nothing, never everything


def _literal(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _ledger(client: Client, query: str) -> dict[str, str]:
    return {str(name): str(digest) for name, digest in client.query(query).result_rows}


def _render_for_one_machine(text: str) -> str:
    for placeholder in ("${on_cluster}", "${replicated}", "${local}"):
        text = text.replace(placeholder, "")
    return text


def _refuse_drift(migrations: Sequence[Migration], applied: dict[str, str]) -> None:
    by_name = {migration.name: migration for migration in migrations}
    for name, digest in applied.items():
        if name.startswith("view "):
            continue
        if name not in by_name:
            raise MigrationError(
                f"the store has migration {name}, which this program does not know; "
                "run the newer Millworth that wrote it"
            )
        if by_name[name].sha256 != digest:
            raise MigrationError(
                f"migration {name} was edited after it was applied; restore the file and put the "
                "change into a new migration"
            )
