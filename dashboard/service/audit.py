"""I/O: what a service writes into the audit of its own accord: its start and its settings."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from typing import Any, Final

from collector.audit.log import AuditState, append_audit, check_audit, last_act, read_audit
from collector.audit.seal import AuditSeal
from collector.core.log import get_logger
from collector.store.connect import Connections
from collector.store.schema.migrate import load_views
from collector.store.schema.view_times import note_views
from dashboard.settings.settings import Settings
from dashboard.settings.text import flat, masked
from dashboard.settings.user import user_name

ACTOR: Final = "millworth"
_CONFIGURED: Final = "configured"
_log = get_logger("dashboard")


def seal_audit(store: Connections, settings: Settings) -> AuditSeal:
    """Have what is done over this connection sealed by the key beside the log, which is there.

    Over an embedded store its directory is claimed before: the head in it is of one store.

    Raises:
        ConfigError: the key is gone, and the head of the chain is not.
    """
    store.audit_seal = seal = AuditSeal(settings.wal_dir)
    return seal


def note_start(store: Connections, settings: Settings, now_ns: int) -> None:
    """Write down that this process began, by whom, and its settings where they are others.

    Secrets are masked, and `marks` has a keyed digest of each, by key: without that, which is not
    in the store, nobody can try what it is of. `changed` names what differs from the last start.
    All that is done over this connection is sealed from now on.
    """
    seal = seal_audit(store, settings)
    who = {"version": version("millworth"), "user": user_name(), "pid": os.getpid()}
    _append(store, now_ns, "started", who)
    note_schema(store, settings, now_ns)
    said, last = flat(settings), last_act(store.client(), _CONFIGURED)
    detail: dict[str, Any] = json.loads(last) if last else {"settings": said}
    before, marks = detail["settings"], detail.get("marks", {})  # none by an earlier release
    covered = {name: _covered(name, text) for name, text in masked(settings).items()}
    changed = {name for name in {*before, *said} if before.get(name) != said.get(name)}
    # Of another machine, or of before the key was lost, nobody can tell.
    own_key = seal.seal(_covered("", ""))
    own = marks.get(own_key, {})
    changed |= {name for name in covered.keys() & own if seal.problem(own[name], covered[name])}
    if changed or not last or covered.keys() - own:
        marks |= {own_key: {name: seal.seal(each) for name, each in covered.items()}}
        told = {"changed": sorted(changed), "settings": said, "marks": marks}
        _append(store, now_ns, _CONFIGURED, told)


def _covered(name: str, text: str) -> bytes:
    # Begins as no row does, and two settings of one value have two marks.
    return f"setting {json.dumps([name, text])}".encode()


def note_schema(store: Connections, settings: Settings, now_ns: int) -> None:
    """Write down since when the views have their texts, where these settings changed one."""
    s = settings
    views = load_views(s.attributes, s.decisions, s.outcomes, s.store.cluster)
    note_views(store, views, now_ns)


def checked(store: Connections) -> AuditState:
    """Return whether the whole chain holds; where it does not, the log says so."""
    state = check_audit(read_audit(store.client()), store.audit_seal)
    if state.broken_seq is not None:
        _log.error("audit_broken", row=state.broken_seq, reason=state.reason)
    return state


def _append(store: Connections, now_ns: int, action: str, detail: dict[str, Any]) -> None:
    append_audit(
        store.client(),
        at_ns=now_ns,
        actor=ACTOR,
        action=action,
        detail=json.dumps(detail, sort_keys=True),
        seal=store.audit_seal,
    )
