"""I/O: `POST /api/v2/alerts`, as Alertmanager has it: alerts of others, beside the money."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from alerts.people.external import ExternalAlerts
from alerts.state.sqlite import AlertStore
from collector.core.clock import Clock
from collector.core.counters import Counters
from collector.core.errors import BusyError, InputError, RequestTooLargeError
from dashboard.api.alerts.postable import BYTES_MAX, TAKES_ALERTS, parse_alerts
from dashboard.api.alerts.state import require
from dashboard.api.caller import caller
from dashboard.read.workers import Workers

_PROBLEMS_SHOWN: Final = 5
_RETRY_S: Final = 60


def external_router(
    state: AlertStore | None, workers: Workers, counters: Counters, clock: Clock
) -> APIRouter:
    """Return the route."""
    router = APIRouter(prefix="/api/v2", tags=["alerts"])

    @router.post("/alerts", openapi_extra=TAKES_ALERTS)
    async def push_alerts(request: Request) -> Response:
        """Take alerts of Prometheus, vmalert or Grafana; they are on disk when this answers 200."""
        alert_state = require(state)
        content = await _body(request)
        await workers.run(_take, alert_state, content, counters, clock.now_ns())
        return Response()

    return router


def _take(alert_state: AlertStore, content: bytes, counters: Counters, now_ns: int) -> None:
    alerts, problems = parse_alerts(content)
    refused = ExternalAlerts(alert_state).put(alerts, caller(), now_ns)
    counters.external_alerts.labels("kept").inc(len(alerts) - refused)
    counters.external_alerts.labels("refused").inc(refused + len(problems))
    if refused:
        raise BusyError(
            f"{refused:,} alerts were not kept: there are too many already; send fewer, or later",
            _RETRY_S,
        )
    if problems:
        more = len(problems) - _PROBLEMS_SHOWN
        raise InputError(
            "; ".join(problems[:_PROBLEMS_SHOWN])
            + (f"; and {more:,} more" if more > 0 else "")
            + "; the others were kept"
        )


async def _body(request: Request) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > BYTES_MAX:
            raise RequestTooLargeError(
                f"the body is over {BYTES_MAX:,} bytes; send fewer alerts at a time"
            )
    return bytes(content)
