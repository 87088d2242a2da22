"""I/O: one request from its bytes to the log, the same for both transports."""

from __future__ import annotations

import threading
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path

from collector.core.clock import Clock, RisingClock
from collector.core.config import AttributesConfig
from collector.core.counters import Counters
from collector.core.errors import (
    ClientGoneError,
    DecodeError,
    LogFullError,
    LogWriteError,
    TransientError,
)
from collector.core.log import get_logger
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S, utc_iso
from collector.otlp.check import Checked, Signal, check, limits_at, response
from collector.otlp.limits import Limits
from collector.privacy.guard import Protection
from collector.privacy.redact import OTHER, Changes
from collector.privacy.rules import IdentifiersConfig
from collector.receive.plain_spans import PlainSpanScanner
from collector.wal.frames import NO_DIGEST
from collector.wal.log import Budget, Log
from collector.wal.receipts import Receipt, logged

_LOG = get_logger("collector")
# How long a sender is asked to wait when the log cannot be written: a disk says nothing of when.
_REPAIR_SECONDS = 2
# Senders make up names, and each that is counted by is a series of its own.
_CHANGED_NAMES_MAX = 200
_SAY_AGAIN_NS = NS_PER_MINUTE
_WHY_CHARS_MAX = 400


class Intake:
    """Checks requests, hands them to the log of their signal and counts them."""

    def __init__(
        self,
        logs: Mapping[Signal, Log],
        budget: Budget,
        retention_days: int,
        attributes: AttributesConfig,
        counters: Counters,
        clock: Clock,
        protection: Protection | None = None,
        *,
        rising: RisingClock | None = None,
        is_native: bool = False,
    ) -> None:
        self._logs = logs
        self._budget = budget
        self._retention_days = retention_days
        self._attributes = attributes
        self._counters = counters
        self._clock = clock
        self._rising = rising or RisingClock(clock)
        self._protection = protection or Protection(IdentifiersConfig(enabled=False))
        names = limits_at(0, 0, attributes).stamp_names
        self._plain = PlainSpanScanner(self._protection.has_rule, names) if is_native else None
        self._lock = threading.Lock()
        self._acknowledged = dict.fromkeys(Signal, 0)
        self._refused = 0
        self._refused_last = ""
        self._changed_names = {OTHER}
        self._said_ns: dict[tuple[Signal, str], int] = {}

    def receive(
        self,
        signal: Signal,
        body: Callable[[], bytes] | bytes,
        transport: str,
        is_gone: Callable[[], bool],
        *,
        is_live: bool = True,
    ) -> Receipt:
        """Take one request; of one that was taken already, return its receipt.

        Args:
            signal: what the sender says it is.
            body: a serialised export request, or what makes one of what was sent.
            transport: grpc or http, for the count.
            is_gone: whether nobody waits for the answer any more.
            is_live: whether it comes from a sender, not out of a file.

        Raises:
            DecodeError: it is not a request of this signal.
            LogFullError: the log holds all it may; the sender has to retry.
            RequestTooLargeError: the log never holds so much.
            ClientGoneError: the sender is gone; nothing was kept.
        """
        began_ns = self._clock.monotonic_ns()
        receipts = self._logs[signal].receipts
        try:
            request = body if isinstance(body, bytes) else body()
            digest = receipts.digest(request)
            if (receipt := receipts.find(digest)) is not None:
                self._counters.repeated.labels(signal).inc()
                return receipt
            now_ns = self._clock.now_ns()
            limits = self._limits(now_ns)
            checked = self._take_plain(signal, request, limits) or self._check(
                signal, request, limits, now_ns
            )
        except DecodeError as error:
            self._refuse(signal, {"undecodable": 1}, str(error))
            raise
        if receipts.is_earlier(digest):
            # Its sender has not heard yet what of it was refused.
            self._counters.repeated.labels(signal).inc()
            return Receipt(response(signal, checked), logged())
        self._counters.received.labels(signal, transport).inc(
            checked.accepted + checked.refused_count
        )
        self._refuse(signal, checked.refused, checked.message, checked.service)
        if is_gone():
            self._refuse(signal, {"client_gone": checked.accepted})
            raise ClientGoneError("nobody waits for the answer, so nothing is kept; send it again")
        return self._log(signal, checked, digest, transport, began_ns, is_live=is_live)

    def takes_spans(self, request: bytes) -> bool:
        """Return whether a request of spans has one that passes the checks now."""
        return check(Signal.TRACES, request, self._limits(self._clock.now_ns())).accepted > 0

    def _limits(self, now_ns: int) -> Limits:
        # One that was years ahead for a moment is no clock to go by.
        most_ns = now_ns + self._retention_days * NS_PER_DAY
        newest_ns = min(self._rising.now_ns(), most_ns)
        return limits_at(now_ns, self._retention_days, self._attributes, newest_ns)

    def _take_plain(self, signal: Signal, request: bytes, limits: Limits) -> Checked | None:
        """Return a request of spans as it goes to the log where one look at its bytes is enough."""
        if self._plain is None or signal is not Signal.TRACES:
            return None
        plain = self._plain.scan(request, limits)
        if plain is None or (
            self._protection.may_hold_pattern(request)
            if plain.doubtful is None
            else self._protection.holds_pattern(plain.doubtful)
        ):
            return None
        return Checked(request, plain.spans, {}, "", plain.trace_id)

    def _check(self, signal: Signal, request: bytes, limits: Limits, now_ns: int) -> Checked:
        # Before anything of it can reach a disk.
        changes: Changes = Counter()
        rewritten = self._protection.rewrite(signal, request, now_ns, changes)
        if rewritten is not request:
            self._counters.rewritten.labels(signal).inc()
            self._count_changes(changes)
        return check(signal, rewritten, limits)

    def _count_changes(self, changes: Changes) -> None:
        for (name, by), count in changes.items():
            with self._lock:
                if len(self._changed_names) < _CHANGED_NAMES_MAX:
                    self._changed_names.add(name)
                label = name if name in self._changed_names else OTHER
            self._counters.identifiers_changed.labels(label, by).inc(count)

    def retry_seconds(self, error: TransientError) -> int:
        """Return how long a sender whose request was refused for now is asked to wait."""
        if isinstance(error, LogFullError):
            return self._budget.retry_seconds()
        return _REPAIR_SECONDS

    def refuse_too_large(self, signal: Signal, transport: str, reason: str) -> None:
        """Count a request that is too large for any time, and say so, once a minute at most."""
        self._refuse(signal, {"too_large": 1})
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            said_ns = self._said_ns.get((signal, transport))
            if said_ns is not None and now_ns - said_ns < _SAY_AGAIN_NS:
                return
            self._said_ns[signal, transport] = now_ns
        _LOG.warning("request_too_large", signal=signal, transport=transport, reason=reason)

    def refuse_unread(self, signal: Signal) -> None:
        """Count a call that ended before its message was here."""
        self._refuse(signal, {"unread": 1})

    def refuse_json(self, signal: Signal) -> None:
        """Count a request in JSON that found no room among those that wait."""
        self._refuse(signal, {"json_full": 1})

    def fail(self, signal: Signal, transport: str, error: Exception) -> str:
        """Count and log a request that we fail at though nobody foresaw it; say so to its sender.

        Whatever it is, it must not pass for a service that is gone, nor be counted nowhere.
        """
        self._refuse(signal, {"failed": 1})
        last = traceback.extract_tb(error.__traceback__)[-1:]
        _LOG.error(
            "request_failed",
            signal=signal,
            transport=transport,
            error=f"{type(error).__name__}: {error}"[:300],
            where=", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in last),
        )
        return (
            f"the service failed at this request ({type(error).__name__}); nothing of it is kept, "
            "and the same again fails again: its log has request_failed"
        )

    def figures(self) -> tuple[Mapping[Signal, int], int, str]:
        """Return the items answered OK by signal, how many were refused, and what the last was."""
        with self._lock:
            return dict(self._acknowledged), self._refused, self._refused_last

    def _log(
        self,
        signal: Signal,
        checked: Checked,
        digest: bytes,
        transport: str,
        began_ns: int,
        *,
        is_live: bool,
    ) -> Receipt:
        """Log a request, unless another thread has just begun to log the same."""
        log, answer = self._logs[signal], response(signal, checked)
        if checked.accepted == 0:
            self._settle(signal, transport, checked, began_ns, nothing := logged())
            return Receipt(answer, nothing)
        if not checked.is_timed:  # equal records without a time may be two
            digest, receipt = NO_DIGEST, Receipt(answer, Future())
        else:
            receipt, is_ours = log.receipts.claim(digest, answer)
            if not is_ours:
                self._counters.repeated.labels(signal).inc()
                return receipt
        receipt.synced.add_done_callback(
            lambda future: self._settle(signal, transport, checked, began_ns, future)
        )
        try:
            payload = self._protection.seal(signal, checked.payload)
            log.append(payload, checked.accepted, checked.trace_id, digest, receipt.synced, is_live)
        except Exception as error:
            receipt.synced.set_exception(error)
            raise
        return receipt

    def _settle(
        self,
        signal: Signal,
        transport: str,
        checked: Checked,
        began_ns: int,
        synced: Future[None],
    ) -> None:
        error = synced.exception()
        if error is not None:
            if isinstance(error, LogFullError):
                self._refuse(signal, {"log_full": checked.accepted})
            elif isinstance(error, LogWriteError):
                self._refuse(signal, {"log_write_failed": checked.accepted})
            return
        self._counters.ack_seconds.labels(signal, transport).observe(
            (self._clock.monotonic_ns() - began_ns) / NS_PER_S,
            {"trace_id": checked.trace_id} if checked.trace_id else None,
        )
        self._counters.acknowledged.labels(signal).inc(checked.accepted)
        with self._lock:
            self._acknowledged[signal] += checked.accepted

    def _refuse(
        self, signal: Signal, refused: Mapping[str, int], why: str = "", service: str = ""
    ) -> None:
        for reason, count in refused.items():
            self._counters.refused.labels(signal, reason).inc(count)
        with self._lock:
            self._refused += sum(refused.values())
            if refused and why:
                of = f" of {service}" if service else ""
                at = utc_iso(self._clock.now_ns())
                self._refused_last = f"{signal}{of} at {at}: {why}"[:_WHY_CHARS_MAX]
