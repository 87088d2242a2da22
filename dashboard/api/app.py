"""I/O: `/api/v1` and the probes: the one way in for commands, automation and the pages' actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client.exposition import choose_encoder
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException

from alerts.people.external import ExternalAlert, ExternalAlerts
from alerts.state.sqlite import AlertStore
from collector.core.log import get_logger
from dashboard.api.alerts.routers import alerts_router
from dashboard.api.amounts import ContradictedDollars
from dashboard.api.context import AppContext, MakeRouter, Services
from dashboard.api.errors import add_error_handlers, require_known, require_text
from dashboard.api.evidence import routers as evidence
from dashboard.api.imports import routers as imports
from dashboard.api.provenance import routers as provenance
from dashboard.api.query import query_router
from dashboard.api.rejected import rejected_router
from dashboard.api.retention import retention_router
from dashboard.api.review.router import review_router
from dashboard.api.vram import routers as vram
from dashboard.health.items import HealthItem, Status
from dashboard.health.readiness import HEALTHZ, readiness
from dashboard.read.alerts.counts import Counts, count_alerts
from dashboard.read.alerts.listing import (
    IncidentSum,
    Listed,
    incident_sums,
    listed_alerts,
    with_exemplars,
    with_people,
)
from dashboard.read.alerts.rows import AlertRow
from dashboard.read.decision.detail import Decision, read_decision
from dashboard.read.reader import ALERTS_MAX, Reader
from dashboard.read.rows import TraceSpan
from dashboard.read.scope import asked_range
from dashboard.read.workers import Workers

# Long questions at a time: they shall not take the pages' threads.
QUESTION_THREADS = 2
QUESTIONS_WAITING_MAX = 20

# Of the operations; each has one.
TAGS: Final = {
    "alerts": "What fires and fired, what it costs, what people did, and messages to receivers",
    "silences": "What hides alerts for a time",
    "rules": "What raises alerts: live or in shadow, replayed and imported",
    "decisions": "Decisions, their traces and where their time went",
    "questions": "SQL, what-if, comparisons and latency budgets",
    "packets": "Packets of a decision or an incident, and whether any are missing",
    "vram": "What latency is worth: models, slopes, modes, caches, channels and revenue nodes",
    "investments": "What is worth mending: options, tiers, debt, verdicts and reviews",
    "experiments": "Delays that are injected on purpose",
    "imports": "Files of outcomes, rates, ledgers and costs, and how they agree",
    "provenance": "What is proven of sealed decisions",
    "audit": "Who did what, and whether the chain of it holds",
    "rejected": "What was rejected, and its replay",
    "retention": "How long rows are kept, legal holds, and what lies on the disk",
    "health": "The state of the service",
}

_log = get_logger("dashboard")


@dataclass(frozen=True, slots=True)
class Trace:
    """One trace: every span as sent, and the decisions it made."""

    trace_id: str
    decisions: list[str]
    spans: list[TraceSpan]


class _AnyText(PathConvertor):
    """What `{NAME:path}` of a route takes: an id may have a line feed, which a dot stops at."""

    regex = r"[\s\S]*"


register_url_convertor("path", _AnyText())


@dataclass(frozen=True, slots=True)
class Alerts:
    """Open alerts and those that changed in the window; and those of others.

    What costs comes first: open ones before what is over, live ones before shadow, by what is at
    risk an hour, then by what was lost.
    """

    alerts: list[AlertRow]
    total: int  # of the window, with those that are left out
    is_cut: bool  # some are left out
    counts: Counts  # with those that are left out, of 10,000 at most
    incidents: list[IncidentSum]  # of the same, the one of the first alert first
    external: list[ExternalAlert]


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the service; `status` is the worst of its items."""

    status: Status
    items: list[HealthItem]


def worst_status(items: list[HealthItem]) -> Status:
    """Return the worst status of all."""
    statuses = {item.status for item in items}
    return "bad" if "bad" in statuses else "warn" if "warn" in statuses else "ok"


def question_workers() -> Workers:
    """Return the threads for long questions."""
    return Workers(QUESTION_THREADS, "questions", QUESTIONS_WAITING_MAX)


def create_api(
    context: AppContext,
    workers: Workers | None = None,
    questions: Workers | None = None,
    pages: Sequence[tuple[str, str]] = (),
) -> FastAPI:
    """Return the application that answers `/api/v1`, `/healthz`, `/readyz` and `/metrics`.

    `pages` are path and title of what the search finds beside.

    Whoever serves it to a network puts `dashboard.web.security.RequestGuard` in front.
    """
    # The documentation pages of FastAPI load scripts from elsewhere.
    app = FastAPI(
        title="Millworth",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        openapi_tags=[{"name": name, "description": says} for name, says in TAGS.items()],
        # The name of the function that answers, which is a verb and what it is about.
        generate_unique_id_function=lambda route: route.name,
        dependencies=[Depends(require_text), Depends(require_known)],
    )
    add_error_handlers(app)
    services = Services(
        context, workers or Workers(4, "api"), questions or question_workers(), pages
    )
    for make_router in ROUTERS:
        app.include_router(make_router(services))
    app.add_middleware(ContradictedDollars, health=context.health)
    return app


def _data_router(services: Services) -> APIRouter:
    reader, workers = services.context.reader, services.workers
    router = APIRouter(prefix="/api/v1")

    @router.get("/traces/{trace_id:path}", tags=["decisions"])
    async def get_trace(trace_id: str) -> Trace:
        """Return one trace by its id, or by the id of a decision that it made."""
        return await workers.run(_trace, reader, trace_id)

    @router.get("/decisions/{decision_id:path}", tags=["decisions"])
    async def get_decision(decision_id: str) -> Decision:
        """Return one decision with its split and its evidence."""
        return await workers.run(_decision, reader, decision_id, services.clock.now_ns())

    return router


def _state_router(services: Services) -> APIRouter:
    router = APIRouter(prefix="/api/v1")
    context, workers = services.context, services.workers
    reader, reference, state = context.reader, context.reference, context.alert_state

    @router.get("/alerts", tags=["alerts"])
    async def list_alerts(
        window: str = "24h",
        until: str = "",
        limit: Annotated[int, Query(ge=1, le=ALERTS_MAX)] = ALERTS_MAX,
    ) -> Alerts:
        """Return open alerts and those that changed in the window; both as in a page's URL.

        The first 50 have an `exemplar`.
        """
        now_ns = services.clock.now_ns()
        view = asked_range(window, until, now_ns)
        listed = await workers.run(listed_alerts, reader, view)
        rows = listed.alerts[:limit]
        with_examples = await workers.run(
            with_exemplars, reader, rows, view, reference, context.alerts.all_rules
        )
        return await workers.run(_with_people, listed, with_examples, state, view.from_ns, now_ns)

    @router.get("/health", tags=["health"])
    async def get_health() -> Health:
        """Return the state of the service, figure by figure."""
        items = await workers.run(context.health.health)
        return Health(worst_status(items), items)

    return router


def _probe_router(services: Services) -> APIRouter:
    context, workers = services.context, services.workers
    health = context.health
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> Response:
        return PlainTextResponse(HEALTHZ)

    @router.get("/readyz")
    async def readyz() -> Response:
        """Return whether the service does its work, and of every stage how it is."""
        must = health.must_be_ready()
        status, text = await workers.run(readiness, context.reader.ping, health.health, must)
        return PlainTextResponse(text, status_code=status)

    @router.get("/metrics")
    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(
            await workers.run(encode, context.counters.registry), media_type=content_type
        )

    return router


def _with_people(
    listed: Listed, rows: list[AlertRow], state: AlertStore | None, from_ns: int, now_ns: int
) -> Alerts:
    """Return alerts with what people did about them, where this process has that, and others'."""
    external = [] if state is None else ExternalAlerts(state).seen(from_ns, now_ns)
    return Alerts(
        with_people(rows, state, now_ns),
        listed.total,
        len(rows) < listed.total,
        count_alerts(listed.alerts),
        incident_sums(listed),
        external,
    )


def _trace(reader: Reader, wanted: str) -> Trace:
    trace_id = wanted.strip().lower()
    spans = reader.trace_spans(trace_id)
    if spans:
        return Trace(trace_id, reader.trace_decisions(trace_id), spans)
    facts = reader.decision(wanted)
    spans = reader.trace_spans(facts.trace_id) if facts else []
    if facts is None or not spans:
        raise HTTPException(
            404,
            f"no trace and no decision has the id {wanted[:100]!r}; ids are lower-case hex, and "
            "spans are stored about a second after they arrive",
        )
    return Trace(facts.trace_id, reader.trace_decisions(facts.trace_id), spans)


def _decision(reader: Reader, decision_id: str, now_ns: int) -> Decision:
    facts = reader.decision(decision_id)
    if facts is None:
        raise HTTPException(
            404,
            f"no decision has the id {decision_id[:100]!r}; a decision is a span that carries "
            "decision.action, or that a [[decisions.match]] rule names",
        )
    return read_decision(reader, facts, reader.sent_spans(facts.trace_id), now_ns)


# In the order in which the document has them.
ROUTERS: Final[tuple[MakeRouter, ...]] = (
    query_router,
    _data_router,
    *evidence.ROUTERS,
    _state_router,
    *imports.ROUTERS,
    *vram.ROUTERS,
    review_router,
    *provenance.ROUTERS,
    rejected_router,
    alerts_router,
    retention_router,
    _probe_router,
)
