"""I/O: whose token a request showed, and the audit of what was done for it."""

from __future__ import annotations

from contextvars import ContextVar

from collector.audit.log import append_audit
from collector.store.connect import Connections

NOBODY = "api"
_TOKEN: ContextVar[str] = ContextVar("token", default="")
_MAY_CHANGE: ContextVar[bool] = ContextVar("may_change", default=True)


def note_caller(token_name: str, *, may_change: bool = True) -> None:
    """Keep who makes the request of this context, and whether its token may change something.

    The name is empty where no token was asked for; then everybody may. The threads that answer the
    request copy the context, and so does what they call.
    """
    _TOKEN.set(token_name)
    _MAY_CHANGE.set(may_change)


def refusal() -> str:
    """Return why whoever makes the request of this context may change nothing, "" where it may."""
    if _MAY_CHANGE.get():
        return ""
    return (
        f"token {_TOKEN.get()} may look and not act: it lacks the scope admin; log in with one "
        "that has it (`millworth token new --scope read,admin`)"
    )


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
