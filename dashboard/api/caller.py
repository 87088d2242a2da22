"""I/O: who makes a request and what it may do, and the audit of what was done for it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Annotated

from pydantic import AfterValidator, Field

from collector.audit.log import append_audit
from collector.auth.gate import Gate, Sender, denial
from collector.auth.roles import Role
from collector.auth.tokens import Scope
from collector.store.connect import Connections

# Who gave no name, by a page, a command or a program of their own: nobody knows which.
NOBODY = "somebody unnamed"


def _is_shown(name: str) -> str:
    if not name.isprintable():
        # A line break would begin a line of a report, and others turn around what follows.
        raise ValueError("has a character that cannot be seen; write the name without it")
    return name


# Who a request says that it is of: it stands in the audit, on pages and in messages.
Actor = Annotated[str, AfterValidator(_is_shown), Field(min_length=1, max_length=200)]
LISTENER = "dashboard"
_ANYBODY = Sender()
_SENDER: ContextVar[Sender] = ContextVar("sender", default=_ANYBODY)
_GATE: ContextVar[Gate | None] = ContextVar("gate", default=None)


def note_caller(sender: Sender, gate: Gate | None = None) -> None:
    """Keep who makes the request of this context, and the gate that let it in.

    Where nobody was asked who it is, everybody may do everything. The threads that answer the
    request copy the context, and so does what they call: a tool of `/mcp` asks as its agent.
    """
    _SENDER.set(sender)
    _GATE.set(gate)


def current() -> Sender:
    """Return who makes the request of this context."""
    return _SENDER.get()


def require(*needed: Scope | Role) -> None:
    """Raise PermissionDeniedError where whoever makes the request may do none of these."""
    gate = _GATE.get()
    if gate is not None:
        gate.require(LISTENER, current(), *needed)


def refusal(role: Role) -> str:
    """Return why whoever makes the request may not do what needs a role, "" where it may."""
    sender = current()
    return "" if sender.may(role) else denial(sender, role)


def caller(claimed: str = NOBODY) -> str:
    """Return who makes the request of this context.

    Args:
        claimed: who the request says that it is; the token or user beside it says who vouches.
    """
    known = str(current())
    if not known:
        return claimed
    return known if claimed == NOBODY else f"{claimed} ({known})"


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
