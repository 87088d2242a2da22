"""I/O: `millworth verify audit`: whether what was done can have been changed unseen."""

from __future__ import annotations

import typer

from dashboard.cli.client import asked
from dashboard.cli.console import OUT
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption


def audit(config: ConfigOption = None, url: UrlOption = None, as_json: JsonOption = False) -> None:
    """Verify the audit: each row follows the one before it, sealed by the key. Exit 1 if not.

    The key and the number of the last row lie beside the write-ahead log (audit.key, audit.head),
    so that who may write to the store alone can neither change a row, nor cut the end, unseen.
    """
    state = asked("/api/v1/audit/check", config, url)
    is_broken = state["broken_seq"] is not None
    if as_json:
        print_json(state)
    elif is_broken:
        OUT.print(f"broken at row {state['broken_seq']:,}: {state['reason']}")
    else:
        OUT.print(f"{state['rows']:,} rows hold, the last is {state['last_seq']:,}")
    raise typer.Exit(int(is_broken))
