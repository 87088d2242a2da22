"""I/O: brings a store to the schema of this program.

Migrations are forward-only files of one statement, in folders by what they make, remembered in a
ledger with their SHA-256: a file edited after it was applied stops the start. Every statement can
be run again, so a start that was killed resumes. Views that depend on configuration are rendered
from `views/` and changed whenever their text changes. On a cluster every statement names it, and
each table is a local one and a `Distributed` one (render.py, docs/adr).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.core.config import AttributesConfig, DecisionsConfig, OutcomesConfig
from collector.core.errors import MigrationError
from collector.core.event_schema import (
    ACCEPTED,
    DIMENSIONS,
    PREVIOUS,
    SIGNED_ATTRIBUTES,
    EventField,
    Version,
    names_of,
)
from collector.core.sql import fill, sql
from collector.otlp.outcomes import AMOUNT_MAX, KINDS, NO, NUMBER, YES
from collector.store.errors import explain
from collector.store.schema.cluster import DISTRIBUTED, render, render_migration
from collector.store.schema.match_rules import is_matched, literal, matched_action

MIGRATIONS_DIR = Path(__file__).parent / "migrations"
VIEWS_DIR = Path(__file__).parent / "views"

_VALUE_TEXT = sql("value_text", __file__)
# Decisions that nobody declared: the roots, by route. What a path holds of ids is not its name.
_ROOT = f"({sql('is_root', __file__)})"
_IS_DECLARED = sql("is_declared", __file__)
_NONE_DECLARED = f"({fill(sql('none_declared', __file__), is_declared=_IS_DECLARED)})"
# As a data directory of before the first release names what was applied to it.
_BEFORE_RELEASE = re.compile(r"\d{4}_")
_LEDGER_NAME = "schema_migrations"
_LEDGER = """CREATE TABLE IF NOT EXISTS schema_migrations${local} ${on_cluster} (
    name String,
    sha256 String,
    applied_ns UInt64
) ENGINE = ${replicated}MergeTree
ORDER BY name
"""
# What a customer may have in a header of a request: ids and dimensions.
_MAY_BE_LISTED = {"outcome.key", "outcome.id", *(each.name for each in DIMENSIONS)}
_STATED = re.compile(r"\$\{((attr|amount):([a-z0-9_.]+):(\w+))\}")
_VIEW_HEAD = re.compile(r"CREATE MATERIALIZED VIEW (?P<name>\w+) [^()]*? AS\n(?=SELECT|WITH)")


@dataclass(frozen=True, slots=True)
class Migration:
    """One statement as it is sent; `name` is its file's with its folder, without the ending."""

    name: str
    sha256: str
    statement: str


def load_migrations(
    directory: Path = MIGRATIONS_DIR, *, cluster: str = "", database: str = ""
) -> list[Migration]:
    """Read the migrations in order of their numbers, rendered for one machine or a cluster."""
    keys: dict[str, str] = {}
    texts = {
        f"{path.parent.name}/{path.stem}": path.read_text(encoding="utf-8")
        for path in sorted(directory.glob("*/[0-9]*.sql"))
    }
    return [
        Migration(rendered.name, _digest(rendered.identity), rendered.statement)
        for name, text in {
            **texts,
            **added_dimensions("\n".join(texts.values()), DIMENSIONS),
        }.items()
        for rendered in render_migration(name, text, cluster, database, keys)
    ]


def added_dimensions(columns: str, dimensions: Sequence[EventField]) -> dict[str, str]:
    """Return by name a statement for each dimension of the registry that no migration makes.

    A dimension is a text column of `decisions`: the registry says all that such a file would.

    Args:
        columns: the text of the migrations.
        dimensions: the registry's.
    """
    table = re.search(r"(?s)CREATE TABLE IF NOT EXISTS decisions\$.*?\n\)", columns)
    if table is None:
        return {}
    return {
        f"column decisions.{each.column}": "ALTER TABLE decisions${local} ${on_cluster} "
        f"ADD COLUMN IF NOT EXISTS {each.column} LowCardinality(String)"
        for each in dimensions
        if not re.search(rf"^    {each.column} ", table[0], re.MULTILINE)
    }


def migrate(
    client: Client,
    now_ns: int,
    *,
    cluster: str = "",
    dry_run: bool = False,
    directory: Path = MIGRATIONS_DIR,
) -> list[str]:
    """Apply what is pending and return its names, in order; with `dry_run` only name it.

    Raises:
        MigrationError: an applied file was edited, the store has a migration that this program
            does not know, or it was made for one machine and this is a cluster, or the reverse.
        StoreRefusedError: the store's user may not do this, or the store is too old.
        StoreUnavailableError: the store failed; the next call goes on where this one stopped.
    """
    migrations = load_migrations(directory, cluster=cluster, database=str(client.database))
    with _explained(client):
        applied = _applied(client)
        _refuse_drift(migrations, applied, cluster)
        pending = [migration for migration in migrations if migration.name not in applied]
        if not dry_run:
            for statement in ledger_statements(cluster, str(client.database)):
                client.command(statement)
            _apply(client, pending, now_ns)
    return [migration.name for migration in pending]


def _apply(client: Client, pending: Sequence[Migration], now_ns: int) -> None:
    with _remembered(client, now_ns) as applied_now:
        for migration in pending:
            client.command(migration.statement)
            applied_now.append(migration)


@contextmanager
def _remembered(client: Client, now_ns: int) -> Iterator[list[Migration]]:
    """Yield a list, and put what is in it at the end into the ledger, also after a failure."""
    applied: list[Migration] = []
    try:
        yield applied
    finally:
        # Once for all, since an insert costs as much as a statement does. A start that is killed
        # before it runs the statements again, which each of them allows.
        if applied:
            client.insert(
                _LEDGER_NAME,
                [[migration.name, migration.sha256, now_ns] for migration in applied],
                column_names=["name", "sha256", "applied_ns"],
            )


def pending_statements(
    client: Client,
    attributes: AttributesConfig,
    decisions: DecisionsConfig,
    outcomes: OutcomesConfig,
    *,
    cluster: str = "",
) -> list[Migration]:
    """Return what `migrate` and `apply_views` would send, in order, and change nothing.

    Raises:
        MigrationError: as `migrate`.
    """
    migrations = load_migrations(cluster=cluster, database=str(client.database))
    views = load_views(attributes, decisions, outcomes, cluster)
    with _explained(client):
        applied = _applied(client)
        digests = _view_digests(client) if applied else {}
    _refuse_drift(migrations, applied, cluster)
    return [m for m in migrations if m.name not in applied] + [
        view for view in views if digests.get(view.name) != view.sha256
    ]


def ledger_statements(cluster: str, database: str) -> list[str]:
    """Return what makes the ledger itself."""
    rendered = render_migration(_LEDGER_NAME, _LEDGER, cluster, database, {})
    return [statement.statement for statement in rendered]


def load_views(
    attributes: AttributesConfig,
    decisions: DecisionsConfig,
    outcomes: OutcomesConfig,
    cluster: str = "",
) -> list[Migration]:
    """Read the views that depend on configuration, rendered."""
    views = []
    for path in sorted(VIEWS_DIR.rglob("*.sql"), key=lambda path: path.name):
        text = render(path.read_text(encoding="utf-8"), cluster)
        statement = render_view(text, attributes, decisions, outcomes)
        views.append(Migration(f"view {path.stem}", _digest(statement), statement))
    return views


def apply_views(
    client: Client,
    attributes: AttributesConfig,
    decisions: DecisionsConfig,
    outcomes: OutcomesConfig,
    now_ns: int,
    *,
    cluster: str = "",
) -> list[str]:
    """Make the configured views, changing those whose text changed; return their names.

    A view that is there is changed in place: on a server another process may be inserting, and
    what passes while a view is away is lost to it. A view of another target needs another name.
    """
    with _explained(client), _remembered(client, now_ns) as changed:
        digests = _view_digests(client)
        for view in load_views(attributes, decisions, outcomes, cluster):
            if digests.get(view.name) == view.sha256:
                continue
            name = view.name.removeprefix("view ")
            # Asked of the store, since a start may have been killed before it wrote the ledger.
            ((exists,),) = client.query(f"EXISTS TABLE {name}").result_rows
            client.command((_change if exists else _create)(view.statement, cluster))
            changed.append(view)
    return [view.name.removeprefix("view ") for view in changed]


@contextmanager
def _explained(client: Client) -> Iterator[None]:
    """Turn an error of the client into one of ours."""
    try:
        yield
    except ClickHouseError as error:
        raise explain(error, str(client.uri)) from error


def _create(statement: str, _: str) -> str:
    """Return the statement that makes a view, which another process may make at this instant."""
    return statement.replace("MATERIALIZED VIEW ", "MATERIALIZED VIEW IF NOT EXISTS ", 1)


def _change(statement: str, cluster: str) -> str:
    """Return the statement that gives a view that is there its new text."""
    head = _VIEW_HEAD.search(statement)
    assert head is not None, f"a view begins otherwise: {statement[:200]}"
    alter = render(f"ALTER TABLE {head['name']} ${{on_cluster}} MODIFY QUERY", cluster)
    return f"{alter}\n{statement[head.end() :]}"


def render_view(
    template: str,
    attributes: AttributesConfig,
    decisions: DecisionsConfig,
    outcomes: OutcomesConfig,
    previous: Version = PREVIOUS,
    **parts: str,
) -> str:
    """Put a customer's names, root rules, currency and the versions taken into a view's text.

    `${attr:NAME:MAP}` is the value of our attribute NAME in the column MAP, the customer's own
    name after ours. Of the registry, `${dimensions:MAP}` is every dimension as its column, and
    `${signed_values:MAP}` and `${signed_columns:MAP}` are what a seal covers, in its order,
    without and with their names. `${amount:NAME:MAP}` the amount that it states; `${matches}`
    is true for a span that a rule makes a root; `${match_action}` is that rule's action;
    `${is_root}` is true for a root that may be a decision without a declaration,
    `${root_action}` is its action, `${none_declared}` is true while no decision was declared,
    and `${is_declared}` where `action` is that of one; `${currency}` is the currency of an
    outcome that names none; `${kinds}` lists what an outcome may be, `${yes}` and `${no}` the
    words of `outcome.converted`, `${accepted}` the values of `decision.schema` that are taken,
    and no amount reaches `${amount_max}`. A field's name in the version before comes second.
    Others are those of `parts`. What is put in is not looked through: a name may have `${`.
    """

    def attribute(canonical: str, column: str) -> str:
        own = attributes.name(canonical)
        names = names_of(canonical, own, previous)
        *others, last = [f"{column}[{literal(name)}]" for name in names]
        if own != canonical and canonical in _MAY_BE_LISTED:
            last = _only(last)
        for value in reversed(others):
            last = f"if({value} != '', {value}, {last})"
        return last

    text = re.sub(r"\$\{(dimensions|signed_values|signed_columns):(\w+)\}", _fields, template)
    stated = {
        part: _amount(attribute(*place)) if kind == "amount" else attribute(*place)
        for part, kind, *place in _STATED.findall(text)
    }
    words = {"kinds": KINDS, "yes": YES, "no": NO, "accepted": ACCEPTED}
    return fill(
        text,
        value_text=_VALUE_TEXT,
        matches=is_matched(decisions.match),
        match_action=matched_action(decisions.match),
        is_root=_ROOT if decisions.is_auto else "false",
        root_action=sql("root_action", __file__),
        none_declared=_NONE_DECLARED if decisions.is_auto else "false",
        is_declared=_IS_DECLARED,
        amount_max=str(AMOUNT_MAX),
        currency=literal(outcomes.currency),
        **{name: ", ".join(map(literal, values)) for name, values in words.items()},
        **stated,
        **parts,
    )


def _fields(match: re.Match[str]) -> str:
    """Return a placeholder for each field of the registry that one placeholder stands for."""
    which, column = match[1], match[2]
    if which == "dimensions":
        values = {each.column: f"${{attr:{each.name}:{column}}}" for each in DIMENSIONS}
        values["region"] = f"transform({values['region']}, ['*'], ['(*)'])"
        parts = [f"{value} AS {name}" for name, value in values.items()]
    elif which == "signed_values":
        parts = [f"${{attr:{name}:{column}}}" for name in SIGNED_ATTRIBUTES]
    else:
        parts = [f"${{attr:{name}:{column}}} AS `{name}`" for name in SIGNED_ATTRIBUTES]
    return ",\n    ".join(parts)


def _only(text: str) -> str:
    """Return what a list of one text holds, and all else as it is.

    Agents send a header of a request so, which may come several times.
    """
    listed = f"JSONExtract({text}, 'Array(String)')"
    return f"if(startsWith({text}, '[\"') AND length({listed}) = 1, {listed}[1], {text})"


def _amount(text: str) -> str:
    """Return the amount that a text states, null where it is no number or too large for one.

    The engine reads a number as far as it goes: 1.2.3 is 1.23 to it, and a hyphen 0. A program that
    counts in doubles sends 56.99999999999999 for 57, so what is beyond six places is rounded.
    """
    whole = f"toDecimal128OrNull(if(match({text}, {literal(NUMBER)}), {text}, ''), 18)"
    number = f"accurateCastOrNull(round({whole}, 6), 'Decimal(18, 6)')"
    return f"if(abs({number}) < {AMOUNT_MAX}, {number}, NULL)"


def _applied(client: Client) -> dict[str, str]:
    ((exists,),) = client.query("EXISTS TABLE schema_migrations").result_rows
    if not exists:
        return {}
    rows = client.query("SELECT name, sha256 FROM schema_migrations ORDER BY name").result_rows
    return {str(name): str(digest) for name, digest in rows if not str(name).startswith("view ")}


def _view_digests(client: Client) -> dict[str, str]:
    rows = client.query(
        "SELECT name, argMax(sha256, applied_ns) FROM schema_migrations"
        " WHERE startsWith(name, 'view ') GROUP BY name"
    ).result_rows
    return {str(name): str(digest) for name, digest in rows}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse_drift(migrations: Sequence[Migration], applied: dict[str, str], cluster: str) -> None:
    by_name = {migration.name: migration for migration in migrations}
    is_of_cluster = any(name.endswith(DISTRIBUTED) for name in applied)
    if applied and is_of_cluster != bool(cluster):
        made_for = "a cluster" if is_of_cluster else "one machine"
        raise MigrationError(
            f"the tables of this database were made for {made_for}; "
            f"{'name it in' if is_of_cluster else 'empty'} store.cluster, or name another "
            "database in store.database"
        )
    for name, digest in applied.items():
        if _BEFORE_RELEASE.match(name):
            raise MigrationError(
                f"the store has {name}, of a program of before the first release; name an empty "
                "directory or database in store.url, and keep the old one for the old program"
            )
        if name not in by_name:
            raise MigrationError(
                f"the store has migration {name}, which this program does not know; "
                "run the build of Millworth that wrote it, newer or older"
            )
        if by_name[name].sha256 != digest:
            raise MigrationError(
                f"the store was made by a build of Millworth whose migration {name} was another; "
                "run that build, or name an empty directory or database in store.url and keep the "
                "old one for it (whoever edited the file: restore it, and add a new migration)"
            )
