"""I/O: the forwarder of a lab: a process between two TAP devices that holds each frame for a while.

It treats frames as its last line on standard input says, and ends with that input; then it writes
what it did to each packet to standard output. Netem would do the first, not the second.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import heapq
import json
import os
import random
import select
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np

from collector.core.clock import AnchoredClock
from collector.core.times import NS_PER_S

FORWARDED, LOST = 0, 1

# One packet: when it came and when it went (Unix ns, 0 where it was lost), which way (0: from the
# first end to the second), its lot, and how it begins on the wire.
HEAD_BYTES = 94  # Ethernet, IPv6, TCP with 20 bytes of options
LOG_ROW = np.dtype(
    [
        ("arrived_ns", "<u8"),
        ("released_ns", "<u8"),
        ("way", "u1"),
        ("fate", "u1"),
        ("length", "<u2"),
        ("head", "u1", (HEAD_BYTES,)),
    ]
)
_LOG = struct.Struct(f"<QQBBH{HEAD_BYTES}s")

_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000
_REAL_TIME_PRIORITY = 40
_FRAME_BYTES_MAX = 65_600
_BURST = 64  # frames read before the clock is looked at again
_SPIN_NS = 60_000  # a sleep ends so late at the worst; the rest is waited for awake
_IDLE_S = 0.5


class Forwarder:
    """Two TAP devices and what is on its way between them."""

    def __init__(self, ends: list[int], control: int) -> None:
        self._ends = ends
        self._control = control
        self._clock = AnchoredClock()
        self._due: list[tuple[int, int, int, int, bytes]] = []  # due, order, way, arrived, frame
        self._order = 0
        self._last_due_ns = [0, 0]
        self._log: list[bytes] = []
        self._pending = b""
        self._impairment: dict[str, Any] = {}
        self._random = random.Random()  # noqa: S311  not a secret: a seeded lot for each packet
        self.more = True

    def wait_for_orders(self) -> None:
        """Wait until it is known what to do with a frame."""
        while self.more and not self._impairment:
            self._obey()

    def step(self) -> None:
        """Release what is due, then wait for a frame, a line or the next due time."""
        now_ns = self._release()
        if self._impairment["polls"]:
            # What comes while it sleeps is on the wire, but not in its log of the wire.
            wait_s = 0.0
        elif not self._due:
            wait_s = _IDLE_S
        else:
            wait_s = max(self._due[0][0] - now_ns - _SPIN_NS, 0) / NS_PER_S
        ready, _, _ = select.select([*self._ends, self._control], [], [], wait_s)
        for descriptor in ready:
            if descriptor == self._control:
                self._obey()
            else:
                self._take(self._ends.index(descriptor))

    def write_log(self) -> None:
        """Write what was done, in order of arrival."""
        # A frame still on its way when the lab ends has not come through.
        for _, _, way, arrived_ns, frame in self._due:
            self._note(arrived_ns, 0, way, LOST, frame)
        self._log.sort(key=lambda row: row[7::-1])  # the stamp of arrival, lowest byte first
        sys.stdout.buffer.write(b"".join(self._log))
        sys.stdout.buffer.flush()

    def _obey(self) -> None:
        received = os.read(self._control, 65536)
        self.more = bool(received)
        self._pending += received
        while b"\n" in self._pending:
            line, _, self._pending = self._pending.partition(b"\n")
            self._impairment = json.loads(line)
            self._random.seed(self._impairment["seed"])

    def _release(self) -> int:
        now_ns = self._clock.now_ns()
        while self._due and self._due[0][0] <= now_ns:
            _, _, way, arrived_ns, frame = heapq.heappop(self._due)
            fate = FORWARDED
            # Stamped before it goes: behind the call stands whatever the call woke.
            now_ns = self._clock.now_ns()
            try:
                os.write(self._ends[1 - way], frame)
            except OSError:  # the queue of the device is full
                fate = LOST
            self._note(arrived_ns, now_ns, way, fate, frame)
            now_ns = self._clock.now_ns()
        return now_ns

    def _take(self, way: int) -> None:
        wants = self._impairment
        delay_ns = wants["delay_ns"]
        if way == 1 and wants["back_delay_ns"] is not None:
            delay_ns = wants["back_delay_ns"]
        for _ in range(_BURST):
            try:
                frame = os.read(self._ends[way], _FRAME_BYTES_MAX)
            except BlockingIOError:
                return
            arrived_ns = self._clock.now_ns()
            if wants["loss_ratio"] and self._random.random() < wants["loss_ratio"]:
                self._note(arrived_ns, 0, way, LOST, frame)
                continue
            held_ns = delay_ns
            if wants["jitter_ns"]:
                held_ns = max(0, round(held_ns + self._random.gauss(0, wants["jitter_ns"])))
            due_ns = arrived_ns + held_ns
            if wants["reorder_ratio"] and self._random.random() < wants["reorder_ratio"]:
                due_ns += wants["reorder_ns"]
            else:
                due_ns = self._last_due_ns[way] = max(due_ns, self._last_due_ns[way])
            self._order += 1
            heapq.heappush(self._due, (due_ns, self._order, way, arrived_ns, frame))

    def _note(self, arrived_ns: int, released_ns: int, way: int, fate: int, frame: bytes) -> None:
        length = min(len(frame), 0xFFFF)
        self._log.append(_LOG.pack(arrived_ns, released_ns, way, fate, length, frame[:HEAD_BYTES]))


def open_tap(namespace: str, interface: str) -> int:
    """Return a new TAP device of a namespace, not blocking."""
    libc = ctypes.CDLL(None, use_errno=True)
    with (Path("/run/netns") / namespace).open() as namespace_file:
        if libc.setns(namespace_file.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22x", interface.encode(), _IFF_TAP | _IFF_NO_PI))
    return tap


def main() -> int:
    """Run between the two (namespace, interface) that the arguments name."""
    one, one_interface, other, other_interface = sys.argv[1:]
    forwarder = Forwarder(
        [open_tap(one, one_interface), open_tap(other, other_interface)], sys.stdin.fileno()
    )
    gc.disable()
    # Without the right to it the delays are as told at the median, and later under load.
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_REAL_TIME_PRIORITY))
    forwarder.wait_for_orders()
    sys.stdout.buffer.write(b"ready\n")
    sys.stdout.buffer.flush()
    while forwarder.more:
        forwarder.step()
    forwarder.write_log()
    return 0


if __name__ == "__main__":
    sys.exit(main())
