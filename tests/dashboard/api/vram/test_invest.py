"""Investments and verdicts as an automation and a command meet them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from collector.audit.log import read_audit
from collector.core.errors import ConfigError
from collector.store.connect import Connections
from dashboard.api.provenance.verdict_files import new_key, read_private_key, sign
from tests.support.dashboard.app import Api

OPTION = {
    "name": "managed edge",
    "capex_usd": "100",
    "opex_usd_per_quarter": 10,
    "gain_usd_per_quarter": {"low": 300, "median": 500.25, "high": "700"},
    "basis": "experiment",
    "source": "holdout of May",
    "ramp": ["0.5", 1],
}
FILE = {"invest": {"rate": "0.4641"}, "options": [OPTION]}


@pytest.fixture(scope="module")
def refusing(shared_store: Connections) -> Api:
    """Return the application for requests that it refuses: one for all, as nothing is left."""
    return Api(shared_store)


def judged(api: Api, **changes: object) -> dict[str, Any]:
    """Have the option judged."""
    file = {**FILE, "options": [{**OPTION, **changes}]}
    answer = api.send("POST", "/api/v1/vram/gate", json={"file": file})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_npv_and_tiers_are_those_of_the_command(store: Connections) -> None:
    """500.25 x (6.8136918 - 0.5/1.1) = 3,181.163; less 68.137 and 100."""
    api = Api(store)
    told = api.send("POST", "/api/v1/vram/npv", json={"file": FILE}).json()
    assert told["options"][0]["values"]["npv"] == "3013.03"
    tiers = [
        {"latency_ms": 200, "erv_usd_per_year": 1_000_000, "capex_usd": 0, "opex_usd_per_year": 0},
        {"latency_ms": 150, "erv_usd_per_year": 1_100_000, "capex_usd": 0, "opex_usd_per_year": 5},
    ]
    table = api.send("POST", "/api/v1/vram/tiers", json={"file": {"tiers": tiers}}).json()
    assert (table["stop_ms"], table["steps"][0]["revenue_usd_per_ms"]) == ("150", "2000.00")


@pytest.mark.parametrize(
    "changes",
    [
        {"ramp": ["2"]},
        {"ramp": []},
        {"capex_usd": "1e60"},
        {"gain_usd_per_quarter": None, "saves": {"store": "99999999999999s"}},
        {"gain_usd_per_quarter": None, "gain_drivers": dict.fromkeys("abcd", "999999999999999")},
    ],
)
def test_what_no_option_can_have_is_refused(refusing: Api, changes: dict[str, Any]) -> None:
    """With what is wrong, and not as an error of ours."""
    file = {**FILE, "options": [{**OPTION, **changes}]}
    for path in ("/api/v1/vram/gate", "/api/v1/vram/npv"):
        answer = refusing.send("POST", path, json={"file": file})
        assert answer.status_code in (400, 422), answer.text


@pytest.mark.parametrize("version", ["-1", "0", "4294967296"])
def test_version_that_cannot_be_is_refused(refusing: Api, version: str) -> None:
    """It was passed to the store, which called itself unavailable."""
    answer = refusing.send("GET", f"/api/v1/vram/models/{version}")
    assert answer.status_code in (400, 422), answer.text
    diff = f"/api/v1/vram/diff?before={version}&after=1"
    assert refusing.send("GET", diff).status_code in (400, 422)


def test_verdict_is_kept_signed_and_found_good(store: Connections, tmp_path: Path) -> None:
    """Judge, sign, list, verify; the audit has both acts."""
    api = Api(store)
    told = judged(api)
    assert told["document"]["verdict"]["ruling"] == "refuse"  # there is no such experiment
    key = tmp_path / "key"
    new_key(key)
    key.chmod(0o640)
    with pytest.raises(ConfigError, match=r"may be read by others .mode 0640.; run `chmod 600"):
        read_private_key(key)
    key.chmod(0o600)
    signature, public = sign(told["document"], read_private_key(key))
    seal = {"signature": signature, "public_key": public}
    path = f"/api/v1/vram/verdicts/{told['sha256']}"
    assert api.send("POST", f"{path}/signature", json=seal).status_code == 200
    again = api.send("POST", f"{path}/signature", json=seal)
    assert (again.status_code, "signed already" in again.text) == (400, True)
    found = api.send("GET", path, params={"replay": True}).json()
    assert (found["faults"], found["signature"], found["public_key"]) == ([], signature, public)
    (row,) = api.send("GET", "/api/v1/vram/verdicts").json()["verdicts"]
    assert (row["option"], row["ruling"], row["is_signed"]) == ("managed edge", "refuse", True)
    actions = [each.action for each in read_audit(store.client())]
    assert actions == ["gate_judged", "gate_signed"]


def test_signature_that_does_not_hold_is_not_kept(store: Connections, tmp_path: Path) -> None:
    """Over another document, or no key at all."""
    api = Api(store)
    told = judged(api)
    key = tmp_path / "key"
    new_key(key)
    signature, public = sign({**told["document"], "at": "never"}, read_private_key(key))
    path = f"/api/v1/vram/verdicts/{told['sha256']}/signature"
    seal = {"signature": signature, "public_key": public}
    refused = api.send("POST", path, json=seal)
    assert (refused.status_code, "not by this key" in refused.text) == (400, True)
    refused = api.send("POST", path, json={**seal, "public_key": "no key"})
    assert (refused.status_code, "the public key is none" in refused.text) == (400, True)
    assert api.send("GET", "/api/v1/vram/verdicts").json()["verdicts"][0]["is_signed"] is False


def test_stored_verdict_that_was_changed_is_found(store: Connections) -> None:
    """Whoever can write to the table cannot write a ruling that follows from its inputs."""
    api = Api(store)
    told = judged(api)
    forged = store.client()
    forged.command(
        "INSERT INTO gate_verdicts SELECT judged_ns, sha256, changed_ns + 1, option, 'fund', "
        "gain_low_usd, cost_usd, replaceOne(document, '\"refuse\"', '\"fund\"'), '', '', actor "
        "FROM gate_verdicts"
    )
    found = api.send("GET", f"/api/v1/vram/verdicts/{told['sha256']}").json()
    assert found["faults"] == [
        "its figures do not follow from its inputs",
        "its digest is of another document",
    ]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"file": {"options": []}}, "no options"),
        ({"file": {"options": [{**OPTION, "saves": {"store": "5ms"}}]}}, "not several"),
        ({"file": {"optoins": []}}, "optoins"),
    ],
)
def test_bad_file_is_400_and_named(refusing: Api, body: dict[str, Any], error: str) -> None:
    """As the command says it."""
    answer = refusing.send("POST", "/api/v1/vram/npv", json=body)
    assert (answer.status_code, error in answer.json()["detail"]) == (400, True)


def test_debt_is_found_and_priced_alike_by_get_and_post(store: Connections) -> None:
    """2 x 3 h x 4,000 dollars a year are worth 24,000 x 2.5764... less the mending."""
    api = Api(store)
    assert api.send("GET", "/api/v1/vram/debt").json()["items"] == []
    entry = {
        "id": "ledger", "incidents_per_year": 2, "hours_per_incident": 3, "usd_per_hour": 4000,
        "fix_usd": "30000",
    }  # fmt: skip
    body = {"file": {"invest": {"rate": "0.4641"}, "debt": [entry]}}
    told = api.send("POST", "/api/v1/vram/debt", json=body).json()
    # 6,000 a quarter x 6.813691823 - 30,000.
    assert told["items"][0]["npv_usd"] == "10882.15"
    assert told["loss_usd_per_year"]["median"] == "24000.00"
    refused = api.send("GET", "/api/v1/vram/debt", params={"days": 99})
    assert refused.status_code == 400
