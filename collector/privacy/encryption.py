"""Pure: requests encrypted on their way to disk, in the log and in `rejected`.

An encrypted request is an envelope: a byte that no Protobuf message begins with, a version, the id
of the key, a check of the key, a salt, a number, and AES-256-GCM of the request, bound to where it
stands. Each process draws a salt and derives a key of its own from it, under which it counts its
nonces: so none is used twice, without a note on disk and without a bound on the number of frames
that random nonces have (2^32).

The frame around it (`collector.wal.frames`) is as it is for a plain request, with its CRC, so that
torn tails and damage are found without a key.
"""

from __future__ import annotations

import hmac
import itertools
import secrets
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from collector.core.errors import ConfigError, DecodeError
from collector.core.key_files import Key
from collector.wal.frames import TRAILER_BYTES, Frame, encode_frame, scan

# Field number 0 of wire type 7 is neither: the receiver refuses a request that begins so, and no
# plain frame is taken for an envelope.
MAGIC: Final = b"\x07\x01"
_CHECK_BYTES: Final = 8
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_DOMAIN: Final = b"millworth.log.v1|"
HEAD_BYTES_MAX: Final = len(MAGIC) + 1 + 12 + _CHECK_BYTES


class Cipher:
    """Encrypts under the newest key, and decrypts under any that it has.

    Args:
        keys: newest first; none: nothing is encrypted.
    """

    def __init__(self, keys: Sequence[Key] = ()) -> None:
        self._keys = {key.kid: key for key in keys}
        self._newest = keys[0] if keys else None
        self._salt = secrets.token_bytes(_SALT_BYTES)
        self._numbers = itertools.count()  # its next() is one step of the interpreter: no two alike

    @property
    def is_on(self) -> bool:
        """Return whether anything is encrypted."""
        return self._newest is not None

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Return an envelope; the plain bytes themselves where there is no key.

        Args:
            plain: what is to be encrypted.
            place: where it will stand; it opens nowhere else.
        """
        key = self._newest
        if key is None:
            return plain
        nonce = next(self._numbers).to_bytes(_NONCE_BYTES, "big")
        head = _head(key) + self._salt + nonce
        return head + _aead(key.secret, self._salt).encrypt(nonce, plain, head + place)

    def open(self, content: bytes, place: bytes) -> bytes:
        """Return what `seal` was given; plain bytes are returned as they are.

        Raises:
            ConfigError: its key is not among the keys, or is another under the same id.
            DecodeError: it was changed, or moved from its place.
        """
        if not content.startswith(MAGIC):
            return content
        key = self._key(content)
        offset = len(_head(key))
        salt = content[offset : offset + _SALT_BYTES]
        body = offset + _SALT_BYTES + _NONCE_BYTES
        nonce = content[offset + _SALT_BYTES : body]
        try:
            return _aead(key.secret, salt).decrypt(nonce, content[body:], content[:body] + place)
        except (InvalidTag, ValueError) as error:
            raise DecodeError("it was changed after it was encrypted, or moved") from error

    def check(self, content: bytes, what: str) -> None:
        """Refuse bytes that could not be opened later; their first HEAD_BYTES_MAX are enough.

        Raises:
            ConfigError: the key is missing or another.
        """
        if content.startswith(MAGIC):
            try:
                self._key(content)
            except ConfigError as error:
                raise ConfigError(f"{what} {error}") from error

    def _key(self, content: bytes) -> Key:
        size = content[len(MAGIC)] if len(content) > len(MAGIC) else 0
        start = len(MAGIC) + 1
        kid = content[start : start + size].decode("ascii", "replace")
        key = self._keys.get(kid)
        names = ", ".join(self._keys) or "none"
        if key is None:
            raise ConfigError(
                f"encrypted under key {kid!r}, and the keys are: {names}; add it to "
                "encryption.keys (MILLWORTH__ENCRYPTION__KEYS) behind the others; nothing is lost"
            )
        if not content.startswith(_head(key)):
            raise ConfigError(
                f"encrypted under another key than the one that is called {kid!r} now; give that "
                "one back its secret in encryption.keys; nothing is lost"
            )
        return key


def log_place(signal: str) -> bytes:
    """Return the place of a request in the log."""
    return b"log|" + signal.encode()


def rejected_place(item_id: str) -> bytes:
    """Return the place of bytes in `rejected`."""
    return b"rejected|" + item_id.encode()


def plain_segment(
    segment: bytes, cipher: Cipher, place: bytes
) -> tuple[bytes, tuple[Frame, ...], int]:
    """Return a segment with its requests decrypted, its frames, and how many bytes are torn off.

    The same segment gives the same bytes each time, so the store knows a repetition by its token.
    A frame that does not open, in spite of its CRC, becomes a damaged one and keeps its bytes.
    """
    scanned = scan(segment)
    torn_bytes = len(segment) - scanned.end
    if not any(segment.startswith(MAGIC, frame.body) for frame in scanned.frames):
        return segment, scanned.frames, torn_bytes
    parts: list[bytes] = []
    frames: list[Frame] = []
    offset = 0
    for frame in scanned.frames:
        part = segment[frame.start : frame.end]
        body = frame.body - frame.start
        is_intact = frame.is_intact
        if is_intact:
            try:
                request = cipher.open(frame.request(segment), place)
            except (ConfigError, DecodeError):
                is_intact = False
            else:
                part = encode_frame(request, frame.received_ns, frame.items)
                body = len(part) - len(request) - TRAILER_BYTES
        placed = replace(
            frame, start=offset, body=offset + body, end=offset + len(part), is_intact=is_intact
        )
        frames.append(placed)
        parts.append(part)
        offset += len(part)
    return b"".join(parts), tuple(frames), torn_bytes


def _head(key: Key) -> bytes:
    check = hmac.digest(key.secret, _DOMAIN + b"check", "sha256")[:_CHECK_BYTES]
    return MAGIC + bytes([len(key.kid)]) + key.kid.encode() + check


@lru_cache(maxsize=256)
def _aead(secret: bytes, salt: bytes) -> AESGCM:
    return AESGCM(hmac.digest(secret, _DOMAIN + b"key|" + salt, "sha256"))
