"""The pages over a store and an alert state of a test's own, served on a free port."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alerts.config import AlertsConfig
from alerts.rules.base import RuleConfig
from alerts.state.sqlite import AlertStore
from collector.auth.gate import Gate, load_tokens
from collector.auth.roles import Role
from collector.auth.tokens import AccessConfig, TokenConfig, hash_text
from collector.core.clock import Clock, SystemClock
from collector.core.counters import Counters
from collector.store.connect import Connections
from dashboard.api.context import AppContext
from dashboard.health.items import HealthSource
from dashboard.health.readiness import FrontDoor
from dashboard.read.workers import SharedReads
from dashboard.settings.config import DashboardConfig
from dashboard.web.app import create_app
from dashboard.web.server import DashboardServer
from tests.support.dashboard.app import FixedHealth


@dataclass(frozen=True)
class Served:
    """Pages that answer, and what is behind them."""

    url: str
    state: AlertStore
    door: FrontDoor  # without its `pages` it answers as a service that starts


@contextmanager
def served(
    store: Connections,
    directory: Path,
    *,
    rules: Sequence[RuleConfig] = (),
    tokens: Sequence[tuple[str, tuple[str, ...]]] = (),
    clock: Clock | None = None,
    shared: SharedReads | None = None,
    health: HealthSource | None = None,
) -> Iterator[Served]:
    """Yield pages; a token is `mwt_` and its name, with its scopes or its role."""
    state, counters = AlertStore(directory / "alerts.sqlite"), Counters()
    clock = clock or SystemClock()
    entries = tuple(
        TokenConfig.model_validate(
            {
                "name": name,
                "hash": hash_text(f"mwt_{name}"),
                "scopes": [each for each in given if each not in [*Role]],
                "role": next((each for each in given if each in [*Role]), None),
            }
        )
        for name, given in tokens
    )
    context = AppContext(
        store,
        health or FixedHealth(),
        counters,
        clock,
        dashboard=DashboardConfig(port=0, refresh_s=1.0),
        alert_state=state,
        alerts=AlertsConfig(rules=tuple(rules)),
        shared=SharedReads() if shared is None else shared,
    )
    gate = Gate(load_tokens(AccessConfig(tokens=entries)), counters, SystemClock())
    door = FrontDoor(lambda: (200, "ready\n"))
    door.pages = create_app(context).server
    server = DashboardServer(door, context.dashboard, gate, counters)
    server.start()
    try:
        yield Served(f"http://127.0.0.1:{server.port}", state, door)
    finally:
        server.stop()
        state.close()
