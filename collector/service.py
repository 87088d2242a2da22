"""I/O: the collector as one object: receivers, log and writers, started and stopped in order."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from collector.auth.gate import Gate
from collector.core.clock import Clock, RisingClock
from collector.core.config import AttributesConfig, CollectorConfig, DecisionsConfig
from collector.core.counters import Counters
from collector.core.disk import Disk
from collector.core.errors import MillworthError
from collector.core.log import get_logger
from collector.core.times import NS_PER_S
from collector.core.worker import Worker
from collector.otlp.check import Signal
from collector.otlp.native import spans as native
from collector.privacy.guard import Protection
from collector.receive.deduplicator import Deduplicator
from collector.receive.grpc import GrpcReceiver
from collector.receive.http import HttpReceiver
from collector.receive.http_app import OtlpApp
from collector.receive.pipeline import Intake
from collector.store.connect import Connections
from collector.wal.directory import claim_directory
from collector.wal.groups import recover_group
from collector.wal.log import Budget, Log
from collector.wal.watermarks import Arrivals
from collector.write.blocks import block_readers
from collector.write.declared import WantedSpans
from collector.write.delays import Delays
from collector.write.last_reader import LastReader
from collector.write.writer import StoreWriter

_LOG = get_logger("collector")
# Calls under way when a stop begins need their sync and their answer.
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class CollectorStatus:
    """What went through the collector since it was started."""

    spans_acked: int  # answered OK
    logs_acked: int
    points_acked: int  # of metrics
    spans_stored: int  # those of earlier runs that were still in the log included
    logs_stored: int
    points_stored: int
    spans_quarantined: int  # kept in `rejected` instead
    logs_quarantined: int
    points_quarantined: int
    wal_bytes: int  # acknowledged and not yet in the store
    refused: int  # items or whole requests that their sender was told about
    refused_last: str  # the last of these for what it says: of whom, when and why; "" for none


@dataclass(frozen=True, slots=True)
class SignalFlow:
    """How far one signal has come; times are Unix ns, None where there is nothing."""

    newest_ns: int | None  # the last request of this process
    unlogged_ns: int | None  # the oldest one that is not on disk
    unstored_ns: int | None  # the oldest one that is not in the store
    open_segment_ns: int | None  # age of the open segment
    waiting_bytes: int  # to be written
    unstored_segments: int  # on disk, the open one included
    fault: str  # why the log cannot be written, "" where it can


class CollectorService:
    """OTLP in, rows in the store.

    The store has to have its tables and views before `start`, because segments of an earlier run
    are stored at once.

    Args:
        config: where it listens, and its limits.
        store: where everything goes.
        wal_dir: directory of the log.
        counters: what went through.
        clock: the time.
        attributes: a customer's own attribute names.
        protection: of personal data, and of what lies in the log.
        disk: where the log is kept.
        gate: who may send.
        decisions: which spans are decisions.
        delayed_after_s: an insert that comes so long after its first request is told to jobs of
            other processes, which do not wait for it; None where they are in this one.
    """

    _is_open = False  # it receives, and what comes is stored

    def __init__(
        self,
        config: CollectorConfig,
        store: Connections,
        wal_dir: Path,
        counters: Counters,
        clock: Clock,
        attributes: AttributesConfig | None = None,
        protection: Protection | None = None,
        disk: Disk | None = None,
        gate: Gate | None = None,
        decisions: DecisionsConfig | None = None,
        delayed_after_s: float | None = None,
    ) -> None:
        self._clock, self._disk, self._wal_dir = clock, disk or Disk(), wal_dir
        self.protection = protection or Protection(attributes=attributes)
        self._budget = Budget(config.wal_bytes_max, counters.wal_bytes, clock)
        self._rising = RisingClock(clock)
        self._arrivals = {signal: Arrivals(self._rising) for signal in Signal}
        names = attributes or AttributesConfig()
        self.is_native = native.IS_THERE and config.accel
        counters.native_spans.set(self.is_native)
        spans = WantedSpans(names, decisions or DecisionsConfig())
        blocks = block_readers(spans) if self.is_native else {}
        self._writers = {
            signal: StoreWriter(
                signal,
                store,
                self._budget,
                counters,
                clock,
                self.protection,
                self._disk,
                self._arrivals[signal],
                blocks=blocks.get(signal),
                last_reader=self._last_reader(signal),
                delays=_delays(signal, self._rising, delayed_after_s),
            )
            for signal in Signal
        }
        self._logs = {
            signal: Log(
                wal_dir,
                str(signal),
                self._budget,
                clock,
                segment_bytes_max=config.segment_bytes_max,
                segment_seconds_max=config.segment_seconds_max,
                segment_flush_bytes=config.segment_flush_bytes,
                on_sealed=self._writers[signal].submit,
                disk=self._disk,
                arrivals=self._arrivals[signal],
                counters=counters,
            )
            for signal in Signal
        }
        self._intake = Intake(
            self._logs, self._budget, config.retention_days, names, counters, clock,
            self.protection, rising=self._rising, is_native=self.is_native,
        )  # fmt: skip
        receiving = (self._intake, config, gate or Gate((), counters, clock), counters, clock)
        self._grpc = GrpcReceiver(*receiving)
        self._http = HttpReceiver(*receiving, Deduplicator(self._intake, store, self._settle_spans))
        self._claim: int | None = None

    @property
    def grpc_port(self) -> int:
        """Return the port of OTLP/gRPC; after `start` the real one where 0 was asked for."""
        return self._grpc.port

    @property
    def http_port(self) -> int:
        """Return the port of OTLP/HTTP; after `start` the real one where 0 was asked for."""
        return self._http.port

    @property
    def http_app(self) -> OtlpApp:
        """Return what answers OTLP over HTTP, for a command that asks it in its own process."""
        return self._http.app

    def claim(self) -> None:
        """Have the directory of the log alone: before anything is written that goes by it.

        Raises:
            InputError: it cannot be used.
            LogInUseError: another process has it.
        """
        if self._claim is None:
            self._claim = claim_directory(self._wal_dir, self._disk)

    def start(self, *, listens: bool = True) -> None:
        """Store what an earlier run left in the log, and begin to receive.

        Args:
            listens: without it no port is taken, and `http_app` is the one way in.

        Raises:
            AddressInUseError: a port is taken.
            ConfigError: strangers would be let in, or a certificate is not good.
            InputError: the directory of the log cannot be used.
        """
        self.claim()
        self._open_protection()
        if listens:
            self._bind()
        self._is_open = True
        for signal in Signal:
            group = recover_group(self._wal_dir, signal, self._disk)
            self._writers[signal].recover(self._logs[signal].recover(), group)
            self._writers[signal].start()
            self._logs[signal].start()
        if listens:
            self._grpc.start()
            self._http.start()
        _LOG.info(
            "collector_started",
            grpc_port=self.grpc_port if listens else None,
            http_port=self.http_port if listens else None,
            spans_read_by="the compiled module" if self.is_native else "the store",
        )

    def http_ticked_ns(self) -> int:
        """Return the monotonic instant at which the HTTP receiver last showed that it turns."""
        return self._http.ticked_ns()

    def workers(self) -> dict[str, list[Worker]]:
        """Return the threads by the stage that rests on them; after `start`."""
        return {
            "received": [self._grpc.worker, self._http.worker],
            "logged": [log.worker for log in self._logs.values()],
            "stored": [writer.worker for writer in self._writers.values()],
        }

    def flush(self, seconds_max: float) -> bool:
        """Bring everything acknowledged so far into the store; return whether it is there."""
        for log in self._logs.values():
            log.seal().result()
        return self._drain(seconds_max)

    def stop(self, drain_seconds: float) -> bool:
        """Stop receiving, then drain the log into the store for at most `drain_seconds`.

        Returns whether everything is stored; what is not stays in the log for the next start.
        """
        if not self._is_open:
            self._release()
            return True
        self._is_open = False
        answered = self._grpc.stop(_GRACE_SECONDS)
        self._http.stop()
        answered.wait(_GRACE_SECONDS)
        for log in self._logs.values():
            log.close()
        is_drained = self._drain(drain_seconds)
        for writer in self._writers.values():
            writer.stop()
        self._release()
        _LOG.info("collector_stopped", drained=is_drained, wal_bytes=self._budget.used_bytes)
        return is_drained

    def status(self) -> CollectorStatus:
        """Return what went through since the start of this process."""
        acknowledged, refused, refused_last = self._intake.figures()
        spans = self._writers[Signal.TRACES].figures()
        logs = self._writers[Signal.LOGS].figures()
        points = self._writers[Signal.METRICS].figures()
        return CollectorStatus(
            spans_acked=acknowledged[Signal.TRACES],
            logs_acked=acknowledged[Signal.LOGS],
            points_acked=acknowledged[Signal.METRICS],
            spans_stored=spans.stored,
            logs_stored=logs.stored,
            points_stored=points.stored,
            spans_quarantined=spans.quarantined,
            logs_quarantined=logs.quarantined,
            points_quarantined=points.quarantined,
            wal_bytes=self._budget.used_bytes,
            refused=refused,
            refused_last=refused_last,
        )

    def go_on_from(self, cursor_ns: int) -> None:
        """Receive nothing before an instant up to which jobs have read, whatever the clock says."""
        self._rising.raise_to(cursor_ns)
        if (behind_ns := cursor_ns - self._clock.now_ns()) > NS_PER_S:
            _LOG.warning("clock_is_behind", seconds=behind_ns // NS_PER_S)

    def now_ns(self) -> int:
        """Return the time by which requests are received: one that never falls."""
        return self._rising.now_ns()

    def stored_ns(self) -> int:
        """Return an instant by which everything received is in the store."""
        return min(arrivals.stored_ns() for arrivals in self._arrivals.values())

    def newest_ns(self) -> int | None:
        """Return when the last request came, None before the first of this process."""
        instants = [arrivals.newest_ns for arrivals in self._arrivals.values()]
        return max((ns for ns in instants if ns is not None), default=None)

    def live_ns(self) -> int | None:
        """Return when the last request of a sender came, None before the first of this process."""
        instants = [arrivals.live_ns for arrivals in self._arrivals.values()]
        return max((ns for ns in instants if ns is not None), default=None)

    def flow(self) -> dict[Signal, SignalFlow]:
        """Return where each signal stands between the sender and the store."""
        return {
            signal: SignalFlow(
                newest_ns=arrivals.newest_ns,
                unlogged_ns=arrivals.unlogged_ns,
                unstored_ns=arrivals.unstored_ns,
                open_segment_ns=self._logs[signal].open_segment_ns,
                waiting_bytes=self._logs[signal].waiting_bytes,
                unstored_segments=arrivals.unstored_segments,
                fault=self._logs[signal].fault,
            )
            for signal, arrivals in self._arrivals.items()
        }

    def _drain(self, seconds_max: float) -> bool:
        deadline_ns = self._clock.monotonic_ns() + round(seconds_max * NS_PER_S)
        is_drained = True
        for writer in self._writers.values():
            left_ns = deadline_ns - self._clock.monotonic_ns()
            is_drained &= writer.drain(max(0.0, left_ns / NS_PER_S))
        return is_drained

    def _last_reader(self, signal: Signal) -> LastReader | None:
        """Return what remembers the reader of a signal; metrics have but one."""
        if signal is Signal.METRICS:
            return None
        return LastReader(self._wal_dir, signal, self._disk, is_native=self.is_native)

    def _settle_spans(self, seconds_max: float) -> bool:
        """Bring the spans acknowledged so far into the store; return whether they are there."""
        self._logs[Signal.TRACES].seal().result()
        return self._writers[Signal.TRACES].drain(seconds_max)

    def _bind(self) -> None:
        try:
            self._grpc.bind()
            self._http.bind()
        except MillworthError:
            self._grpc.stop(0)
            self._release()
            raise

    def _open_protection(self) -> None:
        try:
            self.protection.open(self._wal_dir)
        except MillworthError:
            self._release()
            raise

    def _release(self) -> None:
        self.protection.close()
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None


def _delays(signal: Signal, clock: Clock, after_s: float | None) -> Delays | None:
    """Return what tells of late inserts; metrics are read by nobody's arrival."""
    if after_s is None or signal is Signal.METRICS:
        return None
    return Delays(clock, round(after_s * NS_PER_S))
