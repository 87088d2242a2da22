"""What several tests of revisions share."""

from __future__ import annotations

from collector.store.connect import Connections
from tests.support.attribution.attribution_job import at, job
from tests.support.attribution.stored import Stored, decision, put_spans

LINE = (
    "2: 1 span came (GET offers), decision/compute 50.000 ms → 30.000 ms, "
    "decision/store 20.000 ms → 40.000 ms"
)


def put_late_span(store: Connections) -> None:
    """Attribute decision a before and after a call to a store came in, and b once."""
    put_spans(store, decision())
    running = job(store)
    running.run_once(at(10))
    late = Stored("late", "root", 75, 20, "Client", name="GET offers", received_s=20,
                  attributes={"db.system": "mysql"})  # fmt: skip
    put_spans(store, [late, *decision("b", 200, received_s=20)])
    running.run_once(at(30))
