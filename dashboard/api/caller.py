"""I/O: whose token a request showed, and the audit of what was done for it."""

from __future__ import annotations

from contextvars import ContextVar

from collector.audit.log import append_audit
from collector.store.connect import Connections

NOBODY = "api"
_TOKEN: ContextVar[str] = ContextVar("token", default="")


def note_caller(token_name: str) -> None:
    """Keep who makes the request of this context; empty where no token was asked for.

    The threads that answer it copy the context, and so does what they call.
    """
    _TOKEN.set(token_name)


def caller(claimed: str = NOBODY) -> str:
    """Return who makes the request of this context.

    Args:
        claimed: who the request says that it is; the token beside it says who vouches.
    """
    token = _TOKEN.get()
    if not token:
        return claimed
    return f"token {token}" if claimed == NOBODY else f"{claimed} (token {token})"


def audit(store: Connections, now_ns: int, action: str, detail: str = "") -> None:
    """Write into the audit what was done for whoever makes the request of this context."""
    append_audit(
        store.client(),
        at_ns=now_ns,
        actor=caller(),
        action=action,
        detail=detail,
        seal=store.audit_seal,
    )
