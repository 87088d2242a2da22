"""Experiments as a person, an automation and a customer's service meet them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collector.audit.log import read_audit
from collector.core.errors import InputError
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.instrument.delay import parse_active
from collector.store.connect import Connections
from dashboard.cli.vram.experiments import _arm
from tests.support.dashboard.app import Api
from tests.support.dashboard.fixtures import Run
from tests.support.dashboard.seed import TODAY_NS

BODY: dict[str, Any] = {
    "name": "e1",
    "owner": "ana",
    "arms": [{"name": "slow", "share": 0.05, "delay_ms": 40}],
    "region": ["eu"],
    "budget_usd": "50.00",
    "lasts": "7d",
    "actor": "ana",
}


def test_service_reads_what_was_registered_and_that_it_was_stopped(store: Connections) -> None:
    """From the request of a person to what `DelayInjector` delays by, and back."""
    api = Api(store)
    told = api.send("POST", "/api/v1/experiments", json={**BODY, "dry_run": True}).json()
    assert (told["is_registered"], told["plan"]["decisions_per_day"]) == (False, 0)
    assert api.send("GET", "/api/v1/experiments").json() == {"is_enabled": True, "experiments": []}

    told = api.send("POST", "/api/v1/experiments", json=BODY).json()
    assert told["is_registered"]
    ((active,), refused, holds_s) = parse_active(
        api.send("GET", "/api/v1/experiments/active").content, delay_ms_max=40
    )
    assert (refused, holds_s) == (0, 5.0)
    assert [(arm.name, arm.share, arm.delay_ns) for arm in active.arms] == [
        ("slow", 0.05, 40 * NS_PER_MS),
        ("control", 0.95, 0),
    ]
    assert active.takes("offer", {"region": "eu"})
    assert not active.takes("offer", {"region": "us"})
    assert active.to_ns == TODAY_NS + 7 * 86_400 * NS_PER_S

    stop = {"actor": "bob", "reason": "a complaint"}
    stopped = api.send("POST", "/api/v1/experiments/e1/stop", json=stop).json()
    assert (stopped["stopped_by"], stopped["stop_reason"]) == ("bob", "a complaint")
    assert parse_active(api.send("GET", "/api/v1/experiments/active").content, 40)[0] == []
    (listed,) = api.send("GET", "/api/v1/experiments").json()["experiments"]
    assert listed["state"] == "stopped"
    acts = [(row.actor, row.action) for row in read_audit(store.client())]
    assert acts == [("ana", "experiment_registered"), ("bob", "experiment_stopped")]


@pytest.fixture(scope="module")
def refusing(shared_store: Connections) -> Api:
    """Return the application for requests that it refuses: one for all, as nothing is left."""
    return Api(shared_store)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"begins": "soon"}, "begins 'soon' is not an instant"),
        ({"begins": "9999-12-31"}, "begins '9999-12-31' is not an instant"),
        ({"lasts": "forever"}, "forever"),
        ({"arms": [{"name": "slow", "share": 0.6, "delay_ms": 40}]}, "share_max = 0.5"),
        ({"arms": [{"name": "slow", "share": 1.5, "delay_ms": 40}]}, "share"),
        ({"budget_usd": "-1"}, "budget_usd"),
        ({"team": "a"}, "team"),
    ],
)
def test_bad_request_is_refused_with_the_field(
    refusing: Api, change: dict[str, Any], wrong: str
) -> None:
    """And nothing is registered."""
    answer = refusing.send("POST", "/api/v1/experiments", json={**BODY, **change})
    assert answer.status_code in (400, 422)
    assert wrong in answer.json()["detail"]
    assert refusing.send("GET", "/api/v1/experiments").json()["experiments"] == []


def test_commands_register_show_and_stop(run: Run) -> None:
    """What a person types, and what an automation reads."""
    experiments = ("vram", "experiments")
    made = run(*experiments, "register", "e1", "--arm", "slow40=5%:40ms", "--arm", "slow80=0.05:80",
               "--budget", "50", "--owner", "ana", "--cohort", "new", "--json")  # fmt: skip
    assert made.exit_code == 0, made.output
    arms = json.loads(made.stdout)["experiment"]["arms"]
    assert [(arm["name"], arm["share"], arm["delay_ms"]) for arm in arms] == [
        ("slow40", 0.05, 40.0), ("slow80", 0.05, 80.0), ("control", 0.9, 0.0),
    ]  # fmt: skip
    assert "e1: running; slow40 0.05 of them +40 ms" in run(*experiments, "list").stdout
    shown = run(*experiments, "show", "e1")
    assert shown.exit_code == 0, shown.output
    assert "no decision is in it yet" in shown.stdout
    assert "at risk so far: 0.00 of 50.00 USD" in shown.stdout
    stopped = run(*experiments, "stop", "e1", "--reason", "enough", "--by", "bob")
    assert "by bob: enough" in stopped.stdout
    again = run(*experiments, "stop", "e1")
    assert isinstance(again.exception, InputError)
    assert "e1 is stopped already" in str(again.exception)


@pytest.mark.parametrize("text", ["slow", "slow=5", "slow=5%:", "=5%:40", "slow=5%:40s", "a=.:1"])
def test_arm_that_cannot_be_read_is_told_how(text: str) -> None:
    """With an example."""
    with pytest.raises(InputError, match="such as slow40=5%:40ms"):
        _arm(text)
