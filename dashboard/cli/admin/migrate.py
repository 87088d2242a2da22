"""I/O: `millworth migrate`: the schema of the store, or what would be sent to it."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.core.clock import SystemClock
from dashboard.cli.console import OUT, counting
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption
from dashboard.settings.settings import load
from dashboard.settings.user import become_owner


def migrate(
    config: ConfigOption = None,
    dry_run: Annotated[bool, typer.Option(help="Only say what would be applied.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the store to the schema of this program. `up` does this by itself.

    With --dry-run each statement is printed as it would be sent, and nothing is changed.
    """
    from collector.store.connect import Connections
    from collector.store.retention import apply_retention
    from collector.store.schema.migrate import apply_views, pending_statements
    from collector.store.schema.migrate import migrate as apply
    from dashboard.service.schema import require_clock

    s = load(config).settings
    become_owner(s)
    require_clock(s, SystemClock().now_ns())
    store, cluster = Connections(s.store), s.store.cluster
    given = (s.attributes, s.decisions, s.outcomes)
    pending = pending_statements(store.client(), *given, cluster=cluster)
    altered: list[str] = []
    if not dry_run:
        now_ns = SystemClock().now_ns()
        apply(store.client(), now_ns, cluster=cluster)
        apply_views(store.client(), *given, now_ns, cluster=cluster)
        with counting("parts to recalculate for [retention]") as bar:
            task = bar.add_task("")
            altered = apply_retention(
                store.client(),
                s.retention,
                accepted_days=s.collector.retention_days,
                cluster=cluster,
                progress=lambda parts: bar.update(task, completed=parts),
            )
    store.close()
    if as_json:
        sent = [{"name": one.name, "statement": one.statement} for one in pending]
        names = [one.name for one in pending]
        more = {"statements": sent} if dry_run else {"retention": altered}
        answer = {"dry_run": dry_run, "migrations": names, **more}
        print_json(answer)
        return
    for one in pending:
        sql = f"-- {one.name}\n{one.statement.strip()};\n"
        OUT.print(sql if dry_run else f"applied {one.name}")
    for table in altered:
        OUT.print(f"applied retention of {table}")
    if not pending and not altered:
        OUT.print("nothing to do: the schema is current")
