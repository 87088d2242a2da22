"""Files of outcomes as a person and an automation import them."""

from __future__ import annotations

from datetime import UTC, datetime

from collector.core.times import NS_PER_HOUR, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import write_cursor
from tests.support.attribution.stored import BASE_NS, decision, put_spans
from tests.support.dashboard.app import Api


def test_import_says_how_many_are_of_no_decision(store: Connections) -> None:
    """Of those of the file alone: a clock that is a minute behind, and then one that is right."""
    put_spans(store, [
        span
        for at in range(180)
        for span in decision(f"d{at}", at * 1_000, 50, at + 1, outcome__key=f"k{at}")
    ])  # fmt: skip

    def imported(name: str, behind_s: int, hour: int) -> str:
        api = Api(store, now_ns=BASE_NS + hour * NS_PER_HOUR)
        lines = ["outcome_id,outcome_key,revenue,occurred_at"]
        for at in range(180):
            when = datetime.fromtimestamp(BASE_NS // NS_PER_S + at - behind_s, UTC)
            lines.append(f"{name}{at},k{at},10,{when:%Y-%m-%dT%H:%M:%SZ}")
        answer = api.send("POST", "/api/v1/import/outcomes", content="\n".join(lines))
        assert answer.json() == {"imported": 180, "refused": []}
        said: str = answer.headers.get("millworth-warning", "")
        return said

    # Those of the first minute happened before any decision that is kept.
    assert imported("behind", 60, 2).startswith("120 of 120 outcomes that were looked up are of no")
    assert imported("right", 0, 3) == ""


def test_outcomes_come_behind_what_jobs_have_read_by_no_clock(store: Connections) -> None:
    """After an hour in which the clock was ahead, what was imported earned nobody anything."""
    write_cursor(store.client(), "attribution", BASE_NS + 3 * NS_PER_HOUR)
    api = Api(store, now_ns=BASE_NS + 2 * NS_PER_HOUR)
    day = datetime.fromtimestamp(BASE_NS // NS_PER_S, UTC)
    content = f"outcome_id,decision_id,revenue,occurred_at\no1,d1,10,{day:%Y-%m-%dT%H:%M:%SZ}"
    assert api.send("POST", "/api/v1/import/outcomes", content=content).json()["imported"] == 1

    ((received_ns,),) = store.client().query("SELECT received_ns FROM outcomes").result_rows
    assert received_ns > BASE_NS + 3 * NS_PER_HOUR
