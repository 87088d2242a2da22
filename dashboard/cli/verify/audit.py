"""I/O: `millworth verify audit`: whether what was done can have been changed unseen."""

from __future__ import annotations

from typing import Any, Protocol

import typer
from rich.console import Console

from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption
from dashboard.settings.settings import load


class Api(Protocol):
    """What answers; `dashboard.cli.client.ApiClient` is one."""

    def get(self, path: str) -> dict[str, Any]:
        """Return the JSON of one resource."""
        ...


def audit(config: ConfigOption = None, url: UrlOption = None, as_json: JsonOption = False) -> None:
    """Verify the audit: each row follows the one before it, sealed by the key. Exit 1 if not.

    The key and the number of the last row lie beside the write-ahead log (audit.key, audit.head),
    so that who may write to the store alone can neither change a row, nor cut the end, unseen.
    """
    # Loading the service's side takes a second, which no other command needs.
    from dashboard.cli.client import ApiClient

    with ApiClient.open(load(config).settings, url) as api:
        is_broken = show_audit(api, as_json=as_json)
    raise typer.Exit(int(is_broken))


def show_audit(api: Api, *, as_json: bool) -> bool:
    """Print how the chain stands; return whether it is broken."""
    state = api.get("/api/v1/audit/check")
    is_broken = state["broken_seq"] is not None
    if as_json:
        print_json(state)
        return is_broken
    out = Console(highlight=False, soft_wrap=True, markup=False)
    if is_broken:
        out.print(f"broken at row {state['broken_seq']:,}: {state['reason']}")
    else:
        out.print(f"{state['rows']:,} rows hold, the last is {state['last_seq']:,}")
    return is_broken
