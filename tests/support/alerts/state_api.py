"""`/api/v1` over an alert state, for its routes and the commands that ask them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from alerts.config import AlertsConfig, WebhookConfig
from alerts.rules.base import RuleConfig
from alerts.state.acts import audit_acts
from alerts.state.sqlite import AlertStore, Update
from collector.audit.log import AuditRow, read_audit
from collector.core.counters import Counters
from collector.store.connect import Connections
from dashboard.api.app import create_api
from dashboard.api.context import AppContext
from dashboard.cli.client import ApiClient
from dashboard.health.items import NoHealth
from tests.conftest import ManualClock
from tests.support.alerts.builders import event, firing_state


class StateApi:
    """One application, asked over ASGI, and the file behind it."""

    def __init__(
        self,
        store: Connections,
        directory: Path,
        rules: Sequence[RuleConfig] = (),
        webhooks: Sequence[WebhookConfig] = (),
    ) -> None:
        self.store = store
        self.clock = ManualClock()
        self.state = AlertStore(directory / "alerts.sqlite")
        context = AppContext(
            store,
            NoHealth(),
            Counters(),
            clock=self.clock,
            alert_state=self.state,
            alerts=AlertsConfig(
                rules=tuple(rules), webhooks=tuple(webhooks), allowed_hosts=("127.0.0.1",)
            ),
        )
        self.app = create_api(context)
        self.client = ApiClient("http://local", self.app, None)

    def fire(self, **changes: object) -> None:
        """Have one alert fire."""
        self.state.record([Update(firing_state(), event(**changes))])

    def send(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Send one request and return the answer."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
                return await client.request(method, path, json=body)

        return asyncio.run(send())

    def audited(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Return actor, action and detail of each act, once a pass brought them into the audit."""
        audit_acts(self.state, self.store)
        rows: list[AuditRow] = read_audit(self.store.client())
        return [(row.actor, row.action, json.loads(row.detail)) for row in rows]

    def close(self) -> None:
        """Close the file."""
        self.state.close()
