"""I/O: `millworth token new` and `millworth ready`."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from collector.auth.roles import Role
from collector.auth.tokens import Scope, TokenConfig, hash_text, new_token
from collector.core.clock import SystemClock
from collector.core.errors import InputError, complaint
from collector.core.times import NS_PER_S, NS_PER_US, duration_ns, iso_ns
from dashboard.cli.client import readiness
from dashboard.cli.console import OUT
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption, finite
from dashboard.settings.settings import load

token_app = typer.Typer(help="Make tokens for senders and readers.", no_args_is_help=True)

_EXPIRES_DEFAULT = "90d"


@token_app.command("new")
def token_new(
    name: Annotated[str, typer.Option(help="Who it is for: a-z, 0-9, dot, dash.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help=f"What it sends: {', '.join(Scope)}; several with commas, or the option again."
        ),
    ] = None,
    role: Annotated[
        str | None, typer.Option(help=f"Of who looks or acts: {', '.join(Role)}.")
    ] = None,
    expires: Annotated[
        str, typer.Option(help="So long from now (12h, 90d, 8w), a date, or never.")
    ] = _EXPIRES_DEFAULT,
    requests_per_s: Annotated[
        float | None, typer.Option(callback=finite, help="Its limit; by default none.")
    ] = None,
    bytes_per_s: Annotated[
        float | None, typer.Option(callback=finite, help="Its limit; by default none.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token, shown this once, and the entry of millworth.toml that lets it in.

    The entry holds a hash, from which the token cannot be had. Nothing is written.
    """
    token = new_token()
    scopes = [part.strip() for given in scope or () for part in given.split(",") if part.strip()]
    now = datetime.fromtimestamp(SystemClock().now_ns() // NS_PER_S, UTC)
    entry = _entry(
        {
            "name": name,
            "hash": hash_text(token),
            "scopes": scopes,
            "role": role,
            "expires": parse_expiry(expires, now),
            "requests_per_s": requests_per_s,
            "bytes_per_s": bytes_per_s,
        }
    )
    if as_json:
        print_json({"token": token, "entry": entry})
        return
    OUT.print(token)
    OUT.print("\nThat is the token, shown this once. The service needs this in millworth.toml:\n")
    sys.stdout.write(entry_toml(entry))


def ready(config: ConfigOption = None, url: UrlOption = None) -> None:
    """Ask the running service whether it is ready. Exit 1 where it is not, for health checks.

    What comes later than it should, and makes nothing wait, is said beside `ready`.
    """
    is_ready, state = readiness(load(config).settings, url)
    first, *lines = state.splitlines() or ["not ready"]
    late = [line for line in lines if ": not ready: " in line]
    sys.stdout.write("\n".join([first, *(late if is_ready else lines)]) + "\n")
    raise typer.Exit(0 if is_ready else 1)


def parse_expiry(text: str, now: datetime) -> datetime | None:
    """Return the instant that a person means, None for never. Raises InputError."""
    if text == "never":
        return None
    found_ns = iso_ns(text)
    try:
        if found_ns is None:
            found = now + timedelta(
                microseconds=duration_ns(text, "", ("h", "d", "w")) // NS_PER_US
            )
        else:
            found = datetime.fromtimestamp(found_ns // NS_PER_S, UTC)
    except (InputError, OverflowError) as error:
        raise InputError(
            f"--expires {text}: not a time; write for example 90d, 2027-06-30 or never"
        ) from error
    if found <= now:
        raise InputError(f"--expires {text}: has passed already; write a later one")
    return found


def entry_toml(entry: dict[str, Any]) -> str:
    """Return an entry of [[access.tokens]] as TOML."""
    lines = ["[[access.tokens]]"]
    for key, value in entry.items():
        # A date is bare in TOML; texts, numbers and lists of texts are as in JSON.
        shown = f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else json.dumps(value)
        lines.append(f"{key} = {shown}")
    return "\n".join(lines) + "\n"


def _entry(values: dict[str, Any]) -> dict[str, Any]:
    """Return what an entry has to say. Raises InputError that names the option that is wrong."""
    given = {key: value for key, value in values.items() if value is not None}
    try:
        made = TokenConfig.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if not first["loc"]:
            raise InputError(
                "--role: give a role to who looks or acts, --scope to what sends, or both"
            ) from error
        option = str(first["loc"][0]).replace("scopes", "scope").replace("_", "-")
        raise InputError(f"--{option}: {_remedy(option, complaint(first))}") from error
    # In the words of now: `read` was a scope once.
    meant = {**given, "scopes": [str(each) for each in made.scopes], "role": made.role}
    return {key: value for key, value in meant.items() if value is not None and value != []}


def _remedy(option: str, message: str) -> str:
    if option == "scope":
        return f"give one or more of {', '.join(Scope)}"
    if option == "role":
        return f"give one of {', '.join(Role)}"
    if option == "name":
        return "a-z, 0-9, dot and dash, at most 63 of them, beginning with a letter or a digit"
    return message
