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
import threading
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

from opentelemetry._logs import Logger, SeverityNumber
from opentelemetry.trace import SpanContext
from opentelemetry.trace.status import StatusCode

from collector.core.event_schema import OUTCOME_SIGNED, SIGNED, SUBJECT
from collector.instrument.forks import after_fork
from collector.provenance.checkpoint import CHECKPOINT_EVENT, Checkpoint, Checkpointer, Sign
from collector.provenance.event import Event, MacKey, Sealer, subject_of
from collector.provenance.records import checkpoint_attributes, seal_attributes

_ATTRIBUTES: Final = SIGNED[5:]  # the rest of the signed fields are of the span itself
_LOG: Final = logging.getLogger(__name__)


class _ChainSeal:
    """One producer's chain, and its checkpoints.

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
        """Seal with another key from the next event on; may be called in any thread."""
        self._key_wanted = key

    def restart(self) -> None:
        """Begin an epoch of its own, in a forked child."""
        self._sealer.restart()
        self._checkpointer = self._make_checkpointer()

    def _follow_key(self) -> None:
        if self._key is not self._key_wanted:
            self._key = self._key_wanted
            self._sealer.rotate(self._key)

    def _sealed(self, event: Event) -> dict[str, str]:
        checkpointer = self._checkpointer
        if checkpointer is not None:
            self._emit(lambda: checkpointer.add(self._sealer.leaf))
        return seal_attributes(event)

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


class DecisionSeal(_ChainSeal):
    """One producer's seal, for one `DecisionInstrument`; the arguments are those of a chain.

    `names` are your own names of signed attributes, as the service has them in [attributes.map]:
    what they yield is summed, and so it is what is sealed.
    """

    def __init__(
        self,
        key: MacKey,
        producer: str,
        *,
        sign: Sign | None = None,
        sign_kid: str = "",
        logger: Logger | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(key, producer, sign=sign, sign_kid=sign_kid, logger=logger)
        self._names = dict(names or {})

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
        self._follow_key()
        event = self._sealer.seal(
            (
                f"{context.trace_id:032x}",
                f"{context.span_id:016x}",
                str(start_ns),
                str(end_ns),
                status.name.capitalize(),
                *[self._text(attributes, name) for name in _ATTRIBUTES],
            )
        )
        attributes.update(self._sealed(event))

    def _text(self, attributes: MutableMapping[str, Any], name: str) -> str:
        """Return the text of a signed attribute, under our name or else under the customer's."""
        text = ""
        for each in (name, self._names.get(name, name)):
            value = attributes.get(each, "")
            if isinstance(value, bool) or not isinstance(value, str | int):
                value = attributes[each] = "" if value is None else str(value)
            text = text or str(value)
        return text


class OutcomeSeal(_ChainSeal):
    """One producer's seal of the outcomes that `outcome` sends, in whichever thread.

    Its chain is one of its own: name another `producer` than that of decisions, or the same one,
    whose epochs differ. `close` before the logger provider is shut down.
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
        super().__init__(key, producer, sign=sign, sign_kid=sign_kid, logger=logger)
        self._lock = threading.Lock()
        after_fork(self.restart)

    def restart(self) -> None:
        """Begin an epoch of its own, in a forked child, where no other thread holds the lock."""
        self._lock = threading.Lock()
        super().restart()

    def seal_outcome(self, values: Mapping[str, object], at_ns: int) -> dict[str, str]:
        """Return the attributes of the seal of an outcome, by the names of its attributes."""
        with self._lock:
            self._follow_key()
            ids = (
                str(values.get(name, "")) for name in ("outcome.id", "decision.id", "outcome.key")
            )
            subject = subject_of(self._key.secret, *ids)
            texts = {name: _outcome_text(values.get(name, "")) for name in OUTCOME_SIGNED}
            texts |= {"time_ns": str(at_ns), SUBJECT: subject}
            event = self._sealer.seal_outcome([texts[name] for name in OUTCOME_SIGNED])
            return {**self._sealed(event), SUBJECT: subject}

    def close(self) -> None:
        """Send the closing checkpoint."""
        with self._lock:
            self.cut(closing=True)


def _outcome_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
