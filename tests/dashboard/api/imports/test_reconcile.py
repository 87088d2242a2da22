"""Rates, ledgers and the reconciliation as a person and an automation meet them."""

from __future__ import annotations

import pytest

from collector.store.connect import Connections
from tests.support.attribution.stored import put_outcome
from tests.support.dashboard.app import Api

UNTIL = "2033-05-19T00:00:00Z"


def test_ledger_and_rates_are_imported_and_held_against_the_outcomes(store: Connections) -> None:
    """A bad line is told, the good ones count; amounts keep every digit."""
    api = Api(store)
    put_outcome(store, "o1", decision_id="nobody", revenue="10", currency="EUR")
    rates = "day,currency,rate\n2033-05-18,EUR,1.1\n2033-05-18,euro,2\n"
    rates += "2033-05-18,USD,1.2\n2033-05-19,USD,1\n"
    told = api.send("POST", "/api/v1/import/rates", content=rates, params={"name": "r.csv"}).json()
    assert (told["imported"], len(told["refused"])) == (2, 2)
    assert told["refused"][0].startswith("r.csv:3: currency 'euro'")
    assert told["refused"][1].startswith("r.csv:4: rate '1.2': USD is the currency that all")
    ledger = "day,currency,amount\n2033-05-18,USD,12.25\n"
    params = {"name": "l.csv", "source": "shop"}
    assert api.send("POST", "/api/v1/import/ledger", content=ledger, params=params).json() == {
        "imported": 1, "refused": [],
    }  # fmt: skip
    answer = api.send("GET", "/api/v1/reconcile", params={"window": "1d", "until": UNTIL}).json()
    assert answer["currency"] == "USD"
    (day,) = answer["days"]
    assert (day["unmatched"], day["ledger"], day["difference"]) == (
        "11.000000",
        "12.250000",
        "1.250000",
    )


@pytest.mark.parametrize(
    ("resource", "content", "error"),
    [
        ("rates", b"day,rate\n", "has the columns day, currency, rate"),
        ("ledger", b"\xff\xfe", "not UTF-8 at byte 0"),
        ("channels", b"channel,day,price\n", "'price' is not a column; a file of channels has"),
    ],
)
def test_file_of_another_shape_is_400(
    store: Connections, resource: str, content: bytes, error: str
) -> None:
    """One line, with the remedy."""
    answer = Api(store).send("POST", f"/api/v1/import/{resource}", content=content)
    assert answer.status_code == 400
    assert error in answer.json()["detail"]


def test_cost_of_channels_is_imported_and_shown(store: Connections) -> None:
    """A bad line is told, the good one counts, and nothing that nobody said is nothing."""
    api = Api(store)
    paid = "channel,day,clicks,cost,currency\ntv,2033-05-18,10,5,USD\ntv,2033-05-19,-1,5,USD\n"
    told = api.send("POST", "/api/v1/import/channels", content=paid).json()
    assert told == {
        "imported": 1,
        "refused": [
            "channels.csv:3: clicks '-1': is not a whole number of 0 or more; write it like 1200"
        ],
    }
    params = {"window": "1d", "until": UNTIL}
    (tv,) = api.send("GET", "/api/v1/vram/channels", params=params).json()["channels"]
    assert (tv["clicks"], tv["cost_per_click"], tv["acquisition_usd"]) == (10, "0.5000", "5.00")
    assert tv["horizons"][0]["conversion"] is None
