"""`millworth up` in a process of its own, for the tests that need the whole service."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

# Before a command: root reads and writes every file, unless it lays down the right to.
_RIGHTS: Final = "-dac_override,-dac_read_search"
LAY_DOWN: Final = (
    ("setpriv", f"--bounding-set={_RIGHTS}", f"--inh-caps={_RIGHTS}") if os.geteuid() == 0 else ()
)
_TRIES: Final = 2_000


def ended_within(pidfd: int, seconds: float) -> bool:
    """Wait for the end of the process behind a pidfd; `select` stops at descriptor 1023."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def millworth(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one command in a process of its own, as a person would."""
    return _run((), arguments, environment)


def millworth_in(
    directory: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run one command in a process of its own, given in a directory."""
    return _run(("env", f"--chdir={directory}"), arguments, environment)


def millworth_without_rights(
    *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run one command that may not use what the modes of files do not let it use."""
    return _run(LAY_DOWN, arguments, environment)


def _run(
    wrapper: Sequence[str], arguments: Sequence[str], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*wrapper, sys.executable, "-m", "dashboard.cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
        check=False,
    )


def begin(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Begin one command in a process of its own, and wait for nothing."""
    return subprocess.Popen(
        [sys.executable, "-m", "dashboard.cli.main", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    )


class RunningService:
    """A service on a directory, on free ports; a context manager that ends it with SIGTERM.

    `wrapper` is a command that becomes the one that its further arguments are.
    """

    def __init__(self, directory: Path, wrapper: Sequence[str] = (), **settings: str) -> None:
        self.store_path = directory / "store"
        self.environment = {
            "MILLWORTH__STORE__URL": f"chdb://{self.store_path}",
            "MILLWORTH__COLLECTOR__GRPC_PORT": "0",
            "MILLWORTH__COLLECTOR__HTTP_PORT": "0",
            "MILLWORTH__DASHBOARD__PORT": "0",
            "MILLWORTH__PACKET__ENABLED": "false",
            **settings,
        }
        self._wrapper = wrapper
        self._log_path = directory / "service.log"

    def said(self) -> str:
        """Return its log lines so far."""
        return self._log_path.read_text()

    def begin(self) -> subprocess.Popen[str]:
        """Begin to start it, and wait for nothing."""
        with self._log_path.open("w") as said:
            return subprocess.Popen(
                [*self._wrapper, sys.executable, "-m", "dashboard.cli.main", "up", "--json"],
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                env={**os.environ, **self.environment},
            )

    def __enter__(self) -> Self:
        self.process = self.begin()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the service did not start: {self.said()}"
        self.ready: dict[str, Any] = json.loads(line)
        self.url = f"http://127.0.0.1:{self.ready['dashboard_port']}"
        return self

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command against this service."""
        return millworth(*arguments, "--url", self.url, **self.environment)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.wait(timeout=60)


def until(happens: Callable[[], bool]) -> None:
    """Try until something happens."""
    assert any(happens() for _ in range(_TRIES))
