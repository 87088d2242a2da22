"""Pure: options that several commands on alerts take."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.core.errors import InputError
from dashboard.settings.user import user_name

ByOption = Annotated[
    str | None, typer.Option("--by", help="Who does it, for the audit; by default this user.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]


def actor(by: str | None) -> str:
    """Return who acts."""
    return by or user_name()


def said(reason: str) -> str:
    """Return a reason. Raises InputError without one."""
    if not reason.strip():
        raise InputError("--reason is missing; say why: whoever reads the audit has only that")
    return reason
