"""I/O: a TPACKET_V3 ring on one interface, and the blocks it retired, held in bounded memory.

The kernel fills blocks of many packets; each is copied as a whole, so that the cost is a memcpy a
block and nothing a packet. Needs CAP_NET_RAW to open and nothing afterwards.

Source: Documentation/networking/packet_mmap.rst of the Linux kernel.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import pwd
import socket
import struct
from collections import deque
from dataclasses import dataclass

from collector.clock import NS_PER_MS, NS_PER_S
from collector.errors import CaptureError
from packet.config import PacketConfig
from packet.kernel_filter import KernelSample, header_filter

# linux/if_packet.h, linux/if_ether.h, asm-generic/socket.h, linux/if.h
_SOL_PACKET = 263
_PACKET_RX_RING, _PACKET_STATISTICS, _PACKET_VERSION = 5, 6, 10
_TPACKET_V3 = 2
_SO_ATTACH_FILTER, _SO_LOCK_FILTER = 26, 44
_ETH_P_ALL = 3  # a tap on one protocol alone is not given outgoing packets
_IFF_LOOPBACK = 0x8
_SIOCGIFFLAGS, _SIOCGIFHWADDR = 0x8913, 0x8927
# linux/if_arp.h: what begins with an Ethernet header, which is where the filter looks.
_ETHERNET_LINKS = (1, 772)  # ARPHRD_ETHER, ARPHRD_LOOPBACK
_TP_STATUS_USER = 1

BLOCK_BYTES = 256 * 1024
# 16 MiB in the kernel: at 50 ms a block it holds 3 s while the process is kept from running.
BLOCK_COUNT = 64
# A block that is not full is handed over after this: longer means fewer wake-ups, later answers.
RETIRE_MS = 50
_FRAME_BYTES = 2048  # TPACKET_V3 packs frames by their own size; the kernel wants a divisor

_BLOCK_STATUS_AT = 8
_BLOCK = struct.Struct("=IIII")  # block_status, num_pkts, offset_to_first_pkt, blk_len
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
    """The kernel's ring and what was copied out of it, newest last, at most `memory_mib` of it."""

    def __init__(self, config: PacketConfig, now_ns: int = 0) -> None:
        """Open the ring.

        Args:
            config: what to record; with engine "sample" the kernel keeps a sample only.
            now_ns: when it begins; of the epoch of that sample, too.

        Raises:
            CaptureError: no privilege, or no such interface.
        """
        self._config = config
        self._epoch = now_ns // (config.sample_epoch_s * NS_PER_S)
        self._socket = _open(config, self._epoch)
        self.since_ns = now_ns
        self._map = mmap.mmap(self._socket.fileno(), BLOCK_BYTES * BLOCK_COUNT)
        self._view = memoryview(self._map)
        self._next = 0
        self._held: deque[Block] = deque()
        self._held_bytes_max = config.memory_mib * 1024 * 1024
        self._fresh: list[bytes] = []
        self.held_bytes = 0
        self.held_packets = 0
        self.packets = 0
        self.kernel_drops = 0

    def fileno(self) -> int:
        """Return the descriptor that polls readable when a block was retired."""
        return self._socket.fileno()

    def drain(self) -> None:
        """Copy every retired block and give it back to the kernel."""
        while True:
            at = self._next * BLOCK_BYTES
            status, packets, first_at, used = _BLOCK.unpack_from(self._map, at + _BLOCK_STATUS_AT)
            if not status & _TP_STATUS_USER:
                return
            if packets:
                self._hold(at, packets, first_at, used)
            struct.pack_into("=I", self._map, at + _BLOCK_STATUS_AT, 0)
            self._next = (self._next + 1) % BLOCK_COUNT

    def take_fresh(self) -> list[bytes]:
        """Return the blocks that came since the last call, oldest first."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def forget(self, before_ns: int) -> None:
        """Let blocks go that have no packet of that time or later."""
        while self._held and self._held[0].last_ns < before_ns:
            self._drop_oldest()

    def reseed(self, epoch: int) -> None:
        """Sample another epoch's flows, in engine "sample"; the program is replaced at once.

        Every other engine's filter is locked, and needs no seed.
        """
        if self._config.engine == "sample" and epoch != self._epoch:
            _attach(self._socket, self._config, epoch)
            self._epoch = epoch

    def blocks(self, from_ns: int, to_ns: int) -> list[Block]:
        """Return the held blocks that may have packets of [from_ns, to_ns), oldest first."""
        return [
            block
            for block in self._held
            if block.first_ns < to_ns + _STAMP_SLACK_NS
            and block.last_ns >= from_ns - _STAMP_SLACK_NS
        ]

    def oldest_ns(self) -> int | None:
        """Return the stamp of the oldest packet held, None where none is."""
        return self._held[0].first_ns if self._held else None

    def count_drops(self) -> int:
        """Return how many packets the kernel had no room for, since the start."""
        # The kernel's own counters start anew at each reading.
        _, drops, _ = struct.unpack(
            "=III", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 12)
        )
        self.kernel_drops += drops
        return self.kernel_drops

    def close(self) -> None:
        """Give the ring back."""
        self._view.release()
        self._map.close()
        self._socket.close()

    def _hold(self, at: int, packets: int, first_at: int, used: int) -> None:
        block = bytes(self._view[at : at + used])
        first_ns = _stamp_ns(block, first_at + _RECORD_STAMP_AT)
        self._held.append(Block(first_ns, _stamp_ns(block, _BLOCK_LAST_AT), packets, block))
        if self._config.analysis:
            self._fresh.append(block)
        self.packets += packets
        self.held_packets += packets
        self.held_bytes += used
        while self.held_bytes > self._held_bytes_max:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        gone = self._held.popleft()
        self.since_ns = max(self.since_ns, gone.last_ns)
        self.held_bytes -= len(gone.block)
        self.held_packets -= gone.packets


def capture_available(config: PacketConfig) -> str | None:
    """Return why packets cannot be recorded here and the remedy, None where they can."""
    if not config.enabled:
        return "packet.enabled is false; set it to true to record packets"
    try:
        _raw_socket(config.interface).close()
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


def _open(config: PacketConfig, epoch: int) -> socket.socket:
    opened = _raw_socket(config.interface)
    try:
        opened.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
        frame_count = BLOCK_BYTES * BLOCK_COUNT // _FRAME_BYTES
        opened.setsockopt(
            _SOL_PACKET,
            _PACKET_RX_RING,
            struct.pack(
                "=7I", BLOCK_BYTES, BLOCK_COUNT, _FRAME_BYTES, frame_count, RETIRE_MS, 0, 0
            ),
        )
        _attach(opened, config, epoch)
        if config.engine != "sample":
            # Nobody, this process included, can take the filter off or put a wider one there. That
            # of a sample has to be replaced when its epoch ends, so it is not locked: who took this
            # process over could widen it, yet has no capability to open another socket.
            opened.setsockopt(socket.SOL_SOCKET, _SO_LOCK_FILTER, 1)
        # Bound last: until now it has no protocol, so nothing came in past the filter.
        opened.bind((config.interface, _ETH_P_ALL))
    except OSError as error:
        opened.close()
        raise CaptureError(
            f"packet.interface {config.interface}: the kernel refused a TPACKET_V3 ring: "
            f"{error.strerror}; set packet.enabled to false to run without packets"
        ) from error
    return opened


def _attach(opened: socket.socket, config: PacketConfig, epoch: int) -> None:
    in_kernel = config.engine == "sample"
    program = header_filter(
        loopback=_is_loopback(opened, config.interface),
        snaplen_bytes=config.snaplen_bytes,
        ports=config.ports,
        exclude_ports=config.exclude_ports,
        sample=KernelSample.of(config.sample_ratio, epoch) if in_kernel else None,
    )
    buffer = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: a count and, aligned, a pointer.
    filter_program = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_program)


def _raw_socket(interface: str) -> socket.socket:
    try:
        socket.if_nametoindex(interface)
    except OSError as error:
        known = ", ".join(name for _, name in socket.if_nameindex())
        raise CaptureError(
            f"packet.interface: there is no {interface!r}; expected one of {known}"
        ) from error
    try:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    except OSError as error:
        raise not_opened(interface, error) from error
    link = _asked(opened, _SIOCGIFHWADDR, interface)
    if link not in _ETHERNET_LINKS:
        opened.close()
        raise CaptureError(
            f"packet.interface {interface}: its frames have no Ethernet header (ARPHRD {link}), as "
            "those of a tunnel have none; name the interface that carries it"
        )
    return opened


def not_opened(interface: str, error: OSError) -> CaptureError:
    """Return what is to be said of a packet socket that the kernel did not give."""
    if isinstance(error, PermissionError):
        return CaptureError(
            f"packet.interface {interface}: recording needs the privilege CAP_NET_RAW; run as "
            "root, or `setcap cap_net_raw+ep` the Python interpreter, or under systemd set "
            "AmbientCapabilities=CAP_NET_RAW"
        )
    # A sandbox that allows no such sockets at all, such as RestrictAddressFamilies of systemd.
    return CaptureError(
        f"packet.interface {interface}: packet sockets are not to be had here ({error.strerror}); "
        "allow the address family AF_PACKET where the service is confined, or set packet.enabled "
        "to false"
    )


def _is_loopback(opened: socket.socket, interface: str) -> bool:
    return bool(_asked(opened, _SIOCGIFFLAGS, interface) & _IFF_LOOPBACK)


def _asked(opened: socket.socket, request: int, interface: str) -> int:
    """Return what the kernel says of an interface of this network namespace.

    Asked of the socket: /sys shows the namespace that it was mounted in, not ours.
    """
    answer = fcntl.ioctl(opened, request, struct.pack("16sH14x", interface.encode(), 0))
    return int(struct.unpack_from("=H", answer, 16)[0])


def _stamp_ns(block: bytes, at: int) -> int:
    seconds, nanoseconds = _STAMP.unpack_from(block, at)
    return int(seconds * NS_PER_S + nanoseconds)
