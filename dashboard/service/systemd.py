"""I/O: tells the service manager (systemd, Type=notify) that we are ready, well, and stopping.

One datagram a message to the socket that it names. Without a service manager nothing is sent; one
that does not listen is no reason to stop.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from collector.core.log import get_logger
from dashboard.service.stop import Stop
from dashboard.settings.settings import ServiceManager

_LOG = get_logger("dashboard")
# systemd asks for twice the rate at which it would lose patience.
_SAYS_PER_LIMIT = 2
_LOOK_S = 0.5


class Supervisor:
    """The service manager that started this process, or none."""

    def __init__(self, manager: ServiceManager) -> None:
        self._manager = manager

    def ready(self, status: str) -> None:
        """Say that requests are answered; `status` is what `systemctl status` shows."""
        self._say("READY=1", f"STATUS={status}")

    def stopping(self) -> None:
        """Say that no more is taken, and what is there is being stored."""
        self._say("STOPPING=1", "STATUS=storing what was acknowledged")

    def watch(self, stop: Stop, stalled: Callable[[], list[str]]) -> None:
        """Return when it is time to stop; until then say that we are well, for as long as we are.

        Where something stalls we fall silent, and the service manager starts us anew: what was
        acknowledged is in the log.
        """
        limit_s = self._manager.watchdog_seconds
        pause_s = _LOOK_S if limit_s is None else limit_s / _SAYS_PER_LIMIT
        while not stop.wait(pause_s):
            if limit_s is None:
                continue
            if which := stalled():
                _LOG.error("service_stalled", parts=which)
            else:
                self._say("WATCHDOG=1")

    def _say(self, *lines: str) -> None:
        address = self._manager.notify_socket
        if not address:
            return
        if address.startswith("@"):
            address = "\0" + address[1:]  # an abstract socket
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
                way.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            _LOG.warning("service_manager_not_told", message=lines[0], error=str(error))
