"""I/O: signed verdicts of the funding gate, and the files of the keys that sign them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from attribution.invest.gate import canonical, digest, reproduce
from collector.core.errors import InputError
from collector.core.key_files import require_secret_mode


def new_key(path: Path) -> Path:
    """Write a private key that only its owner can read, and the public one beside it."""
    public_path = path.with_name(path.name + ".pub")
    if path.exists() or public_path.exists():
        raise InputError(f"{path}: there is a key already; name another file")
    key = Ed25519PrivateKey.generate()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public_path.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return public_path


def read_private_key(key_path: Path) -> Ed25519PrivateKey:
    """Return the key that signs; asked before anything is ruled on, since a ruling is kept.

    Raises:
        InputError: it is not there, or none; or others may read it.
    """
    try:
        key = load_pem_private_key(read_bytes(key_path), None)
    except (ValueError, TypeError) as error:
        raise InputError(f"{key_path}: no private key without a password: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{key_path}: no Ed25519 key; make one with --new-key")
    require_secret_mode(key_path, key_path.stat().st_mode, "the key that signs")
    return key


def sign(document: dict[str, Any], key: Ed25519PrivateKey) -> tuple[str, str]:
    """Return the signature of a verdict, in hex, and the public key that it is by, in PEM."""
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return key.sign(canonical(document)).hex(), public.decode()


def read_verdict(path: Path) -> dict[str, Any]:
    """Return what `millworth vram gate` printed."""
    try:
        verdict: dict[str, Any] = json.loads(read_bytes(path))
        _ = (verdict["document"], verdict["sha256"], verdict["signature"])
        if not isinstance(verdict.get("public_key", ""), str | None):
            raise TypeError("public_key is not a text")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: no verdict ({error!r}); name one of vram gate") from error
    return verdict


def read_public_key(path: Path) -> str:
    """Return the text of a public key."""
    return read_bytes(path).decode("utf-8", "replace")


def faults(verdict: dict[str, Any], public_key: str | None) -> list[str]:
    """Return what is wrong with a verdict, a line each; nothing is good.

    Its figures are worked out again from its own inputs; its signature is checked where a public
    key is given.

    Raises:
        InputError: the key is none.
    """
    document, lines = verdict["document"], []
    try:
        if reproduce(document) != document:
            lines.append("its figures do not follow from its inputs")
    except ValueError as error:
        lines.append(str(error))
    if digest(document) != verdict["sha256"]:
        lines.append("its digest is of another document")
    if public_key is not None:
        lines += signature_faults(document, verdict["signature"], public_key)
    return lines


def signature_faults(document: dict[str, Any], signature: object, public_key: str) -> list[str]:
    """Return what is wrong with the signature of a document; nothing is good.

    Raises:
        InputError: the key is none.
    """
    try:
        key = load_pem_public_key(public_key.encode())
    except ValueError as error:
        raise InputError(f"the public key is none: {error}; give one in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InputError("the public key is not an Ed25519 key; give one in PEM")
    if not isinstance(signature, str):
        return ["it is not signed"]
    try:
        key.verify(bytes.fromhex(signature), canonical(document))
    except (InvalidSignature, ValueError):
        return ["its signature is not by this key"]
    return []


def read_bytes(path: Path, remedy: str = "name a file that can be read") -> bytes:
    """Return what is in a file. Raises InputError, with what to do about it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; {remedy}") from error
