"""I/O: `/api/v1/alerts/ID/report`: one alert with its dollars, its history and its exemplars."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from starlette.exceptions import HTTPException

from dashboard.api.context import AppContext
from dashboard.read.alerts.detail import AlertDetail, read_alert
from dashboard.read.alerts.markdown import markdown
from dashboard.read.rows import Reference
from dashboard.read.workers import Workers


class Form(StrEnum):
    """How an alert is written."""

    JSON = "json"
    MARKDOWN = "markdown"


_MARKDOWN: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}
}


def report_router(of: AppContext, workers: Workers, reference: Reference) -> APIRouter:
    """Return the route."""
    router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])

    @router.get("/{episode_id}/report", response_model=AlertDetail, responses=_MARKDOWN)
    async def get_alert_report(
        episode_id: str,
        form: Annotated[Form, Query(alias="format", description="json or markdown")] = Form.JSON,
    ) -> Any:  # noqa: ANN401  the alert, or its text
        """Return all that is known of one alert: null is unknown, and never zero dollars."""
        now_ns = of.clock.now_ns()
        found = await workers.run(
            read_alert, of.reader, of.alert_state, of.alerts, reference, episode_id, now_ns
        )
        if found is None:
            raise HTTPException(
                404, f"no alert has the episode {episode_id[:60]!r}; see `millworth alerts list`"
            )
        if form is Form.JSON:
            return found
        name = quote(f"alert-{episode_id[:40]}.md", safe="")
        headers = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
        return Response(markdown(found, now_ns), media_type="text/markdown", headers=headers)

    return router
