"""I/O: the flight recorder: a process of its own that holds the headers of recent packets.

It is the only privileged code: it opens its rings, locks their filters, becomes nobody, and from
then on only answers what its parent asks over a pipe. It ends with its parent. Nothing it holds
touches a disk.
"""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

# Loaded by NumPy when it is first asked for, when this process is nobody, who may not be able to
# read it: a directory of root is closed to others.
import numpy.ma

from collector.core.clock import Clock, SystemClock
from collector.core.errors import CaptureError
from collector.core.times import NS_PER_MS, NS_PER_S
from packet.capture.context_ring import ContextMemory
from packet.capture.mapped_ring import RETIRE_MS
from packet.capture.protocol import Recorder, RecorderStats
from packet.capture.ring import Block, Ring, capture_available, drop_privileges
from packet.config import PacketConfig
from packet.correlate.trace_context import CONTEXT, ContextRows
from packet.decode.decode import decode
from packet.decode.frames import Frames, concat_frames, parse_blocks
from packet.decode.sampler import Selection
from packet.tcp.per_second import WireSecond, WireWatch, wire_second

__all__ = ["Recorder", "RecorderProcess", "RecorderStats", "capture_available"]

# The kernel's timer finds a block idle at its second tick; the third is for the scheduler.
_COMPLETE_AFTER_NS = 3 * RETIRE_MS * NS_PER_MS
_BATCH_BYTES = 8 * 1024 * 1024  # held blocks are searched so many bytes at a time
# 256 MiB: what one answer may hold in the parent's memory; over that it is cut and says so.
_ANSWER_BYTES_MAX = 256 * 1024 * 1024
_ANSWER_SECONDS_MAX = 30.0
_START_SECONDS_MAX = 30.0
_LENGTH = struct.Struct("=I")
# Every batch has a cost of its own; a figure is of a second, and may be known half a second later.
_WATCH_EVERY_NS = NS_PER_S // 2


class RecorderProcess:
    """The parent's end: starts the recorder, asks it, stops it. Serves any thread."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._lock = threading.Lock()

    @classmethod
    def start(cls, config: PacketConfig) -> RecorderProcess:
        """Start recording; returns when the ring is open.

        Raises:
            CaptureError: packets cannot be recorded here; the message has the remedy.
        """
        unavailable = capture_available(config)
        if unavailable is not None:
            raise CaptureError(unavailable)
        process = subprocess.Popen(
            [sys.executable, "-m", "packet.capture.recorder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # `select` must not be fooled by what Python has read ahead
            # Where the rooms are, installed or not, so that `-m` finds them.
            cwd=Path(__file__).parents[2],
        )
        recorder = cls(process)
        try:
            recorder._ask({"config": config.model_dump(mode="json")}, _START_SECONDS_MAX)
        except CaptureError:
            recorder.stop()
            raise
        return recorder

    @property
    def pid(self) -> int:
        """Return the process id of the recorder."""
        return self._process.pid

    def pull(self, selection: Selection) -> Frames:
        """Return the selected frames, complete up to `selection.to_ns`, a past instant.

        Where `to_ns` is less than 0.15 s old, the answer waits until it is.

        Raises:
            CaptureError: the recorder has ended or does not answer.
        """
        request = {"pull": {"selection": _as_json(selection)}}
        return concat_frames(self._ask(request, _ANSWER_SECONDS_MAX)[1])

    def contexts(
        self, selection: Selection, trace_ids: Collection[str] | None = None
    ) -> ContextRows:
        """Return the contexts that the selected packets carried. Waits and raises as `pull` does.

        Args:
            selection: which packets.
            trace_ids: only contexts of these traces; None for any.
        """
        chosen_ids = None if trace_ids is None else sorted(trace_ids)
        request = {"contexts": {"selection": _as_json(selection), "trace_ids": chosen_ids}}
        answer, _ = self._ask(request, _ANSWER_SECONDS_MAX)
        return np.frombuffer(bytes.fromhex(answer["contexts"]), CONTEXT)

    def stats(self) -> RecorderStats:
        """Return what the recorder has seen and holds. Raises as `pull` does."""
        return RecorderStats(**self._ask({"stats": {}}, _ANSWER_SECONDS_MAX)[0]["stats"])

    def seconds(self, after_ns: int) -> list[WireSecond]:
        """Return the figures of the seconds that begin after an instant. Raises as `pull` does."""
        answer, _ = self._ask({"seconds": {"after_ns": after_ns}}, _ANSWER_SECONDS_MAX)
        return [wire_second(row) for row in answer["seconds"]]

    def stop(self) -> None:
        """End the recorder and what it holds."""
        with self._lock:
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                try:
                    pipe.close()
                except BrokenPipeError:  # it has ended by itself
                    continue
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _ask(
        self, request: dict[str, Any], seconds_max: float
    ) -> tuple[dict[str, Any], list[Frames]]:
        with self._lock:
            try:
                _write_message(_pipe(self._process.stdin), request)
                return self._answer(seconds_max)
            except (OSError, EOFError, ValueError) as error:
                # A late answer would be taken for the answer to the next request.
                self._process.kill()
                raise CaptureError(
                    f"the packet recorder has ended (exit {self._process.poll()}): {error}"
                ) from error

    def _answer(self, seconds_max: float) -> tuple[dict[str, Any], list[Frames]]:
        pipe = _pipe(self._process.stdout)
        parts: list[Frames] = []
        while True:
            if not _readable(pipe.fileno(), seconds=seconds_max):
                raise OSError(f"no answer in {seconds_max:.0f} s")
            header = _read_message(pipe)
            if "error" in header:
                raise CaptureError(header["error"])
            if "frames" not in header:
                return header, parts
            parts.append(_read_frames(pipe, header["frames"], header["bytes"]))


class _Service:
    """The child's end: the loop between the ring and the parent's requests."""

    def __init__(
        self,
        config: PacketConfig,
        ring: Ring,
        contexts: ContextMemory | None,
        requests: IO[bytes],
        answers: IO[bytes],
        clock: Clock,
    ) -> None:
        self._config = config
        self._ring = ring
        self._contexts = contexts
        self._requests = requests
        self._answers = answers
        self._clock = clock
        self._refused = 0
        self._watch = WireWatch(config.link_mbit)
        self._watched_ns = 0  # by the monotonic clock

    def run(self) -> None:
        """Serve until the parent closes the pipe or is gone."""
        parent = os.getppid()
        while os.getppid() == parent:
            if self._wait(1.0):
                self._serve(_read_message(self._requests))

    def _serve(self, request: dict[str, Any]) -> None:
        if "seconds" in request:
            seconds = self._watch.seconds(request["seconds"]["after_ns"])
            self._reply({"seconds": [asdict(second) for second in seconds]})
        elif "contexts" in request:
            chosen_contexts = request["contexts"]
            rows = self._select(
                _selection(chosen_contexts["selection"]), chosen_contexts["trace_ids"]
            )
            self._reply({"contexts": rows.hex()})
        else:
            if "pull" in request:
                self._pull(_selection(request["pull"]["selection"]))
            self._reply({"stats": asdict(self._stats())})

    def _wait(self, seconds: float) -> bool:
        """Drain what was retired; return whether there is a request."""
        requests = self._requests.fileno()
        ready = _readable(self._ring.fileno(), requests, seconds=seconds)
        self._drain()
        now_ns = self._clock.now_ns()
        oldest_ns = now_ns - round(self._config.window_s * NS_PER_S)
        epoch = now_ns // (self._config.sample_epoch_s * NS_PER_S)
        for memory in (self._ring, self._contexts):
            if memory is not None:
                memory.forget(oldest_ns)
                memory.reseed(epoch)
        # By a clock that is not set back: what is fresh would lie there until the other caught up.
        elapsed_ns = self._clock.monotonic_ns()
        if elapsed_ns - self._watched_ns >= _WATCH_EVERY_NS:
            self._watched_ns = elapsed_ns
            if self._contexts is not None:
                self._contexts.search()
            if self._config.analysis:
                frames = parse_blocks(self._ring.take_fresh())
                self._watch.add(decode(frames, deep=False).columns, now_ns)
        return requests in ready

    def _drain(self) -> None:
        self._ring.drain()
        if self._contexts is not None:
            self._contexts.drain()

    def _complete(self, to_ns: int) -> None:
        """Wait until everything up to a past instant was handed over."""
        complete_ns = min(to_ns, self._clock.now_ns()) + _COMPLETE_AFTER_NS
        while (left_ns := complete_ns - self._clock.now_ns()) > 0:
            _readable(self._ring.fileno(), seconds=left_ns / NS_PER_S)
            self._drain()
        self._drain()

    def _select(self, selection: Selection, trace_ids: list[str] | None) -> bytes:
        if self._contexts is None:
            return b""
        self._complete(selection.to_ns)
        self._contexts.search()
        return self._contexts.select(selection, trace_ids).tobytes()

    def _pull(self, selection: Selection) -> None:
        self._complete(selection.to_ns)
        answered = 0
        for batch in _batches(self._ring.blocks(selection.from_ns, selection.to_ns)):
            frames = parse_blocks(batch)
            decoded = decode(frames, deep=False)
            rows = decoded.rows[selection.of(decoded.columns)]
            if answered > _ANSWER_BYTES_MAX:
                self._refused += len(rows)
            elif len(rows):
                chosen = frames.take(rows)
                answered += chosen.data.nbytes
                self._reply({"frames": len(chosen), "bytes": chosen.data.nbytes}, chosen)
            # The search may take longer than the kernel's ring lasts.
            self._drain()

    def _stats(self) -> RecorderStats:
        return RecorderStats(
            packets=self._ring.packets,
            kernel_drops=self._ring.count_drops(),
            held_packets=self._ring.held_packets,
            held_bytes=self._ring.held_bytes,
            oldest_ns=self._ring.oldest_ns(),
            since_ns=self._ring.since_ns,
            refused=self._refused,
            uncounted=self._watch.late,
            contexts=self._contexts.context_count if self._contexts else 0,
            unsearched=self._contexts.count_unsearched() if self._contexts else 0,
        )

    def _reply(self, header: dict[str, Any], frames: Frames | None = None) -> None:
        _write_message(self._answers, header, frames)


def main() -> int:
    """Run the recorder; the parent's first message is its configuration."""
    # A terminal and `timeout` signal the whole group; the parent decides when this one ends.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    requests = os.fdopen(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    answers = sys.stdout.buffer
    try:
        config = PacketConfig.model_validate(_read_message(requests)["config"])
        try:
            clock = SystemClock()
            ring = Ring(config, clock.now_ns())
            contexts = ContextMemory(config, clock.now_ns()) if config.request_bytes else None
            drop_privileges()
        except CaptureError as error:
            _write_message(answers, {"error": str(error)})
            return 1
        # The parent's shell may have us wait behind services that share the core; batch scheduling
        # keeps us from preempting them, and the ring is long enough.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        _write_message(answers, {"ready": True})
        _Service(config, ring, contexts, requests, answers, clock).run()
    except (EOFError, BrokenPipeError):
        return 0  # the parent has ended
    return 0


def _batches(blocks: Sequence[Block]) -> list[list[bytes]]:
    batches: list[list[bytes]] = []
    size = _BATCH_BYTES
    for block in blocks:
        if size >= _BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(block.block)
        size += len(block.block)
    return batches


def _as_json(selection: Selection) -> dict[str, Any]:
    pairs = None if selection.port_pairs is None else sorted(selection.port_pairs)
    return {**asdict(selection), "port_pairs": pairs}


def _selection(fields: dict[str, Any]) -> Selection:
    pairs = fields.pop("port_pairs")
    return Selection(port_pairs=None if pairs is None else frozenset(pairs), **fields)


def _readable(*descriptors: int, seconds: float) -> set[int]:
    """Wait until one can be read, or its other end is gone; `select` stops at descriptor 1023."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(seconds * 1000)}


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def _write_message(pipe: IO[bytes], header: dict[str, Any], frames: Frames | None = None) -> None:
    text = json.dumps(header).encode()
    pipe.write(_LENGTH.pack(len(text)) + text)
    if frames is not None:
        for column in (frames.ts_ns, frames.lengths, frames.wire_bytes, frames.data):
            pipe.write(column.tobytes())
    pipe.flush()


def _read_message(pipe: IO[bytes]) -> dict[str, Any]:
    (length,) = _LENGTH.unpack(_read(pipe, _LENGTH.size))
    header: dict[str, Any] = json.loads(_read(pipe, length))
    return header


def _read_frames(pipe: IO[bytes], count: int, size: int) -> Frames:
    ts_ns = np.frombuffer(_read(pipe, 8 * count), np.uint64)
    lengths = np.frombuffer(_read(pipe, 8 * count), np.int64)
    wire_bytes = np.frombuffer(_read(pipe, 4 * count), np.uint32)
    data = np.frombuffer(_read(pipe, size), np.uint8)
    return Frames(data, np.cumsum(lengths) - lengths, lengths, ts_ns, wire_bytes)


def _read(pipe: IO[bytes], size: int) -> bytes:
    parts = []
    while size > 0:
        part = pipe.read(size)
        if not part:
            raise EOFError("the other end closed the pipe")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


if __name__ == "__main__":
    sys.exit(main())
