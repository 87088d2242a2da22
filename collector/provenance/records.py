"""Pure: seals and checkpoints by their wire names."""

from __future__ import annotations

from collections.abc import Mapping

from collector.core.event_schema import (
    CLOSING,
    EPOCH,
    FIRST_SEQ,
    KID,
    LAST_SEQ,
    PREV,
    PREV_ROOT,
    PRODUCER,
    ROOT,
    SEQ,
    SIGNATURE,
    TAG,
)
from collector.provenance.checkpoint import Checkpoint
from collector.provenance.event import SEQ_DIGITS, Event, decimal_of


def seal_attributes(event: Event) -> dict[str, str]:
    """Return the seal of an event by its wire names."""
    return {
        KID: event.kid,
        PRODUCER: event.producer,
        EPOCH: event.epoch,
        SEQ: str(event.seq),
        PREV: event.prev,
        TAG: event.tag,
    }


def checkpoint_attributes(checkpoint: Checkpoint) -> dict[str, str]:
    """Return a checkpoint by its wire names, as the attributes of its log record."""
    return {
        KID: checkpoint.kid,
        PRODUCER: checkpoint.producer,
        EPOCH: checkpoint.epoch,
        FIRST_SEQ: str(checkpoint.first_seq),
        LAST_SEQ: str(checkpoint.last_seq),
        PREV_ROOT: checkpoint.prev_root,
        ROOT: checkpoint.root,
        CLOSING: "true" if checkpoint.closing else "false",
        SIGNATURE: checkpoint.signature,
    }


def checkpoint_of(values: Mapping[str, str]) -> Checkpoint:
    """Return the checkpoint of its wire names.

    Never raises: one that is not as it was signed fails its check, and is found by that.
    """
    return Checkpoint(
        kid=values.get(KID, ""),
        producer=values.get(PRODUCER, ""),
        epoch=values.get(EPOCH, ""),
        first_seq=decimal_of(values.get(FIRST_SEQ, ""), SEQ_DIGITS),
        last_seq=decimal_of(values.get(LAST_SEQ, ""), SEQ_DIGITS),
        prev_root=values.get(PREV_ROOT, ""),
        root=values.get(ROOT, ""),
        closing=values.get(CLOSING) == "true",
        signature=values.get(SIGNATURE, ""),
    )
