"""An unmodified OpenTelemetry SDK of another language finds its spans as the collector stores them.

`node/send.mjs` sends; what is expected here is the clickhouseexporter's rendering of it: numbers
and booleans as text, arrays as compact JSON, a value that is not there as nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import RunningService

NODE_DIR = Path(__file__).parent / "node"
PROTOCOLS = ("grpc", "proto", "json")

# A command takes about a second to start, so this is half a minute; the log is stored each second.
TRIES_MAX = 30

VALUES = {
    "test.string": "plain",
    "test.unicode": 'naïve 漢字 🚀 "quoted" \\ back',
    "test.lines": "one\ntwo\tthree",
    "test.empty": "",
    "test.int": "42",
    "test.int.zero": "0",
    "test.int.negative": "-1",
    "test.int.large": "9007199254740991",
    "test.double": "0.1",
    "test.double.negative": "-2.5",
    "test.double.small": "1e-7",
    "test.double.long": "123456.78901234567",
    "test.bool.true": "true",
    "test.bool.false": "false",
    "test.strings": '["a","","漢 \\"q\\" 🚀"]',
    "test.ints": "[1,-2,3]",
    "test.doubles": "[0.5,-1.25]",
    "test.bools": "[true,false]",
    "test.gaps": '["a",null,"b"]',
    "test.nothing": "[]",
}
EVENT = {"event.key": "k🚀", "event.sizes": "[1,2]", "event.hit": "false"}
LINK = {"link.reason": "retry of 漢字", "link.attempts": "[1,2]", "link.empty": ""}

SPAN_SQL = """
SELECT
    SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, ScopeName, ScopeVersion, StatusCode,
    StatusMessage, ResourceAttributes, SpanAttributes, Duration,
    toString(toUnixTimestamp64Nano(Timestamp)) AS start_ns,
    arrayMap(t -> toString(toUnixTimestamp64Nano(t)), `Events.Timestamp`) AS event_times,
    `Events.Name` AS event_names, `Events.Attributes` AS event_attributes,
    `Links.TraceId` AS link_traces, `Links.SpanId` AS link_spans,
    `Links.Attributes` AS link_attributes
FROM otel_traces
WHERE TraceId = '{trace_id}'
ORDER BY Timestamp
"""

DECISION_SQL = """
SELECT
    decision_id, trace_id, action, channel, region, toString(value_usd) AS value_usd,
    toString(ingress_ns) AS ingress, toString(transform_ns) AS transform,
    toString(decision_ns) AS decision, toString(egress_ns) AS egress, toString(end_ns) AS ended
FROM decisions FINAL
WHERE trace_id = '{trace_id}'
"""

pytestmark = [
    pytest.mark.integration,
    # Under CI nothing is skipped: there the missing runtime is a failure.
    pytest.mark.skipif(
        "CI" not in os.environ  # noqa: TID251  only this tells a CI run from a person's
        and (shutil.which("node") is None or not (NODE_DIR / "node_modules").exists()),
        reason="Node or its packages are not here; `make install-test` installs them",
    ),
]


@dataclass(frozen=True, slots=True)
class Sent:
    """One trace that the SDK sent, and the rows it became."""

    protocol: str
    ids: dict[str, Any]
    spans: list[dict[str, Any]]

    @property
    def start_ns(self) -> int:
        """Return the start of the root."""
        return int(self.ids["start_ns"])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """One service takes all three protocols."""
    with RunningService(tmp_path_factory.mktemp("node-sdk")) as running:
        yield running


@pytest.fixture(scope="module", params=PROTOCOLS)
def sent(request: pytest.FixtureRequest, service: RunningService) -> Sent:
    """Send one trace by one protocol and wait until it is stored."""
    protocol: str = request.param
    port = service.ready["grpc_port" if protocol == "grpc" else "http_port"]
    result = subprocess.run(
        ["node", "send.mjs", protocol, f"http://127.0.0.1:{port}"],
        cwd=NODE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    ids = json.loads(result.stdout)
    for _ in range(TRIES_MAX):
        spans = rows(service, SPAN_SQL.replace("{trace_id}", ids["trace_id"]))
        if len(spans) == 2:
            return Sent(protocol, ids, spans)
    pytest.fail(f"{len(spans)} of 2 spans stored after {TRIES_MAX} tries")


def rows(service: RunningService, sql: str) -> list[dict[str, Any]]:
    """Ask with `millworth query`."""
    result = service.command("query", sql)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_kind_of_attribute_is_stored_as_the_exporter_renders_it(sent: Sent) -> None:
    """Dashboards written for the exporter's tables compare with these texts."""
    assert sent.spans[1]["SpanAttributes"] == VALUES
    assert (
        sent.spans[1]["ResourceAttributes"].items()
        >= {
            "service.name": f"node-{sent.protocol}",
            "service.version": "1.2.3",
            "host.cores": "2",
            "process.command_args": '["node","send.mjs"]',
        }.items()
    )


def test_span_fields_keep_their_values_to_the_nanosecond(sent: Sent) -> None:
    """A float anywhere on the way would round the times."""
    root, child = sent.spans

    assert (root["SpanId"], root["ParentSpanId"]) == (sent.ids["root_span_id"], "")
    assert (child["SpanId"], child["ParentSpanId"]) == (
        sent.ids["child_span_id"],
        sent.ids["root_span_id"],
    )
    assert (root["SpanName"], root["SpanKind"], root["StatusCode"]) == (
        "POST /offer",
        "Server",
        "Ok",
    )
    assert (child["SpanName"], child["SpanKind"], child["StatusCode"], child["StatusMessage"]) == (
        "every value",
        "Client",
        "Error",
        "too slow",
    )
    assert (root["ServiceName"], root["ScopeName"], root["ScopeVersion"]) == (
        f"node-{sent.protocol}",
        "node-test",
        "9.8.7",
    )
    assert (int(root["start_ns"]), int(root["Duration"])) == (sent.start_ns, 12_345_678)
    assert (int(child["start_ns"]), int(child["Duration"])) == (
        sent.start_ns + 1_000_001,
        3_000_001,
    )


def test_events_and_links_keep_their_attributes(sent: Sent) -> None:
    """They are nested arrays, where a shifted index pairs one event with another's values."""
    root, child = sent.spans

    assert child["event_names"] == ["cache.miss", "bare"]
    assert child["event_attributes"] == [EVENT, {}]
    assert child["event_times"] == [
        str(sent.start_ns + 2_000_001),
        str(sent.start_ns + 3_000_001),
    ]
    assert child["link_traces"] == ["0af7651916cd43dd8448eb211c80319c"]
    assert child["link_spans"] == ["b7ad6b7169203331"]
    assert child["link_attributes"] == [LINK]
    assert (root["event_names"], root["link_traces"]) == ([], [])


def test_root_with_an_action_becomes_a_decision(sent: Sent, service: RunningService) -> None:
    """Stamps come as decimal strings, because a JavaScript number rounds today's nanoseconds."""
    [decision] = rows(service, DECISION_SQL.replace("{trace_id}", sent.ids["trace_id"]))

    value_usd = decision.pop("value_usd")
    assert float(value_usd) == 12.5
    assert decision == {
        "decision_id": f"node-{sent.protocol}",
        "trace_id": sent.ids["trace_id"],
        "action": "offer",
        "channel": "web",
        "region": "eu-west",
        "ingress": str(sent.start_ns + 1),
        "transform": str(sent.start_ns + 2_000_003),
        "decision": str(sent.start_ns + 5_000_007),
        "egress": str(sent.start_ns + 9_000_009),
        "ended": str(sent.start_ns + 12_345_678),
    }


def test_trace_command_finds_the_trace(sent: Sent, service: RunningService) -> None:
    """What a person types after the SDK logged a trace id."""
    result = service.command("trace", sent.ids["trace_id"], "--json")

    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["trace_id"] == sent.ids["trace_id"]
    assert {span["span_id"] for span in found["spans"]} == {
        sent.ids["root_span_id"],
        sent.ids["child_span_id"],
    }
    by_id = {span["span_id"]: span for span in found["spans"]}
    assert by_id[sent.ids["child_span_id"]]["attributes"] == VALUES
