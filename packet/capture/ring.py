"""I/O: the blocks that a ring retired, held in bounded memory, and the way to become nobody."""

from __future__ import annotations

import ctypes
import os
import pwd
import struct
from collections import deque
from dataclasses import dataclass

from collector.core.errors import CaptureError
from collector.core.times import NS_PER_MS, NS_PER_S
from packet.capture.mapped_ring import MappedRing, raw_socket
from packet.config import PacketConfig

# 16 MiB in the kernel: at 50 ms a block it holds 3 s while the process is kept from running.
BLOCK_COUNT = 64

_BLOCK_LAST_AT = 40  # ts_last_pkt: sec, nsec
_STAMP = struct.Struct("=II")
_RECORD_STAMP_AT = 4  # tp_sec, tp_nsec of tpacket3_hdr

# Blocks are pruned by their own stamps, which lag those of their packets by scheduling.
_STAMP_SLACK_NS = 10 * NS_PER_MS

_NOBODY = 65534  # used where the system knows no user of that name
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522


@dataclass(frozen=True, slots=True)
class Block:
    """One retired block, as the kernel wrote it."""

    first_ns: int
    last_ns: int  # at the latest; a block retired by its age carries that instant
    packets: int
    block: bytes


class Ring:
    """What was copied out of the kernel's ring, newest last, at most `memory_mib` of it."""

    def __init__(self, config: PacketConfig, now_ns: int = 0) -> None:
        """Open the ring.

        Args:
            config: what to record.
            now_ns: when it begins.

        Raises:
            CaptureError: no privilege, or no such interface.
        """
        self._config = config
        self._mapped = MappedRing(config, BLOCK_COUNT, now_ns // (config.sample_epoch_s * NS_PER_S))
        self.since_ns = now_ns
        self._blocks: deque[Block] = deque()
        self._held_bytes_max = config.memory_mib * 1024 * 1024
        self._fresh: list[bytes] = []
        self.held_bytes = 0
        self.held_packets = 0
        self.packets = 0

    def fileno(self) -> int:
        """Return the descriptor that polls readable when a block was retired."""
        return self._mapped.fileno()

    def drain(self) -> None:
        """Copy every retired block and give it back to the kernel."""
        for packets, first_at, block in self._mapped.drain():
            self._hold(packets, first_at, block)

    def take_fresh(self) -> list[bytes]:
        """Return the blocks that came since the last call, oldest first."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def forget(self, before_ns: int) -> None:
        """Let blocks go that have no packet of that time or later."""
        while self._blocks and self._blocks[0].last_ns < before_ns:
            self._drop_oldest()

    def reseed(self, epoch: int) -> None:
        """Sample another epoch's flows, see `MappedRing.reseed`."""
        self._mapped.reseed(epoch)

    def blocks(self, from_ns: int, to_ns: int) -> list[Block]:
        """Return the held blocks that may have packets of [from_ns, to_ns), oldest first."""
        return [
            block
            for block in self._blocks
            if block.first_ns < to_ns + _STAMP_SLACK_NS
            and block.last_ns >= from_ns - _STAMP_SLACK_NS
        ]

    def oldest_ns(self) -> int | None:
        """Return the stamp of the oldest packet held, None where none is."""
        return self._blocks[0].first_ns if self._blocks else None

    def count_drops(self) -> int:
        """Return how many packets the kernel had no room for, since the start."""
        return self._mapped.count_drops()

    def close(self) -> None:
        """Give the ring back."""
        self._mapped.close()

    def _hold(self, packets: int, first_at: int, block: bytes) -> None:
        first_ns = _stamp_ns(block, first_at + _RECORD_STAMP_AT)
        self._blocks.append(Block(first_ns, _stamp_ns(block, _BLOCK_LAST_AT), packets, block))
        if self._config.analysis:
            self._fresh.append(block)
        self.packets += packets
        self.held_packets += packets
        self.held_bytes += len(block)
        while self.held_bytes > self._held_bytes_max:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        gone = self._blocks.popleft()
        self.since_ns = max(self.since_ns, gone.last_ns)
        self.held_bytes -= len(gone.block)
        self.held_packets -= gone.packets


def capture_available(config: PacketConfig) -> str | None:
    """Return why packets cannot be recorded here and the remedy, None where they can."""
    if not config.enabled:
        return "packet.enabled is false; set it to true to record packets"
    try:
        raw_socket(config.interface).close()
    except CaptureError as error:
        return str(error)
    return None


def drop_privileges() -> None:
    """Become nobody, without a capability and without a way to get one back.

    The ring stays open: the kernel asks for the privilege when it is opened, never again.
    """
    if os.geteuid() == 0:
        try:
            nobody = pwd.getpwnam("nobody")
            user, group = nobody.pw_uid, nobody.pw_gid
        except KeyError:
            user = group = _NOBODY
        try:
            os.setgroups([])
            os.setresgid(group, group, group)
            os.setresuid(user, user, user)
        except PermissionError as error:
            raise CaptureError(
                "the recorder cannot become nobody: root without CAP_SETUID and CAP_SETGID stays "
                "root; run the service as a user of its own with CAP_NET_RAW alone, or add the two"
            ) from error
    libc = ctypes.CDLL(None, use_errno=True)
    # Also where CAP_NET_RAW came to an ordinary user from the file or from systemd.
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if libc.capset(header, nothing) != 0 or libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise CaptureError(
            f"the recorder could not drop its privileges: {os.strerror(ctypes.get_errno())}"
        )


def _stamp_ns(block: bytes, offset: int) -> int:
    seconds, nanoseconds = _STAMP.unpack_from(block, offset)
    return int(seconds * NS_PER_S + nanoseconds)
