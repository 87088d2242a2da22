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

from alerts.state.external import ExternalAlert, ExternalAlerts
from alerts.state.sqlite import AlertStore
from attribution.core.config import AttributionConfig
from attribution.whatif.analyst import Analyst
from collector.core.clock import Clock
from collector.core.counters import Counters
from collector.core.log import get_logger
from collector.write.quarantine import RejectedItems
from dashboard.api.alerts.dead import dead_letters_router
from dashboard.api.alerts.external import external_router
from dashboard.api.alerts.imported import rule_imports_router
from dashboard.api.alerts.people import people_router, silences_router
from dashboard.api.alerts.progress import Steps
from dashboard.api.alerts.receivers import receivers_router
from dashboard.api.alerts.report import report_router
from dashboard.api.alerts.rules import rules_router
from dashboard.api.amounts import ContradictedDollars
from dashboard.api.context import AppContext
from dashboard.api.errors import add_error_handlers, require_known, require_text
from dashboard.api.evidence.decisions import decisions_router
from dashboard.api.evidence.heatmap import heatmap_router
from dashboard.api.evidence.network import network_router
from dashboard.api.evidence.packets import packets_router
from dashboard.api.evidence.search import search_router
from dashboard.api.evidence.waterfall import waterfall_router
from dashboard.api.imports.costs import costs_router
from dashboard.api.imports.main import imports_router
from dashboard.api.imports.reconcile import reconcile_router
from dashboard.api.provenance.audit import audit_router
from dashboard.api.provenance.sealed import sealed_router
from dashboard.api.provenance.verdicts import verdicts_router
from dashboard.api.query import query_router
from dashboard.api.rejected import rejected_router
from dashboard.api.retention import retention_router
from dashboard.api.review.router import review_router
from dashboard.api.vram.experiments import experiments_router
from dashboard.api.vram.finance import finance_router
from dashboard.api.vram.invest import invest_routers
from dashboard.api.vram.main import vram_router
from dashboard.api.vram.questions import questions_router, recompute_router
from dashboard.health.items import HealthItem, HealthSource, Status
from dashboard.health.readiness import HEALTHZ, readiness
from dashboard.read.adhoc.reader import OutsideReader
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
from dashboard.read.decision.normal import NormalTimes
from dashboard.read.decisions.listing import DecisionList
from dashboard.read.reader import ALERTS_MAX, Reader
from dashboard.read.rows import Reference, TraceSpan
from dashboard.read.scope import asked_range
from dashboard.read.sealed.store import SealedStore
from dashboard.read.sealed.verdicts import VerdictReader
from dashboard.read.search.finder import Finder
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
    "retention": "How long rows are kept, and legal holds",
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


def reference_of(config: AttributionConfig) -> Reference:
    """Return the reference latencies that attribution judges by."""
    return Reference(
        default_ns=config.reference_ns(""),
        by_action_ns={
            action: config.reference_ns(action) for action in config.reference_latency_by_action_ms
        },
    )


def decision_list(of: AppContext) -> DecisionList:
    """Return what lists decisions over the store of a context."""
    return DecisionList(of.reader, of.attribution, reference_of(of.attribution))


def worst_status(items: list[HealthItem]) -> Status:
    """Return the worst status of all."""
    statuses = {item.status for item in items}
    return "bad" if "bad" in statuses else "warn" if "warn" in statuses else "ok"


def question_workers() -> Workers:
    """Return the threads for long questions."""
    return Workers(QUESTION_THREADS, "questions", QUESTIONS_WAITING_MAX)


def create_api(
    of: AppContext,
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
    workers, questions = workers or Workers(4, "api"), questions or question_workers()
    store, reader, clock, attribution = of.store, of.reader, of.clock, of.attribution
    app.include_router(query_router(OutsideReader(store), workers, store, clock))
    app.include_router(_data_router(reader, workers, clock))
    reference = reference_of(attribution)
    listing, normal = decision_list(of), NormalTimes(reader, reference)
    app.include_router(decisions_router(listing, workers, clock))
    app.include_router(waterfall_router(reader, listing, normal, workers, of.shared, clock))
    app.include_router(heatmap_router(listing, questions, clock))
    finder = Finder(reader, listing, of.alert_state, pages)
    app.include_router(search_router(finder, workers, clock))
    app.include_router(_state_router(of, workers, reference))
    app.include_router(questions_router(Analyst(attribution, store), questions, clock))
    app.include_router(reconcile_router(attribution, store, questions, clock))
    app.include_router(imports_router(of, workers, questions))
    app.include_router(costs_router(of, questions))
    app.include_router(vram_router(attribution, store, questions, clock))
    for router in invest_routers(attribution, store, questions, clock):
        app.include_router(router)
    app.include_router(finance_router(attribution, store, of.retention, questions, clock))
    kept_days = of.retention.decisions_days
    app.include_router(review_router(attribution, store, kept_days, questions, clock))
    app.include_router(experiments_router(attribution, store, workers, clock))
    if of.attribution_job is not None:
        app.include_router(recompute_router(of.attribution_job, store, questions, clock))
    app.include_router(audit_router(store, questions))
    app.include_router(verdicts_router(VerdictReader(store), workers, clock))
    app.include_router(sealed_router(of.sealed or SealedStore(store), store, questions, clock))
    rejected = of.rejected or RejectedItems(store, of.protection, of.counters, clock)
    app.include_router(rejected_router(rejected, store, workers, clock))
    app.include_router(receivers_router(of.alert_state, of.alerts, workers, clock))
    app.include_router(dead_letters_router(of.alert_state, workers, clock))
    for of_people in (people_router, silences_router):
        app.include_router(of_people(reader, of.alert_state, workers, clock))
    app.include_router(report_router(of, workers, reference))
    steps = Steps()
    app.include_router(rules_router(of.alerts, store, of.alert_state, questions, clock, steps))
    app.include_router(rule_imports_router(of.alerts, store, questions, clock, steps))
    app.include_router(external_router(of.alert_state, workers, of.counters, clock))
    app.include_router(packets_router(store, questions, clock))
    app.include_router(network_router(reader, workers, clock))
    app.include_router(retention_router(store, of.retention, questions, clock))
    app.include_router(_probe_router(reader, of.health, workers, of.counters))
    app.add_middleware(ContradictedDollars, health=of.health)
    return app


def _data_router(reader: Reader, workers: Workers, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/api/v1")

    @router.get("/traces/{trace_id:path}", tags=["decisions"])
    async def get_trace(trace_id: str) -> Trace:
        """Return one trace by its id, or by the id of a decision that it made."""
        return await workers.run(_trace, reader, trace_id)

    @router.get("/decisions/{decision_id:path}", tags=["decisions"])
    async def get_decision(decision_id: str) -> Decision:
        """Return one decision with its split and its evidence."""
        return await workers.run(_decision, reader, decision_id, clock.now_ns())

    return router


def _state_router(of: AppContext, workers: Workers, reference: Reference) -> APIRouter:
    router = APIRouter(prefix="/api/v1")
    reader, health, clock, state = of.reader, of.health, of.clock, of.alert_state

    @router.get("/alerts", tags=["alerts"])
    async def list_alerts(
        window: str = "24h",
        until: str = "",
        limit: Annotated[int, Query(ge=1, le=ALERTS_MAX)] = ALERTS_MAX,
    ) -> Alerts:
        """Return open alerts and those that changed in the window; both as in a page's URL.

        The first 50 have an `exemplar`.
        """
        now_ns = clock.now_ns()
        seen = asked_range(window, until, now_ns)
        listed = await workers.run(listed_alerts, reader, seen)
        rows = listed.alerts[:limit]
        shown = await workers.run(with_exemplars, reader, rows, seen, reference)
        return await workers.run(_with_people, listed, shown, state, seen.from_ns, now_ns)

    @router.get("/health", tags=["health"])
    async def get_health() -> Health:
        """Return the state of the service, figure by figure."""
        items = await workers.run(health.health)
        return Health(worst_status(items), items)

    return router


def _probe_router(
    reader: Reader, health: HealthSource, workers: Workers, counters: Counters
) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> Response:
        return PlainTextResponse(HEALTHZ)

    @router.get("/readyz")
    async def readyz() -> Response:
        """Return whether the service does its work, and of every stage how it is."""
        must = health.must_be_ready()
        status, text = await workers.run(readiness, reader.ping, health.health, must)
        return PlainTextResponse(text, status_code=status)

    @router.get("/metrics")
    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(await workers.run(encode, counters.registry), media_type=content_type)

    return router


def _with_people(
    listed: Listed, shown: list[AlertRow], state: AlertStore | None, from_ns: int, now_ns: int
) -> Alerts:
    """Return alerts with what people did about them, where this process has that, and others'."""
    external = [] if state is None else ExternalAlerts(state).seen(from_ns, now_ns)
    return Alerts(
        with_people(shown, state, now_ns),
        listed.total,
        len(shown) < listed.total,
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
