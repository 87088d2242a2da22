"""A pair of real Alertmanagers behind the whole service: one notification of each change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import pytest

from collector.core.clock import SystemClock
from collector.store.connect import Connections
from tests.support.alerts.receiver import ScriptedReceiver
from tests.support.alerts.state_api import StateApi
from tests.support.builders import span, trace_request
from tests.support.collector.clients import PROTOBUF
from tests.support.programs import free_port, program, running, within
from tests.support.service import RunningService

pytestmark = pytest.mark.integration

WAIT_S = 60
CONFIG = """
route:
  receiver: test
  group_by: [alertname, action, region]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 4h
receivers:
  - name: test
    webhook_configs:
      - url: {url}
        send_resolved: true
"""


class Peer:
    """One Alertmanager of a pair."""

    def __init__(self, directory: Path, name: str, receiver_url: str) -> None:
        self._directory = directory / name
        self._directory.mkdir()
        (self._directory / "am.yml").write_text(CONFIG.format(url=receiver_url))
        self.port, self.cluster_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def run(self, other: Peer) -> list[str]:
        """Return the command that runs it as a peer of another."""
        return [
            program("prometheus-alertmanager"),
            f"--config.file={self._directory / 'am.yml'}",
            f"--storage.path={self._directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            f"--cluster.listen-address=127.0.0.1:{self.cluster_port}",
            f"--cluster.peer=127.0.0.1:{other.cluster_port}",
            "--cluster.settle-timeout=5s",
            "--cluster.peer-timeout=3s",
            "--cluster.reconnect-interval=1s",
        ]

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that it knows and that have not ended."""
        found: list[dict[str, Any]] = httpx.get(f"{self.url}/api/v2/alerts").json()
        return found

    def is_settled(self) -> bool:
        """Return whether both peers are in the cluster, and it notifies."""
        cluster = httpx.get(f"{self.url}/api/v2/status").json()["cluster"]
        return cluster["status"] == "ready" and len(cluster["peers"]) == 2


@contextmanager
def pair(directory: Path, receiver_url: str) -> Iterator[list[tuple[Peer, Popen[bytes]]]]:
    """Run two Alertmanagers that know each other."""
    peers = [Peer(directory, name, receiver_url) for name in ("one", "two")]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(running(peer.run(other), peer.port, directory / f"{number}.log"))
            for number, (peer, other) in enumerate(zip(peers, reversed(peers), strict=True))
        ]
        assert within(WAIT_S, lambda: all(peer.is_settled() for peer in peers))
        yield list(zip(peers, processes, strict=True))


@pytest.fixture
def pager() -> Iterator[ScriptedReceiver]:
    """Who is notified by the Alertmanagers."""
    receiver = ScriptedReceiver()
    yield receiver
    receiver.stop()


def notified(pager: ScriptedReceiver) -> list[tuple[str, str]]:
    """Return what came of each alert: its name and its own status."""
    return [
        (alert["labels"]["alertname"], alert["status"])
        for _, content in pager.requests
        for alert in json.loads(content)["alerts"]
    ]


GOOD = {"labels": {"alertname": "High"}, "startsAt": "2026-05-01T12:00:00Z"}
BODIES: list[Any] = [
    [],
    [GOOD],
    [{**GOOD, "endsAt": "2026-05-01T12:00:01.5+02:00", "startsAt": "2026-05-01T00:00:00Z"}],
    [{**GOOD, "annotations": {}, "generatorURL": "http://prometheus.example/graph?g0=1"}],
    [{**GOOD, "labels": {"alertname": "High", "team": ""}}],
    [{**GOOD, "endsAt": "0001-01-01T00:00:00.000Z"}],
    [{**GOOD, "unknown": 1}],
    [{**GOOD, "annotations": None}],
    [{"labels": {}}],
    [{"labels": {"team": ""}}],
    [{}],
    [{**GOOD, "endsAt": "2026-04-01T12:00:00Z"}],
    [{**GOOD, "startsAt": "yesterday"}],
    [{**GOOD, "labels": {"alertname": 1}}],
    [{**GOOD, "labels": ["alertname"]}],
    {"alerts": []},
    "text",
    [GOOD, {}],
]


def test_we_take_and_refuse_what_a_real_one_does(tmp_path: Path, store: Connections) -> None:
    """Senders are written for it."""
    peer = Peer(tmp_path, "one", "http://127.0.0.1:1/")
    command = [part for part in peer.run(peer) if not part.startswith("--cluster")]
    api = StateApi(store, tmp_path)
    with running([*command, "--cluster.listen-address="], peer.port, tmp_path / "am.log"):
        for body in BODIES:
            theirs = httpx.post(f"{peer.url}/api/v2/alerts", json=body)
            ours = api.send("POST", "/api/v2/alerts", body)
            # Its generated code answers 422 where a text is not what the document says.
            wanted = 400 if theirs.status_code == 422 else theirs.status_code
            assert ours.status_code == wanted, f"{body}: {theirs.text}, {ours.text}"
    api.close()


def send_span(service: RunningService) -> None:
    """Have data arrive."""
    body = trace_request(span(start_ns=SystemClock().now_ns())).SerializeToString()
    url = f"http://127.0.0.1:{service.ready['http_port']}/v1/traces"
    assert httpx.post(url, content=body, headers={"content-type": PROTOBUF}).status_code == 200


@pytest.mark.alone
def test_one_notification_each_over_a_restart_and_a_killed_peer(
    tmp_path: Path, pager: ScriptedReceiver
) -> None:
    """A pair is there so that either may die; so may we, and nobody is paged twice for it."""
    with pair(tmp_path, pager.url) as peers:
        settings = {
            "MILLWORTH__ALERTS__ALERTMANAGERS": json.dumps([{"url": p.url} for p, _ in peers]),
            "MILLWORTH__ALERTS__ALLOWED_HOSTS": '["127.0.0.1"]',
            "MILLWORTH__ALERTS__DEAD_MAN_SECONDS": "2",
            "MILLWORTH__ALERTS__INTERVAL_S": "1",
            # Alerts lapse four re-sends later: longer than a busy machine takes to start us.
            "MILLWORTH__ALERTS__RESEND_S": "15",
        }
        with RunningService(tmp_path, **settings) as service:
            send_span(service)
            assert within(WAIT_S, lambda: notified(pager) == [("dead-man", "firing")])
            service.kill()
        first, process = peers[0]
        [before] = first.alerts()
        episode = before["annotations"]["episode_id"]
        own = {"alertname": "dead-man", "severity": "page", "incident": episode}
        assert before["labels"] == own
        with RunningService(tmp_path, **settings) as service:
            # Sent again by the new process: the end that it is given lies further ahead.
            assert within(
                WAIT_S, lambda: [a["endsAt"] for a in first.alerts()] > [before["endsAt"]]
            )
            process.kill()
            process.wait()
            survivor = peers[1][0]
            [known] = survivor.alerts()
            assert within(
                WAIT_S, lambda: [a["endsAt"] for a in survivor.alerts()] > [known["endsAt"]]
            )
            assert notified(pager) == [("dead-man", "firing")]

            both = [("dead-man", "firing"), ("dead-man", "resolved")]

            def is_resolved() -> bool:
                # Data go on: of a single span a busy machine may find that it is old again.
                send_span(service)
                return notified(pager) == both

            assert within(WAIT_S, is_resolved)
        assert notified(pager) == both
