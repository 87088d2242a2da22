"""`/readyz` and `/metrics` as a balancer and a scraper meet them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from fastapi.responses import PlainTextResponse
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from collector.core.counters import Counters
from collector.store.connect import Connections
from dashboard.api.app import create_api
from dashboard.api.context import AppContext
from dashboard.cli.client import ApiClient
from dashboard.health.items import KEY_RING, HealthItem, NoHealth
from dashboard.health.readiness import FrontDoor, must_be_ready
from dashboard.settings.settings import Settings

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


@dataclass
class SaidHealth(NoHealth):
    """A service that says what a test wants."""

    items: list[HealthItem] = field(default_factory=list)

    def health(self) -> list[HealthItem]:
        """Return it."""
        return self.items

    def must_be_ready(self) -> Collection[str]:
        """Return what a whole service needs."""
        return must_be_ready(("collect", "serve"))


def get(
    store: Connections, path: str, items: list[HealthItem], counters: Counters, accept: str = "*/*"
) -> httpx.Response:
    """Ask one application once."""
    api = create_api(AppContext(store, SaidHealth(items), counters))

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=api)
        async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
            return await client.get(path, headers={"accept": accept})

    return asyncio.run(send())


def stage(name: str, status: str = "ok", value: float | None = 0.1) -> HealthItem:
    """Return the figure of one stage."""
    detail = "" if status == "ok" else "do this"
    return HealthItem(f"stage.{name}", value, "s behind", status, detail)  # type: ignore[arg-type]  # a status


def test_readiness_names_the_stage_that_is_not_ready(world: Connections) -> None:
    """What cannot be stored takes the service out; what comes late or fails only is told."""
    others = [
        HealthItem("job.alerts", "failed", "", "bad", "of a secret"),
        HealthItem("job.slope", 3.0, "s ago", "ok"),
        HealthItem("packet.recorder", "ended", "", "bad", "elsewhere"),
    ]
    well = [stage("logged"), stage("stored"), stage("attributed")]
    answer = get(world, "/readyz", [*well, *others], Counters())
    assert (answer.status_code, answer.text) == (
        200,
        "ready\nlogged: ready\nstored: ready\nattributed: ready\n"
        "job.alerts: not ready: its last run failed: see /api/v1/health\n",
    )
    late = [stage("logged"), stage("stored"), stage("attributed", "bad", 700.0)]
    answer = get(world, "/readyz", late, Counters())
    assert answer.status_code == 200
    assert answer.text.endswith("attributed: not ready: 700.0 s behind: do this\n")
    stuck = [stage("logged"), stage("stored", "bad", 130.0), stage("attributed", "warn", None)]
    answer = get(world, "/readyz", stuck, Counters())
    assert answer.status_code == 503
    assert answer.text == (
        "not ready\nlogged: ready\nstored: not ready: 130.0 s behind: do this\n"
        "attributed: not ready: unknown: do this\n"
    )


def test_readiness_tells_a_key_ring_that_is_gone(world: Connections) -> None:
    """Nothing is judged without it; where it is, is for whoever may ask for the health."""
    gone = HealthItem(KEY_RING, "not read", "", "bad", "nothing is judged: /etc/ring.toml ...")
    answer = get(world, "/readyz", [stage("stored"), gone], Counters())
    assert (answer.status_code, answer.text) == (
        200,
        "ready\nstored: ready\n"
        "provenance: not ready: its key ring cannot be read: see /api/v1/health\n",
    )


def test_front_door_answers_the_probes_until_there_are_pages() -> None:
    """What receives is there first, and a balancer may send to it; a browser comes again."""
    door = FrontDoor(lambda: (200, "ready\n"))

    async def ask(*paths: str) -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=door)
        async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
            return [await client.get(path) for path in paths]

    healthy, ready, page, api = asyncio.run(ask("/healthz", "/readyz", "/", "/api/v1/alerts"))
    assert (healthy.status_code, healthy.text) == (200, "ok\n")
    assert (ready.status_code, ready.text) == (
        200,
        "ready\npages: not ready: they are being loaded\n",
    )
    assert (page.status_code, page.headers["retry-after"]) == (503, "1")
    # A browser that came too early asks again by itself.
    assert page.headers["refresh"] == "1"
    # A program reads the same problem details as of any other error.
    assert (api.status_code, api.headers["content-type"]) == (503, "application/problem+json")
    assert api.json()["detail"] == "the pages are being loaded; ask again"

    door.pages = PlainTextResponse("the pages")
    (page,) = asyncio.run(ask("/"))
    assert page.text == "the pages"

    (pulse,) = asyncio.run(ask("/pulse"))
    assert (pulse.status_code, pulse.text) == (200, "ready\n")

    door.is_stopping = True
    page, ready, pulse = asyncio.run(ask("/", "/readyz", "/pulse"))
    assert (pulse.status_code, pulse.text) == (200, "not ready\nthe service is stopping\n")
    assert page.text == "the pages", "whoever reads it may read on"
    assert (ready.status_code, ready.text) == (503, "not ready\nthe service is stopping\n")


def test_service_receives_before_anything_that_serves_pages_is_loaded() -> None:
    """Of a start of 4.2 s these were 2.5; a slow restart is data that senders have to hold."""
    slow = "dash, plotly, pandas, scapy, pyarrow, fastapi, dash_mantine_components"
    program = (
        "import sys, dashboard.cli.main, dashboard.cli.running.up, dashboard.service.process; "
        f"sys.exit(', '.join({{*{slow.split(', ')!r}}} & sys.modules.keys()))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert found.stderr.strip() == ""


def test_scraper_gets_the_format_that_it_asks_for(world: Connections) -> None:
    """Exemplars are in OpenMetrics alone; the old format does not know them."""
    counters = Counters()
    counters.ack_seconds.labels("traces", "http").observe(0.003, {"trace_id": TRACE_ID})
    counters.acknowledged.labels("traces").inc(7)
    old = get(world, "/metrics", [], counters)
    assert old.headers["content-type"].startswith("text/plain")
    assert 'millworth_acknowledged_total{signal="traces"} 7.0\n' in old.text
    assert TRACE_ID not in old.text
    new = get(world, "/metrics", [], counters, "application/openmetrics-text; version=1.0.0")
    assert new.headers["content-type"].startswith("application/openmetrics-text")
    assert (
        'millworth_ack_seconds_bucket{le="0.005",signal="traces",transport="http"} 1.0 '
        f'# {{trace_id="{TRACE_ID}"}} 0.003'
    ) in new.text
    # The reference parser is strict: a name, a unit or an exemplar in a wrong place raises.
    parsed = text_string_to_metric_families(new.text)  # type: ignore[no-untyped-call]  # has no types
    families = {family.name: family for family in parsed}
    assert families["millworth_acknowledged"].type == "counter"
    (exemplar,) = [s.exemplar for s in families["millworth_ack_seconds"].samples if s.exemplar]
    assert (exemplar.labels, exemplar.value) == ({"trace_id": TRACE_ID}, 0.003)


def test_a_command_waits_for_the_pages_of_a_service_that_has_just_started() -> None:
    """`millworth up & millworth query ...` in a script: it is ready, and answers a little later."""
    door = FrontDoor(lambda: (200, "ready\n"))
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if len(asked) > 3:
                door.pages = PlainTextResponse('{"alerts": []}', media_type="application/json")
            answer = asyncio.run(through(door, self.path))
            self.send_response(answer.status_code)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with ApiClient.open(Settings(), url) as api:
            assert api.get("/api/v1/alerts") == {"alerts": []}
        server.shutdown()
    assert asked == ["/healthz", *["/api/v1/alerts"] * 3]


async def through(door: FrontDoor, path: str) -> httpx.Response:
    """Ask an ASGI application."""
    transport = httpx.ASGITransport(app=door)
    async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
        return await client.get(path)
