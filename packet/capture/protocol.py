"""Pure: what a recorder is to the job, whatever engine records."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from packet.correlate.trace_context import ContextRows
from packet.decode.frames import Frames
from packet.decode.sampler import Selection
from packet.tcp.per_second import WireSecond


@dataclass(frozen=True, slots=True)
class RecorderStats:
    """What the recorder has seen and holds."""

    packets: int  # recorded since the start
    kernel_drops: int  # lost before the recorder since the start
    held_packets: int
    held_bytes: int
    oldest_ns: int | None  # first packet held; None where nothing is
    since_ns: int  # every packet from here on is held, as far as the kernel handed it over
    refused: int  # packets left out of answers that grew too large
    uncounted: int = 0  # packets that came too late for the figures of their second
    contexts: int = 0  # requests that said which span sent them, since the start
    unsearched: int = 0  # what begins like a request and was not searched for that


class Recorder(Protocol):
    """What the job needs of a recorder; a test passes another one."""

    def pull(self, selection: Selection) -> Frames:
        """Return the selected frames, complete up to `selection.to_ns`.

        Raises:
            CaptureError: the recorder has ended or does not answer.
        """
        ...

    def stats(self) -> RecorderStats:
        """Return what it has seen and holds. Raises as `pull` does."""
        ...

    def seconds(self, after_ns: int) -> list[WireSecond]:
        """Return the figures of the seconds that begin after an instant. Raises as `pull` does."""
        ...

    def contexts(
        self, selection: Selection, trace_ids: Collection[str] | None = None
    ) -> ContextRows:
        """Return the contexts that the selected packets carried; raises as `pull` does.

        Args:
            selection: which packets.
            trace_ids: only contexts of these traces; None for any.
        """
        ...


class RunningRecorder(Recorder, Protocol):
    """A recorder that was started, and has to be stopped."""

    @property
    def pid(self) -> int:
        """Return the process id of what records."""
        ...

    def stop(self) -> None:
        """End the recorder and what it holds."""
        ...
