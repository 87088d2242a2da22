"""A ClickHouse server for tests: the HTTP interface over loopback, an engine in another process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import Request, urlopen

from collector.core.config import StoreConfig
from tests.support.tree import ROOT


class Double:
    """One server; a context manager. Its data stays in `directory` over a restart.

    Args:
        cluster: name of a cluster of one shard; `ON CLUSTER` and `Replicated` are left out of a
            statement there, since no Keeper runs, and everything else is run as it stands.
        zone: of time, in which the server runs.
    """

    def __init__(self, directory: Path, *, cluster: str = "", zone: str = "UTC") -> None:
        self._directory = directory
        self._zone = zone
        self._cluster = cluster
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start, on the port of before where there was one."""
        self._process = subprocess.Popen(
            [
                "env",
                f"TZ={self._zone}",
                sys.executable,
                "-m",
                "tests.support.clickhouse.double_server",
                str(self._directory / "engine"),
                str(self.port),
                self._cluster,
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def stop(self, *, kill: bool = False) -> None:
        """End the server; with `kill` as a crash would."""
        process, self._process = self._process, None
        if process is None:
            return
        if kill:
            process.kill()
        process.communicate()

    def config(self, user: str = "", password: str = "", **more: Any) -> StoreConfig:  # noqa: ANN401 - fields
        """Return how to reach it."""
        account = f"{user}:{password}@" if user else ""
        return StoreConfig(
            url=f"http://{account}127.0.0.1:{self.port}", cluster=self._cluster, **more
        )

    def fail(self, kind: str, match: str, times: int = 1, **more: Any) -> None:  # noqa: ANN401 - JSON
        """Let the next requests whose statement holds `match` meet a fault.

        Kinds: cut_during (the body is being sent), cut_before, cut_after (the engine has run it),
        cut_answer (half of it is sent), hang and hang_after (likewise, and not before `heal`),
        busy (503), foreign (404 of something else), code (an exception of ClickHouse's by `code`
        and `name`).
        """
        self._control({"kind": kind, "match": match, "times": times, **more})

    def wait_until_met(self) -> None:
        """Return when a request has met the last fault that cuts or hangs."""
        self._control({"wait": True})

    def heal(self) -> None:
        """Forget the faults, and cut the requests that hang."""
        self._control({"heal": True})

    def requests(self, match: str = "") -> list[dict[str, Any]]:
        """Return the requests so far whose statement holds `match`: `head` and `parameters`."""
        with urlopen(f"http://127.0.0.1:{self.port}/control") as answer:
            log: list[dict[str, Any]] = json.load(answer)
        return [request for request in log if match in request["head"]]

    def _control(self, asked: dict[str, Any]) -> None:
        body = json.dumps(asked).encode()
        with urlopen(Request(f"http://127.0.0.1:{self.port}/control", data=body)):
            pass
