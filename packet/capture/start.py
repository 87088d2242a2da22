"""I/O: starts whichever recorder `packet.engine` names."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, TypeVar

from collector.core.counters import Counters
from collector.core.errors import CaptureError
from collector.core.log import get_logger
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from packet.capture.dumpcap import DumpcapRecorder, dumpcap_available
from packet.capture.protocol import RecorderStats, RunningRecorder
from packet.capture.recorder import RecorderProcess, capture_available
from packet.config import PacketConfig
from packet.correlate.trace_context import ContextRows
from packet.decode.frames import Frames
from packet.decode.sampler import Selection
from packet.tcp.per_second import WireSecond

_LOG = get_logger("packet")
_WAIT_MIN_NS: Final = 2 * NS_PER_S
_WAIT_MAX_NS: Final = NS_PER_MINUTE
_Answer = TypeVar("_Answer")


class LastingRecorder:
    """A recorder that is started anew where it has ended; what the former one held is gone.

    Args:
        config: of the recorder.
        counters: counts the restarts.

    Raises:
        CaptureError: packets cannot be recorded here; the message has the remedy.
    """

    def __init__(self, config: PacketConfig, counters: Counters) -> None:
        self._config = config
        self._counters = counters
        self._running: RunningRecorder | None = _start(config)
        self.restarts = 0
        self.lost = ""  # why it had ended the last time
        self._wait_ns = _WAIT_MIN_NS
        self._next_ns = 0

    def revive(self, now_ns: int) -> None:
        """Start the recorder anew where it has ended, ever more seldom where that fails.

        Raises:
            CaptureError: it has ended, and is not started again yet.
        """
        if self._running is not None:
            self._wait_ns = max(self._wait_ns // 2, _WAIT_MIN_NS)
            return
        # A clock that was set back makes nothing wait as long.
        if 0 < self._next_ns - now_ns <= _WAIT_MAX_NS:
            raise CaptureError(self.lost)
        self._next_ns = now_ns + self._wait_ns
        self._wait_ns = min(2 * self._wait_ns, _WAIT_MAX_NS)
        self._running = _start(self._config)
        self.restarts += 1
        self._counters.recorder_restarts.inc()
        _LOG.warning("recorder_restarted", reason=self.lost)

    @property
    def pid(self) -> int:
        """Return the process id of what records, 0 where nothing does."""
        running = self._running
        return 0 if running is None else running.pid

    def pull(self, selection: Selection) -> Frames:
        """Return the selected frames."""
        return self._asked(lambda recorder: recorder.pull(selection))

    def contexts(
        self, selection: Selection, trace_ids: Collection[str] | None = None
    ) -> ContextRows:
        """Return the contexts that the selected packets carried."""
        return self._asked(lambda recorder: recorder.contexts(selection, trace_ids))

    def stats(self) -> RecorderStats:
        """Return what it has seen and holds."""
        return self._asked(lambda recorder: recorder.stats())

    def seconds(self, after_ns: int) -> list[WireSecond]:
        """Return the figures of the seconds that begin after an instant."""
        return self._asked(lambda recorder: recorder.seconds(after_ns))

    def stop(self) -> None:
        """End the recorder and what it holds."""
        running, self._running = self._running, None
        if running is not None:
            running.stop()

    def _asked(self, ask: Callable[[RunningRecorder], _Answer]) -> _Answer:
        running = self._running
        if running is None:
            raise CaptureError(self.lost)
        try:
            return ask(running)
        except CaptureError as error:
            # Whatever it was, the pipe may hold half an answer: only a new one can be trusted.
            self.lost = f"{error}; it is started anew, and what it held is gone"
            if self._running is running:
                self._running = None
            running.stop()
            raise CaptureError(self.lost) from error


def _start(config: PacketConfig) -> RunningRecorder:
    if config.engine == "dumpcap":
        return DumpcapRecorder.start(config)
    return RecorderProcess.start(config)


def recording_available(config: PacketConfig) -> str | None:
    """Return why packets cannot be recorded here and the remedy, None where they can."""
    reason = capture_available(config)
    if reason is None and config.engine == "dumpcap":
        reason = dumpcap_available(config)
    return reason
