"""Pure: options that several commands on alerts take."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

import typer

from collector.core.errors import InputError
from dashboard.settings.user import user_name

ByOption = Annotated[
    str | None, typer.Option("--by", help="Who does it, for the audit; by default this user.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]


class Api(Protocol):
    """What answers; `dashboard.cli.client.ApiClient` is one."""

    def get(self, path: str) -> dict[str, Any]:
        """Return the JSON of one resource."""
        ...

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send JSON and return JSON."""
        ...


def actor(by: str | None) -> str:
    """Return who acts."""
    return by or user_name()


def said(reason: str) -> str:
    """Return a reason. Raises InputError without one."""
    if not reason.strip():
        raise InputError("--reason is missing; say why: whoever reads the audit has only that")
    return reason
