"""I/O: the file of the keys by which sealed decisions are judged, and the audit of its changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from collector.audit import append_audit, last_act
from collector.errors import InputError
from collector.provenance_keys import KeyRing, read_keys
from collector.store.connect import Connections

_ACTION: Final = "provenance_keys"


def read_ring(path: Path) -> tuple[str, KeyRing]:
    """Return the text of a key ring and the ring.

    Raises:
        InputError: the file cannot be read or is no key ring; the message names no secret.
    """
    where = f"provenance.keys_path {path}"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{where}: cannot be read: {error.strerror}; correct the path, its owner or its mode"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8; it is read as TOML") from error
    return text, read_keys(text, where)


def note_ring(store: Connections, ring: KeyRing, now_ns: int) -> None:
    """Write the ids of the keys into the audit, and what each is good for, where that changed."""
    macs = {
        kid: "revoked"
        if key.revoked
        else "in force"
        if key.retired_ns is None
        else f"retired at {key.retired_ns}"
        for kid, key in ring.macs.items()
    }
    checkpoints = {
        kid: "revoked" if key.revoked else "in force" for kid, key in ring.checkpoints.items()
    }
    detail = json.dumps({"mac": macs, "checkpoint": checkpoints}, sort_keys=True)
    client = store.client()
    if last_act(client, _ACTION) != detail:
        append_audit(
            client,
            at_ns=now_ns,
            actor="millworth",
            action=_ACTION,
            detail=detail,
            seal=store.audit_seal,
        )
