"""I/O: seals a service's decisions on their way out; needs OpenTelemetry alone.

A decision is sealed in the thread that exports it, not in the request. That costs the request
nothing, and loses nothing: until it leaves the process, whoever can change it in memory can read
the key there as well, so an earlier seal would not bind them. Numbers are given in the order of
export, to decisions that are exported: one that is not sampled, or that a full queue refused, has
no number and is not missed; the instrument counts it. One that an exporter gave up on has a number,
and a verifier says that it is missing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from opentelemetry._logs import Logger, SeverityNumber
from opentelemetry.trace import SpanContext
from opentelemetry.trace.status import StatusCode

from collector.provenance import SIGNED, MacKey, Sealer
from collector.provenance_checkpoint import CHECKPOINT_EVENT, Checkpoint, Checkpointer, Sign
from collector.provenance_lines import checkpoint_attributes, seal_attributes

_ATTRIBUTES: Final = SIGNED[5:]  # the rest of the signed fields are of the span itself
_LOG: Final = logging.getLogger(__name__)


class DecisionSeal:
    """One producer's seal, for one `DecisionInstrument`.

    Args:
        key: of the chain; the verifier has the same one.
        producer: names the chain, such as service and instance; an epoch is added by itself.
        sign: Ed25519 over bytes; the key may be kept anywhere. Without it there are no checkpoints,
            and who has `key` can build the chain anew.
        sign_kid: id of the key behind `sign`.
        logger: of any logger provider that exports over OTLP; checkpoints are its log records.
    """

    def __init__(
        self,
        key: MacKey,
        producer: str,
        *,
        sign: Sign | None = None,
        sign_kid: str = "",
        logger: Logger | None = None,
    ) -> None:
        if (sign is None) != (logger is None) or (sign is None) != (not sign_kid):
            raise ValueError("checkpoints need all of sign, sign_kid and logger")
        self._sealer = Sealer(key, producer)
        self._logger = logger
        self._sign_kid = sign_kid
        self._sign = sign
        self._key = self._key_wanted = key
        self._checkpointer = self._make_checkpointer()

    def rotate(self, key: MacKey) -> None:
        """Seal with another key from the next decision on; may be called in any thread."""
        self._key_wanted = key

    def restart(self) -> None:
        """Begin an epoch of its own, in a forked child."""
        self._sealer.restart()
        self._checkpointer = self._make_checkpointer()

    def seal(
        self,
        attributes: MutableMapping[str, Any],
        context: SpanContext,
        start_ns: int,
        end_ns: int,
        status: StatusCode,
    ) -> None:
        """Add the seal to the attributes of a finished root span.

        A signed value that is neither text nor integer becomes the text that was signed, because
        no two renderings of a fraction need agree.
        """
        if self._key is not self._key_wanted:
            self._key = self._key_wanted
            self._sealer.rotate(self._key)
        for name in _ATTRIBUTES:
            value = attributes.get(name, "")
            if isinstance(value, bool) or not isinstance(value, str | int):
                attributes[name] = "" if value is None else str(value)
        event = self._sealer.seal(
            (
                f"{context.trace_id:032x}",
                f"{context.span_id:016x}",
                str(start_ns),
                str(end_ns),
                status.name.capitalize(),
                *[str(attributes.get(name, "")) for name in _ATTRIBUTES],
            )
        )
        attributes.update(seal_attributes(event))
        checkpointer = self._checkpointer
        if checkpointer is not None:
            self._emit(lambda: checkpointer.add(self._sealer.leaf))

    def cut(self, *, closing: bool = False) -> None:
        """Send a checkpoint over what waits for one; `closing` says that nothing follows."""
        checkpointer = self._checkpointer
        if checkpointer is not None:
            self._emit(lambda: checkpointer.cut(closing=closing))

    def _make_checkpointer(self) -> Checkpointer | None:
        if self._sign is None:
            return None
        return Checkpointer(self._sealer, self._sign_kid, self._sign)

    def _emit(self, make: Callable[[], Checkpoint | None]) -> None:
        try:
            checkpoint = make()
            if checkpoint is not None and self._logger is not None:
                self._logger.emit(
                    severity_number=SeverityNumber.INFO,
                    event_name=CHECKPOINT_EVENT,
                    attributes=checkpoint_attributes(checkpoint),
                )
        except Exception:  # noqa: BLE001  # a signing key that is kept elsewhere may be away
            # Its run stays without a checkpoint, which a verifier names; decisions go on.
            _LOG.exception("a checkpoint of sealed decisions could not be made")
