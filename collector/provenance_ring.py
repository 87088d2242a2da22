"""I/O: the file of the keys by which sealed decisions are judged."""

from __future__ import annotations

import os
from pathlib import Path

from collector.errors import InputError
from collector.keys import require_secret_mode
from collector.provenance_keys import KeyRing, read_keys


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
