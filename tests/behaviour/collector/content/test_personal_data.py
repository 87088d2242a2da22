"""A set of personal values goes through everything the collector does; no file ever has one."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar, Gauge, Metric, NumberDataPoint

from collector.core.clock import SystemClock
from collector.otlp.values import Request
from tests.support.builders import (
    any_value,
    key_values,
    logs_request,
    metrics_request,
    new_trace_id,
    span,
    trace_request,
)
from tests.support.collector.clients import PROTOBUF, WAIT_S
from tests.support.tree import ROOT

pytestmark = pytest.mark.integration

SEEDS = (
    "alice.seed@example.com", "Alice Seedling", "+49-151-5550100", "4111 1111 1111 1111",
    "198.51.100.77", "seed-user-93211", "Bearer seed-authorization", "seed-cookie-7781",
    "seed-password-5512", "seed-token-0042", "DE89370400440532013000",
)  # fmt: skip
EMAIL, NAME, PHONE, CARD, ADDRESS, USER, BEARER, COOKIE, PASSWORD, TOKEN, IBAN = SEEDS
KEYS = "e2:" + "22" * 32 + ",e1:" + "11" * 32
PERSONAL = {
    "user.id": USER,
    "user.full_name": NAME,
    "phone": PHONE,
    "http.request.header.x-forwarded-for": [ADDRESS],
    "http.request.header.authorization": [BEARER],
    "http.request.header.cookie": COOKIE,
    "url.full": f"https://seed:{PASSWORD}@h.example/x?token={TOKEN}&a=1",
    "card": f"paid by {CARD}",
    "iban": IBAN,
    "nested": {"email": EMAIL, "list": [{"user.id": USER}]},
}


def requests_of(now_ns: int, name: str) -> dict[str, list[Request]]:
    """Return requests of every signal that carry every seed; spans and records have a name."""
    pairs = key_values(PERSONAL)
    traced = span(
        trace_id=new_trace_id(), name=name, start_ns=now_ns - 1_000_000_000, attributes=PERSONAL
    )
    traced.status.message = f"no such user: {EMAIL}"
    traced.events.add(name=f"mail to {EMAIL}", attributes=pairs)
    traced.links.add(attributes=pairs)
    record = LogRecord(
        time_unix_nano=now_ns,
        body=any_value({"message": f"{name}: {EMAIL}", "person": {"email": EMAIL, "phone": PHONE}}),
        attributes=pairs,
    )
    point = NumberDataPoint(
        time_unix_nano=now_ns, as_int=1, attributes=pairs,
        exemplars=[Exemplar(time_unix_nano=now_ns, as_int=1, filtered_attributes=pairs)],
    )  # fmt: skip
    metric = Metric(name="m", description=f"of {EMAIL}", gauge=Gauge(data_points=[point]))
    return {
        "/v1/traces": [trace_request(traced, resource={"user.name": NAME})],
        "/v1/logs": [logs_request(record, resource={"user.email": EMAIL})],
        "/v1/metrics": [metrics_request(metric)],
    }


class Child:
    """The collector in its process, over one directory."""

    def __init__(self, directory: Path, keys: str, task: str) -> None:
        (directory / "tmp").mkdir(exist_ok=True)
        self._log = (directory.parent / "child.log").open("a")
        self.process = subprocess.Popen(
            [
                "env", f"TMPDIR={directory / 'tmp'}",
                sys.executable, "-m", "tests.support.collector.children.personal",
                str(directory), keys, task,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=ROOT,
        )  # fmt: skip
        # With a key no text that waits for the store can be read, whatever the rules say of it.
        self.tell(json.dumps([SEEDS, ["marker-one", "marker-two"] if keys else []]))
        port = self.answer()["port"]
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S, trust_env=False
        )

    def tell(self, line: str) -> None:
        """Send one line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Return what the child says next."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the child ended: see {self._log.name}"
        said: dict[str, Any] = json.loads(line)
        return said

    def send(self, name: str) -> None:
        """Send every signal as Protobuf, compressed and as JSON; all of it is acknowledged."""
        zipped = {"content-type": PROTOBUF, "content-encoding": "gzip"}
        forms: list[tuple[Callable[[Request], bytes], dict[str, str]]] = [
            (lambda request: request.SerializeToString(), {"content-type": PROTOBUF}),
            (lambda request: gzip.compress(request.SerializeToString()), zipped),
            (
                lambda request: json.dumps(as_otlp_json(request)).encode(),
                {"content-type": "application/json"},
            ),
        ]
        for encode, headers in forms:
            # At an instant of its own each: equal requests would be taken for retries.
            for path, requests in requests_of(SystemClock().now_ns(), name).items():
                for request in requests:
                    answer = self.http.post(path, content=encode(request), headers=headers)
                    assert answer.status_code == 200, answer.text

    def end(self) -> dict[str, Any]:
        """Stop it gracefully; return its report."""
        self.http.close()
        self.tell("")
        report = self.answer()
        self.close()
        return report

    def close(self) -> None:
        """Wait for its end."""
        self.process.wait(timeout=60)
        for stream in (self.process.stdin, self.process.stdout, self._log):
            assert stream is not None
            stream.close()


def as_otlp_json(request: Request) -> dict[str, Any]:
    """Return a request as OTLP/JSON, whose ids are hex."""
    document = json_format.MessageToDict(request)
    for groups in document.get("resourceSpans", []):
        for scope in groups["scopeSpans"]:
            for one, sent in zip(
                scope["spans"],
                request.resource_spans[0].scope_spans[0].spans,  # type: ignore[union-attr]  # a trace request
                strict=True,
            ):
                one["traceId"], one["spanId"] = sent.trace_id.hex(), sent.span_id.hex()
    return document


def files_with(directory: Path, values: Sequence[str]) -> list[str]:
    """Return each file that has one of the values."""
    found = []
    # The engine moves and removes what it writes meanwhile; `rglob` would fail at that.
    for folder, _, names in os.walk(directory):
        for path in sorted(Path(folder) / name for name in names):
            with suppress(FileNotFoundError):
                content = path.read_bytes()
                found += [f"{path}: {value}" for value in values if value.encode() in content]
    return found


@pytest.mark.parametrize("keys", ["", KEYS], ids=["no key", "encrypted"])
def test_personal_values_are_on_no_disk_at_any_time(disk_path: Path, keys: str) -> None:
    """Received, killed, recovered, damaged, stored, rejected: no file, temporary ones included."""
    directory = disk_path / "data"
    directory.mkdir()
    first = Child(directory, keys, "log")
    try:
        first.send("marker-one")
        assert files_with(directory, SEEDS) == []
    finally:
        first.process.kill()
    first.http.close()
    first.close()
    assert files_with(directory, SEEDS) == []
    # What no rule names is in the log as it was sent, unless that is encrypted: the search works.
    assert bool(files_with(directory, ["marker-one"])) is not bool(keys)

    # One acknowledged frame is damaged on disk, and ends with its bytes in `rejected`.
    (segment,) = (directory / "wal").glob("logs-*.segment")
    damaged = bytearray(segment.read_bytes())
    damaged[len(damaged) // 2] ^= 0x10
    segment.write_bytes(bytes(damaged))

    second = Child(directory, keys, "store")
    second.send("marker-two")
    assert files_with(directory, SEEDS) == []
    report = second.end()

    assert files_with(directory, SEEDS) == []
    assert report["drained"]
    assert report["spans"] == ["marker-one"] * 3 + ["marker-two"] * 3
    assert report["rejected"] == [["logs", "frame_damaged"]]
    assert report["rows"] == []
    assert report["found"] == []
    # Without a key the client's temporary files are on the disk, and were looked at.
    assert report["deleted"] >= (6 if keys else 12)
    assert not list((directory / "wal").glob("*.segment"))
    assert list((directory / "tmp").iterdir()) == []
