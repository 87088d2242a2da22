"""`/api/v1/network`, `clocks` and `vram/worth` answer what the pages show."""

from __future__ import annotations

from collector.store.connect import Connections
from dashboard.pages.answers import network, velocity
from dashboard.read.reader import Reader
from dashboard.read.scope import parse_scope
from dashboard.units import utc_iso
from tests.support.dashboard.app import Api, page_context
from tests.support.dashboard.seed import TODAY_NS
from tests.support.dashboard.traded import HOUR, trade

UNTIL = f"{utc_iso(TODAY_NS)}Z"


def test_network_answers_the_connections_that_the_page_lists(api: Api, world: Connections) -> None:
    """A command and a page must not differ about who loses packets."""
    told = api.send("GET", f"/api/v1/network?window=15m&until={UNTIL}").json()
    with page_context(Reader(world)) as context:
        found = network.read(context, parse_scope(f"?until={UNTIL}")).shown
    rows = found["network-pairs.rowData"]
    assert isinstance(rows, list)
    assert [row["pair"] for row in rows] == [
        f"{each['server_address']}:{each['server_port']}" for each in told["pairs"]
    ]
    assert {each["server_port"] for each in told["pairs"]} == {6379, 8088}
    assert told["wire"]["retransmission_high"] is None
    for path in ("network", "clocks"):
        assert api.send("GET", f"/api/v1/{path}?window=banana").status_code == 400


def test_clocks_of_one_host_are_none(api: Api) -> None:
    """There is no other clock to hold it against."""
    assert api.send("GET", "/api/v1/clocks").json() == {"clocks": []}


def test_worth_answers_the_groups_that_the_page_ranks(store: Connections) -> None:
    """Without storing a version: whoever may only read may look."""
    trade(store)
    api = Api(store)
    answer = api.send("GET", f"/api/v1/vram/worth?{HOUR}&dimension=offer_type")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    with page_context(Reader(store)) as context:
        found = velocity.read_worth(context, parse_scope(f"?{HOUR}&by=offer_type")).shown
    rows = found["velocity-groups.rowData"]
    assert isinstance(rows, list)
    assert sorted(row["id"] for row in rows) == ["bundle", "upgrade"]
    assert [row["id"] for row in rows] == [each["name"] for each in told["groups"]]
    assert {row["rests"] for row in rows} == {"assumed rate"}
    weights = found["velocity-weights.rowData"]
    assert isinstance(weights, list)
    assert [row["id"] for row in weights] == [each["segment"] for each in told["weights"]]
    assert api.send("GET", "/api/v1/vram/models").json()["models"] == []
    assert api.send("GET", "/api/v1/vram/worth?dimension=colour").status_code == 400
