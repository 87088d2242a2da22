"""Pure: the key ring, from a TOML text; Ed25519 for checkpoints.

[[mac]]
kid = "shop-2026-11"
secret = "64 hex digits"
retired_ns = 1764547200000000000   # optional: rotated away then
revoked = true                     # optional: nothing under it counts

[[checkpoint]]
kid = "audit-2026"
public = "64 hex digits"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from collector.core.errors import InputError
from collector.provenance.checkpoint import Checkpoint, Sign
from collector.provenance.event import SECRET_BYTES_MIN, MacKey

PUBLIC_BYTES: Final = 32
_MAC_NAMES: Final = {"kid", "secret", "retired_ns", "revoked"}
_CHECKPOINT_NAMES: Final = {"kid", "public", "revoked"}


@dataclass(frozen=True, slots=True)
class CheckpointKey:
    """The public half of a key that signs checkpoints."""

    kid: str
    public: bytes
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Every key that a verifier knows, by id."""

    macs: Mapping[str, MacKey]
    checkpoints: Mapping[str, CheckpointKey]

    def check(self, checkpoint: Checkpoint) -> str:
        """Return why the checkpoint's signature does not count, "" where it does."""
        if not (checkpoint.producer and checkpoint.epoch):
            return "its seal is incomplete"
        key = self.checkpoints.get(checkpoint.kid)
        if key is None:
            return f"key {checkpoint.kid} is not among the keys"
        if key.revoked:
            return f"key {checkpoint.kid} is revoked"
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(
                bytes.fromhex(checkpoint.signature), checkpoint.statement()
            )
        except (InvalidSignature, ValueError):
            return "its signature is not of what it says"
        return ""


def signer(private: bytes) -> Sign:
    """Return what signs with an Ed25519 key of 32 bytes."""
    return Ed25519PrivateKey.from_private_bytes(private).sign


def public_of(private: bytes) -> bytes:
    """Return the public half of an Ed25519 key."""
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def read_keys(text: str, name: str) -> KeyRing:
    """Return the keys of a TOML text.

    Raises:
        InputError: the text is no key ring; the message names the key, never its secret.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name}: not TOML: {error}; write [[mac]] and [[checkpoint]]") from error
    unknown = document.keys() - {"mac", "checkpoint"}
    if unknown or not document:
        _refuse(name, f"holds {', '.join(sorted(unknown)) or 'nothing'}", "[[mac]]")
    macs: dict[str, MacKey] = {}
    for entry in _entries(document, "mac", name):
        kid = _kid(entry, macs, _MAC_NAMES, name)
        secret = _hex(entry, "secret", kid, name)
        if len(secret) < SECRET_BYTES_MIN:
            _refuse(name, f"secret of {kid} has {len(secret)} bytes", f"{SECRET_BYTES_MIN} or more")
        retired_ns = entry.get("retired_ns")
        if retired_ns is not None and type(retired_ns) is not int:
            _refuse(name, f"retired_ns of {kid} is not an integer", "Unix nanoseconds")
        macs[kid] = MacKey(kid, secret, _revoked(entry, kid, name), retired_ns)
    checkpoints: dict[str, CheckpointKey] = {}
    for entry in _entries(document, "checkpoint", name):
        kid = _kid(entry, checkpoints, _CHECKPOINT_NAMES, name)
        public = _hex(entry, "public", kid, name)
        if len(public) != PUBLIC_BYTES:
            _refuse(name, f"public of {kid} has {len(public)} bytes", f"{PUBLIC_BYTES}")
        checkpoints[kid] = CheckpointKey(kid, public, _revoked(entry, kid, name))
    return KeyRing(macs, checkpoints)


def _entries(document: Mapping[str, object], kind: str, name: str) -> list[Mapping[str, object]]:
    entries = document.get(kind, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        _refuse(name, f"{kind} is not a list of tables", f"[[{kind}]]")
    return entries


def _kid(
    entry: Mapping[str, object], kids: Mapping[str, object], names: set[str], name: str
) -> str:
    kid = entry.get("kid")
    if not isinstance(kid, str) or not kid:
        _refuse(name, "a key has no kid", 'kid = "..."')
    if kid in kids:
        _refuse(name, f"kid {kid} stands twice", "one entry a key")
    if unknown := entry.keys() - names:
        # A misspelt `revoked` would leave a stolen key in force.
        _refuse(name, f"{kid} has {', '.join(sorted(unknown))}", ", ".join(sorted(names)))
    return kid


def _revoked(entry: Mapping[str, object], kid: str, name: str) -> bool:
    revoked = entry.get("revoked", False)
    if not isinstance(revoked, bool):
        _refuse(name, f"revoked of {kid} is neither", "true or false")
    return revoked


def _hex(entry: Mapping[str, object], field: str, kid: str, name: str) -> bytes:
    try:
        return bytes.fromhex(str(entry.get(field, "")))
    except ValueError:
        _refuse(name, f"{field} of {kid} is not hex", "two digits a byte")


def _refuse(name: str, what: str, expected: str) -> NoReturn:
    raise InputError(f"{name}: {what}; expected is {expected}")
