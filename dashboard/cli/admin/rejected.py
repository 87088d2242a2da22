"""I/O: `millworth rejected`: what was rejected, and its replay once the cause is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from collector.core.clock import SystemClock
from collector.core.times import duration_ns
from dashboard.cli.client import Api, asking
from dashboard.cli.console import OUT, counting, quoted
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption

_SHOWN_MAX = 200  # a person reads the first ones; all of them are in the JSON

ReasonOption = Annotated[str, typer.Option(help="Only with this reason code.")]
SinceOption = Annotated[
    str, typer.Option(help="Only what arrived in this time: a number and s, m, h or d.")
]


rejected_app = typer.Typer(
    help="What was rejected, and its way back in once the cause is gone.", no_args_is_help=True
)


@rejected_app.command("list")
def list_rejected(
    reason: ReasonOption = "",
    since: SinceOption = "",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was rejected, oldest first, and its state. Exit 1 if any is not stored."""
    with asking(config, url) as api:
        found = show_rejected(api, reason, _from_ns(since), as_json=as_json)
    raise typer.Exit(1 if found else 0)


@rejected_app.command("replay")
def replay_rejected(
    reason: ReasonOption = "",
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="Only this item. Repeatable.")
    ] = None,
    since: SinceOption = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")
    ] = False,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send rejected items through the same checks again. Exit 1 if any is still refused.

    Do it after a fix: an upgrade, a mapped name in [attributes.map], a longer retention. What an
    earlier replay has stored is left alone, so a second call changes nothing.
    """
    body = {
        "reason": reason,
        "ids": ids or [],
        "from_ns": _from_ns(since),
        "dry_run": dry_run,
    }
    with asking(config, url) as api:
        left = show_replays(api, body, as_json=as_json)
    raise typer.Exit(1 if left else 0)


def show_rejected(api: Api, reason: str, from_ns: int, *, as_json: bool) -> bool:
    """Print what was rejected; return whether any of it is not stored."""
    items = list(_items(api, reason, from_ns))
    if as_json:
        print_json({"items": items})
    else:
        _show_items(items)
    return any(item["result"] != "stored" for item in items)


def show_replays(api: Api, body: dict[str, Any], *, as_json: bool) -> bool:
    """Replay, and print the result of each item; return whether any is still refused."""
    replays = list(_replays(api, body))
    dry_run = bool(body["dry_run"])
    if as_json:
        answer = {"dry_run": dry_run, "replays": replays}
        print_json(answer)
    else:
        _show_replays(replays, dry_run=dry_run)
    return any(replay["result"] in ("refused", "gone") for replay in replays)


def _items(api: Api, reason: str, from_ns: int) -> Iterator[dict[str, Any]]:
    next_place = ""
    while True:
        query = urlencode({"reason": reason, "from_ns": from_ns, "after": next_place})
        answer = api.get(f"/api/v1/rejected?{query}")
        yield from answer["items"]
        next_place = answer["next"]
        if not next_place:
            return


def _replays(api: Api, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    with counting("items") as progress:
        task = progress.add_task("", total=None)
        next_place = ""
        while True:
            answer = api.post("/api/v1/rejected/replay", {**body, "after": next_place})
            yield from answer["replays"]
            progress.advance(task, len(answer["replays"]))
            next_place = answer["next"]
            if not next_place:
                return


def _show_items(items: list[dict[str, Any]]) -> None:
    for item in items[:_SHOWN_MAX]:
        size = f", {item['bytes']:,} bytes kept" if item["bytes"] else ""
        became = item["result"] or "not replayed"
        # As JSON writes them: names and texts are a sender's, and must not reach a terminal as
        # they are.
        OUT.print(
            f"{item['id']} {item['signal']} {item['reason_code']} {quoted(item['item_id'])}"
            f"{size}: {quoted(item['detail'])} ({became})"
        )
    _say_more(len(items))
    counts = Counter(item["reason_code"] for item in items)
    OUT.print(", ".join(f"{n:,} {code}" for code, n in counts.items()) or "nothing was rejected")


def _show_replays(replays: list[dict[str, Any]], *, dry_run: bool) -> None:
    for one in replays[:_SHOWN_MAX]:
        count = f", {one['items']:,} items" if one["items"] else ""
        why = f": {quoted(one['detail'])}" if one["detail"] else ""
        OUT.print(f"{one['id']} {one['signal']} {one['reason_code']}: {one['result']}{count}{why}")
    _say_more(len(replays))
    counts = Counter(one["result"] for one in replays)
    summary = ", ".join(f"{n:,} {result}" for result, n in counts.items())
    OUT.print(f"{'would be: ' if dry_run and summary else ''}{summary or 'nothing to replay'}")


def _say_more(count: int) -> None:
    if count > _SHOWN_MAX:
        OUT.print(f"and {count - _SHOWN_MAX:,} more; --json has all of them")


def _from_ns(since: str) -> int:
    """Return since when, 0 for any time."""
    if not since:
        return 0
    return max(0, SystemClock().now_ns() - duration_ns(since, "--since"))
