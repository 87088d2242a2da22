"""I/O: the file of the keys by which sealed decisions are judged, and the audit of its changes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from collector.audit.log import append_audit, last_act
from collector.core.errors import InputError
from collector.core.key_files import require_secret_mode
from collector.provenance.keyring import KeyRing, read_keys
from collector.store.connect import Connections

_ACTION: Final = "provenance_keys"


def read_ring(path: Path, where: str = "") -> tuple[str, KeyRing]:
    """Return the text of a key ring and the ring.

    Args:
        path: the file.
        where: what to call it in messages; by default the setting that names it.

    Raises:
        InputError: the file cannot be read or is no key ring; the message names no secret.
        ConfigError: it holds secrets, and others may read it.
    """
    where = where or f"provenance.keys_path {path}"
    try:
        with path.open(encoding="utf-8") as opened:
            mode, text = os.fstat(opened.fileno()).st_mode, opened.read()
    except OSError as error:
        raise InputError(
            f"{where}: cannot be read: {error.strerror}; correct the path, its owner or its mode"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8; it is read as TOML") from error
    ring = read_keys(text, where)
    if ring.macs:  # the public halves of checkpoints are for everybody
        require_secret_mode(path, mode, "the key ring")
    return text, ring


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
