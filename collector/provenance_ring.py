"""I/O: the file of the keys by which sealed decisions are judged."""

from __future__ import annotations

from pathlib import Path

from collector.errors import InputError
from collector.provenance_keys import KeyRing, read_keys


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
