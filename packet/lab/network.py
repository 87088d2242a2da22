"""I/O: a network to try things on: namespaces of this machine, and a cable or a slow path between.

Everything here is made and removed by its context manager, touches no interface that was there
before, and needs the rights of root on Linux. What a path did to each packet is in its own log,
which is the truth that a figure from a capture is compared with.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from collector.core.errors import CaptureError
from packet.lab.forwarder import FORWARDED, LOG_ROW

_CLONE_NEWNET = 0x40000000
_NAMESPACES = Path("/run/netns")
_NUMBERS = itertools.count()

LogRows = NDArray[np.void]  # of LOG_ROW


@dataclass(frozen=True, slots=True)
class Impairment:
    """What a path does to packets; each way by itself, and every packet's lot is seeded."""

    delay_ns: int = 0  # one way
    back_delay_ns: int | None = None  # of the other way; None: the same
    jitter_ns: int = 0  # standard deviation; packets keep their order, as in a queue
    loss_ratio: float = 0.0
    reorder_ratio: float = 0.0  # of packets that are overtaken by what comes in `reorder_ns`
    reorder_ns: int = 300_000
    seed: int = 1
    polls: bool = False  # never sleeps, for a core: an idle machine takes 50 us to wake it


@dataclass(frozen=True, slots=True)
class Host:
    """One end: a network namespace with an interface and its addresses."""

    namespace: str
    interface: str
    address: str
    address_v6: str

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let this thread make sockets and processes here; what it makes stays here."""
        with (
            Path("/proc/thread-self/ns/net").open() as before,
            (_NAMESPACES / self.namespace).open() as namespace_file,
        ):
            _set_namespace(namespace_file.fileno())
            try:
                yield
            finally:
                _set_namespace(before.fileno())

    def started(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a module of ours on this host, with pipes for what it hears and says."""
        with self.entered():
            return _start(module, *arguments)

    @contextmanager
    def serving(self, module: str) -> Iterator[int]:
        """Run the `server` of a module here until its input ends; yield the port it printed."""
        process = self.started(module, "server", self.address)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.stdout.close()
            process.wait()


@dataclass(frozen=True, slots=True)
class Cable:
    """Two hosts and nothing between them."""

    a: Host
    b: Host


class SlowPath:
    """Two hosts and a forwarder between them, which delays, loses and reorders."""

    def __init__(self, a: Host, b: Host, process: subprocess.Popen[bytes]) -> None:
        self.a = a
        self.b = b
        self._process = process
        self._rows: LogRows | None = None

    def impair(self, impairment: Impairment) -> None:
        """Treat packets that come from now on so."""
        assert self._process.stdin is not None
        line = json.dumps(asdict(impairment)) + "\n"
        self._process.stdin.write(line.encode())
        self._process.stdin.flush()

    def log(self) -> LogRows:
        """End the forwarder and return what it did to each packet, in order of arrival."""
        if self._rows is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            assert self._process.stdout is not None
            data = self._process.stdout.read()
            self._process.stdout.close()
            self._process.wait()
            self._rows = np.frombuffer(data, LOG_ROW)
        return self._rows


def lab_available() -> str | None:
    """Return why no lab can be made here and the remedy, None where one can."""
    if sys.platform != "linux":
        return "a lab needs network namespaces, which are Linux's"
    if os.geteuid() != 0:
        return "a lab needs network namespaces and TUN devices: run as root"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun; load the module `tun`"
    return None


@contextmanager
def cable() -> Iterator[Cable]:
    """Two namespaces joined by a pair of virtual Ethernet interfaces.

    Raises:
        CaptureError: none can be made here; the message has the remedy.
    """
    with _namespaces() as (one, other):
        a, b = _hosts(one, other, "veth")
        _ip("link", "add", a.interface, "netns", one, "type", "veth",
            "peer", "name", b.interface, "netns", other)  # fmt: skip
        for host, peer in ((a, b), (b, a)):
            _address(host, peer)
        yield Cable(a, b)


@contextmanager
def slow_path(impairment: Impairment | None = None) -> Iterator[SlowPath]:
    """Two namespaces joined by a forwarder between two TAP devices.

    Raises:
        CaptureError: none can be made here; the message has the remedy.
    """
    with _namespaces() as (one, other), ExitStack() as stack:
        a, b = _hosts(one, other, "tap")
        process = _start("packet.lab.forwarder", one, a.interface, other, b.interface)
        path = SlowPath(a, b, process)
        stack.callback(path.log)
        path.impair(impairment or Impairment())
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise CaptureError("the forwarder of the lab did not start")
        for host, peer in ((a, b), (b, a)):
            _address(host, peer)
        yield path


def forwarded(rows: LogRows) -> LogRows:
    """Return the packets of a log that came through."""
    through: LogRows = rows[rows["fate"] == FORWARDED]
    return through


@contextmanager
def _namespaces() -> Iterator[Sequence[str]]:
    unavailable = lab_available()
    if unavailable is not None:
        raise CaptureError(unavailable)
    names = [f"millworth-{os.getpid()}-{next(_NUMBERS)}" for _ in range(2)]
    with ExitStack() as stack:
        for name in names:
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
            _ip("-n", name, "link", "set", "lo", "up")
        yield names


def _hosts(one: str, other: str, kind: str) -> tuple[Host, Host]:
    a = Host(one, f"{kind}-a", "10.88.0.1", "fd88::1")
    return a, Host(other, f"{kind}-b", "10.88.0.2", "fd88::2")


def _address(host: Host, peer: Host) -> None:
    """Give an interface its addresses and its neighbour, so that no packet asks for either."""
    where = ("-n", host.namespace)
    hardware = {"a": "02:00:00:00:00:0a", "b": "02:00:00:00:00:0b"}
    link = ("link", "set", "dev", host.interface)
    _ip(*where, *link, "addrgenmode", "none", "address", hardware[host.interface[-1]])
    _ip(*where, "addr", "add", f"{host.address}/24", "dev", host.interface)
    _ip(*where, "addr", "add", f"{host.address_v6}/64", "dev", host.interface, "nodad")
    _ip(*where, *link, "up", "txqueuelen", "5000")
    for address in (peer.address, peer.address_v6):
        _ip(*where, "neigh", "replace", address, "dev", host.interface,
            "lladdr", hardware[peer.interface[-1]], "nud", "permanent")  # fmt: skip


def _start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  our own module, and arguments that we made
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


def _ip(*arguments: str) -> None:
    result = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607  our own arguments; iproute2 is where the system has it
    if result.returncode:
        raise CaptureError(f"ip {' '.join(arguments)}: {result.stderr.strip()}")


def _set_namespace(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise CaptureError(f"setns: {os.strerror(ctypes.get_errno())}")
