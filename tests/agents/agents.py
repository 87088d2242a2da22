"""Go's collector and Rotel as they stand in front of a service: default queue, 5 s, gzip."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
import pytest

from tests.support.programs import free_port

WAIT_S = 60
HOW = "tests/agents/README.md says how it is built"


def binary(name: str) -> Path:
    """Return the program that an environment variable names."""
    path = os.environ.get(name)  # noqa: TID251  a test's own input
    if not path or not Path(path).is_file():
        pytest.fail(f"{name} is {path!r}; set it to the path of the program, {HOW}", pytrace=False)
    return Path(path)


@dataclass(frozen=True, slots=True)
class Kind:
    """One agent and the protocol that it speaks to the service."""

    variable: str
    is_http: bool

    def command(self, directory: Path, port: int, ports: Mapping[str, int]) -> Sequence[str]:
        """Return what starts it: it listens for gRPC on a port, and sends to those of a service."""
        program = str(binary(self.variable))
        to = ports["http_port"] if self.is_http else ports["grpc_port"]
        if self.variable == "OTELCOL":
            name = "otlp_http" if self.is_http else "otlp_grpc"
            url = f"http://127.0.0.1:{to}" if self.is_http else f"127.0.0.1:{to}"
            config = {
                "receivers": {
                    "otlp": {
                        "protocols": {
                            "grpc": {
                                "endpoint": f"127.0.0.1:{port}",
                                "max_recv_msg_size_mib": 64,
                            }
                        }
                    }
                },
                "exporters": {
                    name: {
                        "endpoint": url,
                        "timeout": "5s",
                        "compression": "gzip",
                        "tls": {"insecure": True},
                    }
                },
                "service": {
                    "telemetry": {"metrics": {"level": "none"}},
                    "pipelines": {"traces": {"receivers": ["otlp"], "exporters": [name]}},
                },
            }
            path = directory / "agent.yaml"
            path.write_text(json.dumps(config))  # JSON is YAML
            return (program, "--config", str(path))
        return (
            program, "start",
            "--otlp-grpc-endpoint", f"127.0.0.1:{port}",
            "--otlp-http-endpoint", f"127.0.0.1:{free_port()}",
            "--otlp-grpc-max-recv-msg-size-mib", "64",
            "--exporter", "otlp",
            "--otlp-exporter-protocol", "http" if self.is_http else "grpc",
            "--otlp-exporter-endpoint", f"http://127.0.0.1:{to}",
            "--otlp-exporter-compression", "gzip",
            "--otlp-exporter-request-timeout", "5s",
        )  # fmt: skip


class Agent:
    """An agent that runs; a context manager that ends it."""

    def __init__(self, kind: Kind, directory: Path, ports: Mapping[str, int]) -> None:
        self.port = free_port()
        self._command = kind.command(directory, self.port, ports)
        self._log_path = directory / "agent.log"

    def __enter__(self) -> Self:
        with self._log_path.open("w") as said:
            self._process = subprocess.Popen(self._command, stdout=said, stderr=said)
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            grpc.channel_ready_future(channel).result(timeout=WAIT_S)
        return self

    def said(self) -> str:
        """Return its log."""
        return self._log_path.read_text()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(WAIT_S)
