"""I/O: the store at a start: its schema brought up by who receives, else checked; its currency."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from attribution.revenue.currency import claim_currency, require_currency
from collector.core.clock import OFF_NS, known_ns
from collector.core.errors import SchemaMissingError, TransientError
from collector.core.log import get_logger
from collector.core.times import NS_PER_DAY
from collector.store.client.keep_parts import keep_parts
from collector.store.connect import Connections
from collector.store.errors import explain
from collector.store.retention import begin_retention
from collector.store.schema.migrate import apply_views, migrate, pending_statements
from dashboard.service.role import Role
from dashboard.settings.settings import Settings

# What a role that writes does at last; without rows it leaves nothing.
_NO_ROWS = "INSERT INTO job_cursors (job, cursor_ns) SELECT '', 0 WHERE 0"

_log = get_logger("dashboard")


CLOCK_FILE: Final = "clock"  # beside the log: the time as it was known last


def require_clock(settings: Settings, now_ns: int) -> None:
    """Refuse to open an embedded store at a time at which its newest rows are over theirs.

    The engine merges in the moment in which it is opened, before it can be told to leave them. At
    a time that is in doubt, and at which some may be, it is kept from that.

    Raises:
        TransientError: names by how much the clock is ahead of when the store was open last; or the
            store could not be opened.
    """
    known = require_known_clock(settings, now_ns)
    if known and now_ns - known > OFF_NS:
        keep_parts(settings.store)


def require_known_clock(settings: Settings, now_ns: int) -> int:
    """Return when an embedded store was open last, 0 where nobody knows.

    Raises:
        TransientError: the clock is ahead of that by as much as rows are kept.
    """
    file = settings.wal_dir / CLOCK_FILE
    known = known_ns(file) if settings.store.embedded_path is not None else 0
    days = (now_ns - known) // NS_PER_DAY
    if known and days >= settings.retention.days_least:
        raise TransientError(
            f"the clock of this machine is {days} days ahead of when this store was open last, and "
            f"rows lapse after {settings.retention.days_least}: set it right; if it is, copy "
            f"{settings.store.place} if you need what is in it, and remove {file}"
        )
    return known


def prepare_store(
    store: Connections, settings: Settings, roles: Collection[Role], now_ns: int
) -> None:
    """Bring the schema up or check it, and check that the amounts are in the configured currency.

    Raises:
        MillworthError: a line that names what is in the way.
    """
    client, currency = store.client(), settings.attribution.currency
    knows_money = not {Role.COLLECT, Role.CAPTURE}.issuperset(roles)
    if Role.COLLECT in roles:
        # First: a view of these settings takes an outcome for one of their currency.
        if knows_money and client.command("EXISTS TABLE value_currencies"):
            require_currency(client, currency)
        bring_up(store, settings, now_ns)
    else:
        require_schema(store, settings, writes=set(roles) != {Role.SERVE})
    if Role.ATTRIBUTE in roles:
        claim_currency(client, currency)
    elif knows_money:
        require_currency(client, currency)


def bring_up(store: Connections, settings: Settings, now_ns: int) -> None:
    """Apply what the store lacks: migrations, views under these settings, and what keeps rows.

    What is to lapse sooner than before is begun by the job of retention, while it receives.

    Raises:
        MillworthError: the store does not take it.
    """
    s, client, cluster = settings, store.client(), settings.store.cluster
    applied = migrate(client, now_ns, cluster=cluster)
    if applied:
        _log.info("schema_migrated", migrations=len(applied), last=applied[-1])
    apply_views(client, s.attributes, s.decisions, s.outcomes, now_ns, cluster=cluster)
    days = s.collector.retention_days
    altered = begin_retention(
        client, s.retention, accepted_days=days, cluster=cluster, sooner=False
    )
    if altered:
        _log.info("retention_changed", tables=altered)


def require_schema(store: Connections, settings: Settings, *, writes: bool = True) -> None:
    """Check that the store has the schema of these settings, and takes rows from this user.

    Args:
        store: of the service.
        settings: of the service.
        writes: whether rows are written at all.

    Raises:
        SchemaMissingError: it lacks something; the text names the first.
        MigrationError: another build made it.
        StoreRefusedError: its user may not write.
    """
    s = settings
    pending = pending_statements(
        store.client(), s.attributes, s.decisions, s.outcomes, cluster=s.store.cluster
    )
    if pending:
        raise SchemaMissingError(
            f"the store lacks {pending[0].name} and {len(pending) - 1} more; start "
            "`millworth collect` with these settings, or run `millworth migrate`, first"
        )
    if writes:
        client = store.client()
        try:
            client.command(_NO_ROWS)
        except ClickHouseError as error:
            raise explain(error, str(client.uri)) from error
