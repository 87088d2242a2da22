"""A stand-in for `systemctl` that starts and stops a real `millworth up`."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

# `stop` returns when the process has ended, `start` when the service has said that it is ready.
_SCRIPT = """
cd {home}
for verb in "$@"; do case "$verb" in
  stop|disable)
    if [ -s pid ]; then kill -TERM "$(cat pid)" && tail --pid="$(cat pid)" -f /dev/null; rm pid; fi
    exit 0 ;;
  start)
    rm -f ready; mkfifo ready
    {python} -m dashboard.cli.main up --json > ready 2>> service.log &
    echo $! > pid
    head -n 1 ready > ready.json; test -s ready.json
    exit 0 ;;
  daemon-reload) exit 0 ;;
esac; done
echo "no such verb: $*" >&2; exit 1
"""


class Machine:
    """A directory with a service as systemd would run it, on ports that stay over a restart.

    Attributes:
        state: the directory of the store, `STATE` on the pages.
        environment: the settings of the service and of every command.
        systemctl: the text of the stand-in.
    """

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.state = home / "state"
        self.state.mkdir(exist_ok=True)
        grpc, http, pages = _free_ports(3)
        self.http_url = f"http://127.0.0.1:{http}"
        self.url = f"http://127.0.0.1:{pages}"
        self.environment = {
            "MILLWORTH__STORE__URL": f"chdb://{self.state / 'store'}",
            "MILLWORTH__COLLECTOR__GRPC_PORT": str(grpc),
            "MILLWORTH__COLLECTOR__HTTP_PORT": str(http),
            "MILLWORTH__DASHBOARD__PORT": str(pages),
            "MILLWORTH__PACKET__ENABLED": "false",
            **settings,
        }
        self.systemctl = _SCRIPT.format(
            home=shlex.quote(str(home)), python=shlex.quote(sys.executable)
        )

    def close(self) -> None:
        """End the service if it runs."""
        path = self.home / "pid"
        if path.exists():
            with suppress(ProcessLookupError):  # it ended by itself
                os.kill(int(path.read_text()), signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on now."""
    listeners = [socket.socket() for _ in range(count)]
    for listener in listeners:
        listener.bind(("127.0.0.1", 0))
    ports = [int(listener.getsockname()[1]) for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
