from __future__ import annotations

from pathlib import Path

from collector.store.connect import Connections
from tests.support.alerts.builders import endpoint
from tests.support.alerts.receiver import ScriptedReceiver
from tests.support.alerts.state_api import StateApi

TRY = "/api/v1/alerts/receivers/try"


def test_receivers_are_tried_and_who_did_is_in_the_audit(
    store: Connections, tmp_path: Path
) -> None:
    """One that is not there is answered as a wrong request."""
    receiver = ScriptedReceiver()
    api = StateApi(store, tmp_path, webhooks=(endpoint(receiver.url),))
    (trial,) = api.send("POST", TRY, {"reason": "new", "actor": "anna"}).json()["trials"]
    receiver.stop()
    assert trial.pop("took_ms") >= 0
    assert trial == {
        "receiver": "router", "kind": "webhook", "is_taken": True, "detail": "HTTP 200",
    }  # fmt: skip
    wrong = api.send("POST", TRY, {"reason": "new", "receivers": ["nobody"]})
    assert (wrong.status_code, "there are: router" in wrong.text) == (400, True)
    detail = {"reason": "new", "taken": {"router": True}}
    assert api.audited() == [("anna", "receivers_tried", detail)]
    api.close()
