from __future__ import annotations

from tests.support.alerts.builders import EPISODE
from tests.support.alerts.state_api import StateApi


def test_report_is_json_or_markdown(state_api: StateApi) -> None:
    """What the page shows, for whoever automates, and for a ticket."""
    state_api.fire()
    path = f"/api/v1/alerts/{EPISODE}/report"
    found = state_api.send("GET", path).json()
    assert found["cause"] == "checkout / eu-west: store slower by 120 ms than normal"
    assert found["lost_usd"] is None, "nothing is stored of its time: unknown, and not zero"
    answer = state_api.send("GET", f"{path}?format=markdown")
    assert answer.headers["content-type"].startswith("text/markdown")
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''alert-")
    assert "- Lost so far: unknown\n" in answer.text
    assert state_api.send("GET", f"{path}?format=pdf").status_code == 400


def test_report_of_an_odd_id_says_that_it_is_not_known(state_api: StateApi) -> None:
    """Whatever somebody wrote into an address is looked for, and is not there."""
    for odd in ("%3Cscript%3E", "%FF", "'%22;--", "%00", "..", "x" * 5_000):
        answer = state_api.send("GET", f"/api/v1/alerts/{odd}/report")
        assert answer.status_code == 404, (odd[:20], answer.text)
