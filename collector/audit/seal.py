"""I/O: the key and the head of the audit's chain, beside the log: who has SQL alone has neither.

Of a row that is sealed the hash is `kid:` and an HMAC. The head says which row is the last, so that
an end that was cut off is seen, and from which row on every one is sealed. It moves after its row
is stored: a stop in between leaves a row behind it, which is sealed all the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from collector.core.errors import ConfigError
from collector.core.key_files import Key, made_keys_file

KEY_FILE: Final = "audit.key"
HEAD_FILE: Final = "audit.head"


@dataclass(frozen=True, slots=True)
class Head:
    """The last row of the chain, and the first that a key sealed."""

    seq: int
    hash: str
    first_seq: int


class AuditSeal:
    """Seals rows, and keeps the head; one file a store, whichever process writes.

    Args:
        directory: of the log.

    Raises:
        ConfigError: the key is gone and the head is not, or one of both cannot be read.
    """

    def __init__(self, directory: Path) -> None:
        self.head_path = directory / HEAD_FILE
        key = directory / KEY_FILE
        if self.head_path.exists() and not key.exists():
            raise ConfigError(
                f"{key} is gone, which sealed the audit: put it back from your backup; without "
                f"it, remove {self.head_path} as well, and `millworth verify audit` will say so"
            )
        self._keys: dict[str, Key] = {
            each.kid: each for each in made_keys_file(key, "the key of the audit")
        }
        self._newest = next(iter(self._keys.values()))

    def seal(self, covered: bytes) -> str:
        """Return the hash of a row's content under the newest key."""
        return f"{self._newest.kid}:{_mac(self._newest, covered)}"

    def problem(self, seal: str, covered: bytes) -> str:
        """Return why a sealed row's hash does not hold, "" where it does."""
        kid, _, mac = seal.partition(":")
        key = self._keys.get(kid)
        if key is None:
            return f"it is sealed by key {kid[:20]!r}, which is not here"
        return (
            ""
            if hmac.compare_digest(mac.encode(), _mac(key, covered).encode())
            else "it was changed"
        )

    def head(self) -> Head | None:
        """Return the head; None where nothing was sealed yet.

        Raises:
            ConfigError: its file is not as it was written.
        """
        try:
            text = self.head_path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            return Head(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise ConfigError(
                f"{self.head_path}: not as it was written; put it back from your backup, or "
                "remove it, and `millworth verify audit` cannot tell a cut end"
            ) from error

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Have the chain alone, among all processes of this machine."""
        lock = os.open(
            self.head_path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def move(self, head: Head) -> None:
        """Write the head down; it is on disk when this returns."""
        draft = self.head_path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, json.dumps(asdict(head)).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(self.head_path)


def _mac(key: Key, covered: bytes) -> str:
    return hmac.digest(key.secret, covered, hashlib.sha256).hex()
