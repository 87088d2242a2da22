"""I/O: Wireshark's dumpcap as the recorder, where policy wants a known program and pcapng files.

It writes a ring of files, bounded in bytes and here in age, in a directory that is in memory.
dumpcap cuts every packet at one length, not behind its headers: what is short carries payload. On
a disk that is refused unless `packet.payload_on_disk` says otherwise.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from collector.core.clock import Clock, SystemClock
from collector.core.errors import CaptureError, DecodeError
from collector.core.times import NS_PER_S
from packet.capture.protocol import RecorderStats
from packet.config import PacketConfig
from packet.correlate.trace_context import ContextRows, chosen, find_contexts, no_contexts
from packet.decode.decode import decode
from packet.decode.frames import LINK_ETHERNET, Frames, concat_frames
from packet.decode.sampler import Selection
from packet.files.pcapng import parse_pcapng
from packet.tcp.per_second import WireSecond, WireWatch

_FILES = 16
_FILE_KB_MIN = 64
# dumpcap hands its file over twice a second, where packets came.
_COMPLETE_AFTER_NS = NS_PER_S
_STAMP_SLACK_NS = 2 * NS_PER_S  # a file's own time lags the stamps of its packets
_START_SECONDS_MAX = 10.0
_STOP_SECONDS_MAX = 5.0
_POLL_S = 0.02
_BUFFER_MIB = 16
_NOBODY = 65534
_STATISTICS_BLOCK, _INTERFACE_DROPS = 5, 5
_ROOT = Path(__file__).parents[2]


class _FileExtent(NamedTuple):
    """What one file holds."""

    packets: int
    oldest_ns: int | None


class DumpcapRecorder:
    """Starts dumpcap, reads its files, stops it. Serves any thread."""

    def __init__(
        self, process: subprocess.Popen[bytes], config: PacketConfig, clock: Clock
    ) -> None:
        self._process = process
        self._config = config
        self._clock = clock
        self._lock = threading.Lock()
        self._complete: dict[Path, _FileExtent] = {}  # of files that are complete, each read once
        self._last_words = ""
        self._listener = threading.Thread(target=self._listen, name="dumpcap", daemon=True)
        self._listener.start()
        self._packets = 0
        self._drops = 0
        self._watch = WireWatch(config.link_mbit)
        self._watched_ns = self._since_ns = clock.now_ns()

    @classmethod
    def start(cls, config: PacketConfig, clock: Clock | None = None) -> DumpcapRecorder:
        """Start recording; returns when the first file is there.

        Raises:
            CaptureError: dumpcap cannot record here; the message has the remedy.
        """
        unavailable = dumpcap_available(config)
        if unavailable is not None:
            raise CaptureError(unavailable)
        user, group = _nobody()
        directory = config.dumpcap_dir
        _empty(directory)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.geteuid() == 0:
            os.chown(directory, user, group)
        program = shutil.which("dumpcap")
        assert program is not None
        process = subprocess.Popen(  # noqa: S603  our own module; a setting is an argument, no shell
            [sys.executable, "-m", "packet.capture.dumpcap_start", str(user), str(group), program,
             *_arguments(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=_ROOT,
        )  # fmt: skip
        recorder = cls(process, config, clock or SystemClock())
        deadline_ns = recorder._clock.monotonic_ns() + round(_START_SECONDS_MAX * NS_PER_S)
        while not recorder._files():
            if process.poll() is not None or recorder._clock.monotonic_ns() > deadline_ns:
                message = recorder._stderr_text()
                recorder.stop()
                raise CaptureError(
                    f"packet.engine dumpcap: it did not start on {config.interface}: {message}; "
                    'set packet.engine to "ring"'
                )
            _pause()
        return recorder

    @property
    def pid(self) -> int:
        """Return the process id of dumpcap."""
        return self._process.pid

    def pull(self, selection: Selection) -> Frames:
        """Return the selected frames, complete up to `selection.to_ns`, a past instant.

        Raises:
            CaptureError: dumpcap has ended.
        """
        self._wait_for(selection.to_ns)
        with self._lock:
            self._forget()
            parts = []
            for frames in self._frames(selection.from_ns):
                decoded = decode(frames, deep=False)
                parts.append(frames.take(decoded.rows[selection.of(decoded.columns)]))
        return concat_frames(parts)

    def contexts(
        self, selection: Selection, trace_ids: Collection[str] | None = None
    ) -> ContextRows:
        """Return the contexts that the selected packets carried, as far as `-s` left them whole.

        Args:
            selection: which packets.
            trace_ids: only contexts of these traces; None for any.
        """
        if not self._config.request_bytes:
            return no_contexts()
        self._wait_for(selection.to_ns)
        with self._lock:
            contexts = [
                chosen(find_contexts(frames), selection, trace_ids)
                for frames in self._frames(selection.from_ns)
            ]
        return np.concatenate([*contexts, no_contexts()])

    def stats(self) -> RecorderStats:
        """Return what it has seen and holds; drops are known when a file is complete."""
        self._check()
        with self._lock:
            self._forget()
            files = self._files()
            self._complete = {path: self._completed(path) for path in files[:-1]}
            newest = _read_extent(files[-1]) if files else _FileExtent(0, None)
            files_held = [*self._complete.values(), newest]
            oldest_ns = next((each.oldest_ns for each in files_held if each.packets), None)
            # Files are numbered from 1: where that one is gone, what it held is, too.
            is_whole = bool(files) and files[0].name.startswith("ring_00001_")
        return RecorderStats(
            packets=self._packets + newest.packets,
            kernel_drops=self._drops,
            held_packets=sum(each.packets for each in files_held),
            held_bytes=sum(status.st_size for path in files if (status := _stat(path))),
            oldest_ns=oldest_ns,
            since_ns=self._since_ns if is_whole else oldest_ns or self._clock.now_ns(),
            refused=0,
            uncounted=self._watch.late,
        )

    def seconds(self, after_ns: int) -> list[WireSecond]:
        """Return the figures of the seconds that begin after an instant."""
        self._check()
        until_ns = self._clock.now_ns() - _COMPLETE_AFTER_NS
        with self._lock:
            self._watched_ns = min(self._watched_ns, until_ns)  # where the clock was set back
            if self._config.analysis and until_ns > self._watched_ns:
                for frames in self._frames(self._watched_ns):
                    columns = decode(frames, deep=False).columns
                    fresh = (columns.ts_ns >= self._watched_ns) & (columns.ts_ns < until_ns)
                    self._watch.add(columns.take(fresh), until_ns)
                self._watched_ns = until_ns
            return self._watch.seconds(after_ns)

    def stop(self) -> None:
        """End dumpcap and what it holds."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._listener.join(_STOP_SECONDS_MAX)
        _empty(self._config.dumpcap_dir)

    def _check(self) -> None:
        if self._process.poll() is not None:
            raise CaptureError(
                f"dumpcap has ended (exit {self._process.returncode}): {self._stderr_text()}"
            )

    def _listen(self) -> None:
        # dumpcap names each file that it begins: nobody reading, its pipe would be full after 1,200
        # of them, and it would wait there for ever, alive.
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self._last_words = line.decode(errors="replace").strip() or self._last_words

    def _stderr_text(self) -> str:
        """Return dumpcap's last words, once it has ended."""
        if self._process.poll() is None:
            return "no file came"
        self._listener.join(_STOP_SECONDS_MAX)
        return self._last_words[:300] or "it said nothing"

    def _wait_for(self, to_ns: int) -> None:
        complete_ns = min(to_ns, self._clock.now_ns()) + _COMPLETE_AFTER_NS
        while self._clock.now_ns() < complete_ns:
            self._check()
            _pause()
        self._check()

    def _files(self) -> list[Path]:
        """Return the files of the ring, oldest first: dumpcap numbers them."""
        return sorted(self._config.dumpcap_dir.glob("ring_*.pcapng"))

    def _frames(self, from_ns: int) -> Iterator[Frames]:
        for path in self._files():
            status = _stat(path)
            if status is not None and status.st_mtime_ns >= from_ns - _STAMP_SLACK_NS:
                yield _read(path)

    def _completed(self, path: Path) -> _FileExtent:
        """Return what a file holds that dumpcap writes no more; the first time it is counted."""
        extent_before = self._complete.get(path)
        if extent_before is not None:
            return extent_before
        extent = _read_extent(path)
        self._packets += extent.packets
        self._drops = max(self._drops, _interface_drops(path))
        return extent

    def _forget(self) -> None:
        """Delete files that hold nothing young enough; the newest is dumpcap's."""
        before_ns = self._clock.now_ns() - round(self._config.window_s * NS_PER_S)
        for path in self._files()[:-1]:
            status = _stat(path)
            if status is not None and status.st_mtime_ns < before_ns:
                path.unlink(missing_ok=True)


def dumpcap_available(config: PacketConfig) -> str | None:
    """Return why dumpcap cannot record here and the remedy, None where it can."""
    if shutil.which("dumpcap") is None:
        return 'packet.engine dumpcap: there is no dumpcap; install wireshark-common or use "ring"'
    if not config.payload_on_disk and _file_system(config.dumpcap_dir) not in {"tmpfs", "ramfs"}:
        return (
            f"packet.dumpcap_dir {config.dumpcap_dir} is on a disk, and dumpcap writes the "
            f"first {config.snaplen_bytes} bytes of each packet, payload among them; name a "
            "directory in memory (tmpfs), or set packet.payload_on_disk to true"
        )
    return None


def capture_filter(config: PacketConfig) -> str:
    """Return the filter in pcap's own language: TCP of the wanted ports."""
    parts = ["tcp"]
    if config.ports:
        parts.append("(" + " or ".join(f"port {port}" for port in config.ports) + ")")
    parts += [f"not port {port}" for port in config.exclude_ports]
    return " and ".join(parts)


def _arguments(config: PacketConfig) -> list[str]:
    file_kb = max(config.memory_mib * 1024 // _FILES, _FILE_KB_MIN)
    return [
        "-q", "-i", config.interface, "-s", str(config.snaplen_bytes), "-B", str(_BUFFER_MIB),
        "-f", capture_filter(config), "-b", f"filesize:{file_kb}", "-b", f"files:{_FILES}",
        "-b", f"duration:{max(round(config.window_s / _FILES), 1)}",
        "-w", str(config.dumpcap_dir / "ring.pcapng"),
    ]  # fmt: skip


def _stat(path: Path) -> os.stat_result | None:
    """Return what is known of a file, None where the ring has come round."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _read_extent(path: Path) -> _FileExtent:
    frames = _read(path)
    return _FileExtent(len(frames), int(frames.ts_ns.min()) if len(frames) else None)


def _read(path: Path) -> Frames:
    """Return the frames of one file; the last block of the newest may still be half there."""
    try:
        groups = parse_pcapng(path.read_bytes())
    except (DecodeError, FileNotFoundError):
        return concat_frames([])
    return concat_frames([g.frames for g in groups if g.frames.link_type == LINK_ETHERNET])


def _interface_drops(path: Path) -> int:
    """Return what the kernel had dropped since the start, when a file was complete."""
    try:
        data, offset, drops = path.read_bytes(), 0, 0
    except FileNotFoundError:
        return 0
    while offset + 12 <= len(data):
        kind, length = struct.unpack_from("=II", data, offset)
        if length < 12 or offset + length > len(data):
            break
        option_at = offset + 20  # behind interface and time
        while kind == _STATISTICS_BLOCK and option_at + 4 <= offset + length - 4:
            code, size = struct.unpack_from("=HH", data, option_at)
            if code == _INTERFACE_DROPS and size == 8:
                drops = int(np.frombuffer(data, "=u8", 1, option_at + 4)[0])
            if code == 0:
                break
            option_at += 4 + (size + 3) // 4 * 4
        offset += length
    return drops


def _file_system(directory: Path) -> str:
    """Return the kind of file system that a directory is on, or will be."""
    place = directory
    entry = ("", "")
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, kind = line.split(" - ")[0].split()[4], line.split(" - ")[1].split()[0]
        if place.is_relative_to(mount) and len(mount) >= len(entry[0]):
            entry = mount, kind
    return entry[1]


def _nobody() -> tuple[int, int]:
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return _NOBODY, _NOBODY
    return nobody.pw_uid, nobody.pw_gid


def _empty(directory: Path) -> None:
    for path in directory.glob("ring_*.pcapng"):
        path.unlink(missing_ok=True)


def _pause() -> None:
    threading.Event().wait(_POLL_S)
