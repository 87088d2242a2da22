"""A `millworth demo` in a process of its own, on free ports."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

# After --for the demo stores what is left and takes everything down.
END_SECONDS_MAX = 90


class RunningDemo:
    """A demo that is ready, and the address of its pages."""

    def __init__(self, data: Path, run_s: int) -> None:
        """Start the demo on an empty directory; it ends by itself after `run_s` seconds."""
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "dashboard.cli.main", "demo"),
                *("--for", f"{run_s}s", "--json", "--data", str(data)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "MILLWORTH__DASHBOARD__PORT": "0",
                "MILLWORTH__COLLECTOR__GRPC_PORT": "0",
                "MILLWORTH__COLLECTOR__HTTP_PORT": "0",
            },
        )
        self.url = self._await_url()

    def interrupt(self) -> tuple[str, str]:
        """End the demo as Ctrl-C does; return standard output and standard error."""
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=END_SECONDS_MAX)

    def close(self) -> None:
        """End the demo if it still runs."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.communicate(timeout=END_SECONDS_MAX)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def _await_url(self) -> str:
        assert self.process.stderr is not None
        printed = ""
        for line in self.process.stderr:
            printed += line
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                return found[0]
        raise AssertionError(f"the demo did not become ready: {printed}")
