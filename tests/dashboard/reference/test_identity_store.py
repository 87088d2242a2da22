from __future__ import annotations

import subprocess
import sys
import threading

import fakeredis
import pytest
from fakeredis._clients import _tcp_server

from dashboard.reference.identity_store import Address, embedded, identity_key, offer_key, seed
from dashboard.reference.world import OFFERS, World
from tests.support.tree import ROOT


@pytest.mark.parametrize(
    ("url", "kwargs", "tls"),
    [
        ("redis://10.0.0.1:6390/2", {"host": "10.0.0.1", "port": 6390, "db": 2}, False),
        ("valkey://shop@cache", {"host": "cache", "username": "shop"}, False),
        ("rediss://cache:6390", {"host": "cache", "port": 6390}, True),
        ("unix:///run/valkey.sock", {"path": "/run/valkey.sock"}, False),
    ],
)  # fmt: skip
def test_address_is_read_from_a_url(url: str, kwargs: dict[str, object], tls: bool) -> None:
    """Any store that speaks the protocol can stand behind the proxy."""
    assert Address.from_url(url) == Address(kwargs, tls=tls)


def test_embedded_store_answers_and_does_not_poll() -> None:
    """A connection that is idle costs nothing; where the library renames its wait, this fails."""
    assert vars(_tcp_server)["_POLL_INTERVAL"] > 0
    with embedded().client() as client:
        client.set("reference:decision:eu-west:offer:bundle", "10 2 0.05")
        assert client.get("reference:decision:eu-west:offer:bundle") == b"10 2 0.05"
    assert vars(_tcp_server)["_POLL_INTERVAL"] >= 1.0


def test_store_of_the_operator_is_filled_for_a_day() -> None:
    """What we put into a store that others use leaves it again."""
    server = fakeredis.TcpFakeServer(("127.0.0.1", 0), server_type="valkey")
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    world = World(7)
    with Address.from_url(f"valkey://127.0.0.1:{server.server_address[1]}").client() as client:
        seed(client, world, ("eu-west",))
        identity = client.hgetall(identity_key("eu-west", "c0003"))
        offer = client.get(offer_key("eu-west", OFFERS[0].offer_type))
        kept_s = client.ttl(identity_key("eu-west", "c0003"))
    server.shutdown()
    thread.join()
    server.server_close()
    assert identity == {
        b"cohort": world.cohort("c0003").encode(),
        b"consent": b"personalised_offers",
        b"eligible": b"warranty,accessory",
    }
    assert offer == b"18.00 7.20 0.22"
    assert 0 < kept_s <= 86_400


def test_store_without_its_library_names_the_extra() -> None:
    """A service that runs no demo does without; the line reaches whoever started the path."""
    code = (
        "import sys; sys.modules['fakeredis'] = None; "
        "from dashboard.reference.identity_store import embedded; embedded()"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    said = result.stderr.splitlines()[-1]
    assert "ChildError" in said
    assert "pip install 'millworth[demo]', or name a server of yours in reference.redis_url" in said
