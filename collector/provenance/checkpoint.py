"""Pure: signed roots over runs of a chain; needs the standard library alone.

Whoever holds the key of a chain can build it anew. A checkpoint is the Merkle tree hash of RFC 9162
(section 2.1.1) over a run of events, signed with a key that the producers' operators need not
hold, so that a chain built anew, or cut at its end, is found: by run, not by event. The tree needs
no MAC key, so that an auditor with the public key alone can check an archive.

The signature is a function that is passed in: Ed25519 is in `collector.provenance.keyring`, and
a customer may keep the key elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from collector.provenance.event import Sealer, netstrings

CHECKPOINT_EVENT: Final = "provenance.checkpoint"
CHECKPOINT_DOMAIN: Final = "millworth.provenance.checkpoint.v1"
NO_ROOT: Final = "0" * 64  # `prev_root` of the first checkpoint of an epoch
EVENTS_MAX: Final = 256

Sign = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One signed root. Hashes and the signature are lower-case hex."""

    kid: str
    producer: str
    epoch: str
    first_seq: int
    last_seq: int
    prev_root: str
    root: str
    closing: bool  # the producer ended: no event of this epoch comes after it
    signature: str = ""

    def statement(self) -> bytes:
        """Return what is signed."""
        return netstrings(
            (
                CHECKPOINT_DOMAIN,
                self.kid,
                self.producer,
                self.epoch,
                str(self.first_seq),
                str(self.last_seq),
                self.prev_root,
                self.root,
                "closing" if self.closing else "",
            )
        )[1:]


class Checkpointer:
    """Gathers the leaves of one chain and signs their root. One thread, as its sealer."""

    __slots__ = ("_epoch", "_first_seq", "_kid", "_leaves", "_prev_root", "_producer", "_sign")

    def __init__(self, sealer: Sealer, kid: str, sign: Sign) -> None:
        self._kid = kid
        self._sign = sign
        self._producer = sealer.producer
        self._epoch = sealer.epoch
        self._first_seq = 0
        self._prev_root = NO_ROOT
        self._leaves: list[bytes] = []

    def add(self, leaf: bytes) -> Checkpoint | None:
        """Add the next event; return a checkpoint where EVENTS_MAX events wait for one."""
        self._leaves.append(leaf)
        return self.cut() if len(self._leaves) >= EVENTS_MAX else None

    def cut(self, *, closing: bool = False) -> Checkpoint | None:
        """Return the checkpoint of what waits, None where nothing does and nothing ends."""
        if not self._leaves and not closing:
            return None
        # A closing checkpoint over no event covers first_seq to first_seq - 1.
        checkpoint = Checkpoint(
            kid=self._kid,
            producer=self._producer,
            epoch=self._epoch,
            first_seq=self._first_seq,
            last_seq=self._first_seq + len(self._leaves) - 1,
            prev_root=self._prev_root,
            root=merkle_root(self._leaves).hex(),
            closing=closing,
        )
        self._first_seq = checkpoint.last_seq + 1
        self._prev_root = checkpoint.root
        self._leaves = []
        return replace(checkpoint, signature=self._sign(checkpoint.statement()).hex())


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the tree hash over leaf hashes, each already hashed behind a zero byte.

    Pairing from the left and carrying an odd last one up is the tree of RFC 9162, which splits at
    the largest power of two.
    """
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        paired = [
            hashlib.sha256(b"\1" + left + right).digest()
            for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        level = [*paired, level[-1]] if len(level) % 2 else paired
    return level[0]
