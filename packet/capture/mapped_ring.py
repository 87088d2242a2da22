"""I/O: a TPACKET_V3 ring on one interface, mapped into this process.

The kernel fills blocks of many packets; each is copied out as a whole, so that the cost is a memcpy
a block and nothing a packet. Needs CAP_NET_RAW to open and nothing afterwards.

Source: Documentation/networking/packet_mmap.rst of the Linux kernel.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import socket
import struct
from collections.abc import Iterator

from collector.core.errors import CaptureError
from packet.capture.kernel_filter import KernelSample, header_filter
from packet.config import PacketConfig

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
# A block that is not full is handed over after this: longer means fewer wake-ups, later answers.
RETIRE_MS = 50
_FRAME_BYTES = 2048  # TPACKET_V3 packs frames by their own size; the kernel wants a divisor

_BLOCK_STATUS_AT = 8
_BLOCK = struct.Struct("=IIII")  # block_status, num_pkts, offset_to_first_pkt, blk_len


class MappedRing:
    """A packet socket with its filter, and the blocks that the kernel fills."""

    def __init__(
        self, config: PacketConfig, block_count: int, epoch: int, *, request_bytes: int = 0
    ) -> None:
        """Open the ring.

        Args:
            config: what to record; with engine "sample" the kernel keeps a sample only.
            block_count: of `BLOCK_BYTES` each.
            epoch: of that sample.
            request_bytes: of what begins like a request, see `kernel_filter.header_filter`.

        Raises:
            CaptureError: no privilege, or no such interface.
        """
        self._config = config
        self._epoch = epoch
        self._request_bytes = request_bytes
        self._socket = _open(config, block_count, request_bytes, epoch)
        self._map = mmap.mmap(self._socket.fileno(), BLOCK_BYTES * block_count)
        self._view = memoryview(self._map)
        self._block_count = block_count
        self._next = 0
        self._drops = 0

    def fileno(self) -> int:
        """Return the descriptor that polls readable when a block was retired."""
        return self._socket.fileno()

    def drain(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield packets, place of the first, and a copy of every retired block; give it back."""
        while True:
            offset = self._next * BLOCK_BYTES
            status, packets, first_at, used = _BLOCK.unpack_from(
                self._map, offset + _BLOCK_STATUS_AT
            )
            if not status & _TP_STATUS_USER:
                return
            if packets:
                yield packets, first_at, bytes(self._view[offset : offset + used])
            struct.pack_into("=I", self._map, offset + _BLOCK_STATUS_AT, 0)
            self._next = (self._next + 1) % self._block_count

    def reseed(self, epoch: int) -> None:
        """Sample another epoch's flows, in engine "sample"; the program is replaced at once.

        Every other engine's filter is locked, and needs no seed.
        """
        if self._config.engine == "sample" and epoch != self._epoch:
            _attach(self._socket, self._config, self._request_bytes, epoch)
            self._epoch = epoch

    def count_drops(self) -> int:
        """Return how many packets the kernel had no room for, since the start."""
        # The kernel's own counters start anew at each reading.
        _, drops, _ = struct.unpack(
            "=III", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 12)
        )
        self._drops += drops
        return self._drops

    def close(self) -> None:
        """Give the ring back."""
        self._view.release()
        self._map.close()
        self._socket.close()


def _open(config: PacketConfig, block_count: int, request_bytes: int, epoch: int) -> socket.socket:
    opened = raw_socket(config.interface)
    try:
        opened.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
        frame_count = BLOCK_BYTES * block_count // _FRAME_BYTES
        opened.setsockopt(
            _SOL_PACKET,
            _PACKET_RX_RING,
            struct.pack(
                "=7I", BLOCK_BYTES, block_count, _FRAME_BYTES, frame_count, RETIRE_MS, 0, 0
            ),
        )
        _attach(opened, config, request_bytes, epoch)
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


def _attach(opened: socket.socket, config: PacketConfig, request_bytes: int, epoch: int) -> None:
    in_kernel = config.engine == "sample"
    program = header_filter(
        loopback=_is_loopback(opened, config.interface),
        snaplen_bytes=config.snaplen_bytes,
        ports=config.ports,
        exclude_ports=config.exclude_ports,
        sample=KernelSample.of(config.sample_ratio, epoch) if in_kernel else None,
        request_bytes=request_bytes,
    )
    buffer = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: a count and, aligned, a pointer.
    filter_program = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_program)


def raw_socket(interface: str) -> socket.socket:
    """Return a packet socket that hears nothing yet.

    Raises:
        CaptureError: no privilege, no such interface, or one without Ethernet.
    """
    try:
        socket.if_nametoindex(interface)
    except OSError as error:
        names = ", ".join(name for _, name in socket.if_nameindex())
        raise CaptureError(
            f"packet.interface: there is no {interface!r}; expected one of {names}"
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
            "root, or under systemd set AmbientCapabilities=CAP_NET_RAW, or `setcap "
            "cap_net_raw+ep` an interpreter that runs nothing else (`python -m venv --copies`)"
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
