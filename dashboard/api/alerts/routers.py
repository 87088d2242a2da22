"""I/O: the routers of alerts, of what people do about them, and of their rules."""

from __future__ import annotations

from fastapi import APIRouter

from dashboard.api.alerts.dead import dead_letters_router
from dashboard.api.alerts.external import external_router
from dashboard.api.alerts.imported import rule_imports_router
from dashboard.api.alerts.people import people_router
from dashboard.api.alerts.progress import Steps
from dashboard.api.alerts.receivers import receivers_router
from dashboard.api.alerts.report import report_router
from dashboard.api.alerts.rules import rules_router
from dashboard.api.alerts.silences import silences_router
from dashboard.api.context import Services


def alerts_router(services: Services) -> APIRouter:
    """Return all of their routes."""
    context, workers, questions = services.context, services.workers, services.questions
    state, rules, store, clock = context.alert_state, context.alerts, services.store, services.clock
    steps = Steps()
    router = APIRouter()
    for each in (
        receivers_router(state, rules, workers, clock),
        dead_letters_router(state, workers, clock),
        people_router(context.reader, state, workers, clock),
        silences_router(context.reader, state, workers, clock),
        report_router(context, workers, context.reference),
        rules_router(rules, store, state, questions, clock, steps),
        rule_imports_router(rules, store, questions, clock, steps),
        external_router(state, workers, context.counters, clock),
    ):
        router.include_router(each)
    return router
