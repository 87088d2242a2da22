from __future__ import annotations

import asyncio

import httpx
import pyarrow as pa

from collector.core.clock import SystemClock
from collector.core.counters import Counters
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.api.app import create_api
from dashboard.api.context import AppContext
from dashboard.health.items import NoHealth
from packet.files.pcapng import parse_pcapng

# What the store keeps expires by the machine's own clock, so a test's time is near it.
_T = (SystemClock().now_ns() // NS_PER_S - 600) * NS_PER_S


def _get(store: Connections, path: str) -> httpx.Response:
    api = create_api(AppContext(store, NoHealth(), Counters()))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=api)
        async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
            return await client.get(path)

    return asyncio.run(ask())


def _put_packets(store: Connections, count: int) -> None:
    """Keep packets of one connection for an alert, a nanosecond apart."""
    row = {
        "ts_ns": _T, "flow_hash": 7, "src_address": "10.0.0.1", "src_port": 40_000,
        "dst_address": "10.0.0.2", "dst_port": 80, "protocol": 6, "ttl": 64,
        "tcp_flags": 16, "tcp_seq": 1, "tcp_ack": 1, "tcp_window": 9,
        "payload_bytes": 5, "wire_bytes": 59, "kept_for": "alert", "trigger_id": "episode/1",
    }  # fmt: skip
    columns = {name: [value] * count for name, value in row.items()}
    columns["ts_ns"] = [_T + at for at in range(count)]
    store.client().insert_arrow("packets", pa.table(columns))


def test_packets_of_an_episode_are_a_file_and_of_nothing_an_answer(store: Connections) -> None:
    """The id of an episode has a slash where it names one of its requests."""
    _put_packets(store, 1)
    for name in ("episode", "episode%2F1", "episode/1"):
        response = _get(store, f"/api/v1/packets/{name}")
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/x-pcapng"
        (group,) = parse_pcapng(response.content)
        assert group.frames.ts_ns.tolist() == [_T]
        assert group.frames.wire_bytes.tolist() == [59]
    refused = _get(store, "/api/v1/packets/nothing")
    assert refused.status_code == 404
    assert "nothing: no packets were kept for it" in refused.json()["detail"]


def test_incident_of_more_packets_than_a_query_from_outside_returns_is_one_file(
    store: Connections,
) -> None:
    """`store.query_rows_max` is for statements of other people, and not for what a page needs."""
    count = store.config.query_rows_max + 1
    _put_packets(store, count)
    response = _get(store, "/api/v1/packets/episode")
    assert response.status_code == 200, response.text
    (group,) = parse_pcapng(response.content)
    assert group.frames.ts_ns.tolist() == [_T + at for at in range(count)]


def test_store_that_fails_is_an_error_with_its_words(store: Connections) -> None:
    """Neither a traceback on the terminal nor a page without a word."""
    store.client().command("DROP TABLE packets SYNC")
    response = _get(store, "/api/v1/packets/episode")
    assert response.status_code == 503
    assert "packets" in response.json()["detail"]
    assert response.headers["retry-after"]


def test_episode_says_how_likely_nothing_of_it_is_missing(store: Connections) -> None:
    """The page of an incident prints this; an episode without a request has nothing to say."""
    columns = ["trigger_id", "cause", "host", "from_ns", "requests", "rebuilt", "packets",
               "probability", "sampled_probability", "grounds"]  # fmt: skip
    row = ["episode/1", "alert", "", _T, 300, 300, 1_500, 0.9998, 0.11, ["kernel dropped 0"]]
    store.client().insert("reconstructions", [row], column_names=columns)
    for name in ("episode", "episode/1"):
        (found,) = _get(store, f"/api/v1/reconstructions/{name}").json()["reconstructions"]
        assert found == dict(zip(columns, row, strict=True))
    assert _get(store, "/api/v1/reconstructions/other").json() == {"reconstructions": []}
