"""I/O: `/api/v1/rules`: which rules there are, which are routed, and what they would have done."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException

from alerts.config import DEAD_MAN, AlertsConfig
from alerts.replay.report import Report
from alerts.replay.run import is_replayed, replay_rules
from alerts.rows import AlertEvent
from alerts.rules.base import RuleConfig
from alerts.state.promotions import Promotion, Promotions
from alerts.state.sqlite import AlertStore
from alerts.state.transitions import Phase
from collector.core.clock import Clock
from collector.core.errors import StoreUnavailableError
from collector.core.times import duration_ns
from collector.store.connect import Connections
from dashboard.api.alerts.progress import TICKET_MAX, Steps
from dashboard.api.alerts.state import Action, require
from dashboard.read.alerts.listing import row_of
from dashboard.read.alerts.losses import ClassLosses, lost_together, with_losses
from dashboard.read.alerts.rows import AlertRow
from dashboard.read.reader import Reader
from dashboard.read.workers import Workers


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule, whether it is routed, and its record since it is known (30 days at the most)."""

    name: str
    kind: str
    severity: str
    state: str  # live or shadow
    settled_by: str  # settings, or who promoted it last; "" where nobody did
    first_ns: int | None  # of its first evaluation; None before
    promoted_ns: int | None
    fired: int  # alerts that it raised
    fires: int  # ... and that fire now: what cools or cannot be judged does not
    loss_usd: Decimal | None  # of those alerts, each so far or until it was over; None: unknown


@dataclass(frozen=True, slots=True)
class Rules:
    """Every rule, in the order of the settings."""

    rules: list[RuleRow]


@dataclass(frozen=True, slots=True)
class Replay:
    """What each rule that can be replayed would have done."""

    reports: list[Report]
    not_replayed: list[str]  # rules that cannot be: what was known of them then is not stored


def rules_router(
    config: AlertsConfig,
    store: Connections,
    state: AlertStore | None,
    questions: Workers,
    clock: Clock,
    steps: Steps,
) -> APIRouter:
    """Return the routes."""
    router, reader = APIRouter(prefix="/api/v1/rules", tags=["rules"]), Reader(store)

    @router.get("")
    async def list_rules() -> Rules:
        """Return every rule with its record."""
        rules = config.all_rules
        return Rules(await questions.run(rule_rows, rules, require(state), reader, clock.now_ns()))

    @router.get("/replay")
    async def get_rules_replay(
        last: str = "7d", rule: str = "", ticket: Annotated[str, Query(max_length=TICKET_MAX)] = ""
    ) -> Replay:
        """Run rules over what is stored, as if it were live: at most 30 days.

        Who gives a ticket of its own can ask `/api/v1/rules/progress` how far it is.
        """
        to_ns = clock.now_ns() - round(config.lateness_s * 1e9)
        length_ns = duration_ns(last, "last", least_ns=1)
        from_ns = max(0, to_ns - min(length_ns, _LONGEST_NS))
        span = from_ns, to_ns
        reports = await questions.run(_replay, config, store, state, span, rule, steps, ticket)
        left_out = [each.name for each in config.all_rules if not rule and not is_replayed(each)]
        return Replay(reports, left_out)

    @router.post("/{name}/promote")
    async def promote_rule(name: str, request: Action) -> RuleRow:
        """Route the alerts of a rule from now on, those that fire already too."""
        return await questions.run(
            _settle, config, reader, require(state), name, request, clock, True
        )

    @router.post("/{name}/demote")
    async def demote_rule(name: str, request: Action) -> RuleRow:
        """Put a rule back into shadow: it is evaluated and recorded, and goes to nobody."""
        return await questions.run(
            _settle, config, reader, require(state), name, request, clock, False
        )

    return router


_LONGEST_NS = duration_ns("30d", "last")


def rule_rows(
    rules: Sequence[RuleConfig], state: AlertStore, reader: Reader, now_ns: int
) -> list[RuleRow]:
    """Return rules with their record; what their alerts lost is one question to the store."""
    known = Promotions(state).all()
    fired = [_fired(rule.name, state) for rule in rules]
    alerts, lost = [each for of_rule in fired for each in of_rule], ClassLosses(0, {})
    with suppress(StoreUnavailableError):
        alerts, lost = with_losses(reader, alerts, now_ns)
    rows, begin = [], 0
    for rule, of_rule in zip(rules, fired, strict=True):
        end = begin + len(of_rule)
        loss_usd = lost_together(alerts[begin:end], lost)
        rows.append(_row(rule, known.get(rule.name), of_rule, loss_usd))
        begin = end
    return rows


def _fired(rule: str, state: AlertStore) -> list[AlertRow]:
    """Return the alerts of a rule that fired."""
    episodes: dict[str, list[AlertEvent]] = {}
    for event in state.events_of(rule, 0):
        episodes.setdefault(event.episode_id, []).append(event)
    return [row_of(events) for events in episodes.values() if events[-1].started_ns]


def _row(
    rule: RuleConfig,
    promotion: Promotion | None,
    fired: Sequence[AlertRow],
    loss_usd: Decimal | None,
) -> RuleRow:
    promoted_ns = None if promotion is None else promotion.promoted_ns
    is_live = rule.live if rule.live is not None else promoted_ns is not None
    return RuleRow(
        name=rule.name,
        kind=rule.kind,
        severity=rule.severity,
        state="live" if is_live else "shadow",
        settled_by="settings" if rule.live is not None else promotion.actor if promotion else "",
        first_ns=None if promotion is None else promotion.first_ns,
        promoted_ns=promoted_ns,
        fired=len(fired),
        fires=sum(alert.state == Phase.FIRING for alert in fired),
        loss_usd=loss_usd,
    )


def _settle(
    config: AlertsConfig,
    reader: Reader,
    state: AlertStore,
    name: str,
    request: Action,
    clock: Clock,
    live: bool,
) -> RuleRow:
    rule = next((rule for rule in config.all_rules if rule.name == name), None)
    if rule is None:
        names = ", ".join(each.name for each in config.all_rules)
        raise HTTPException(404, f"no rule is called {name[:60]!r}; there are {names or 'none'}")
    if name == DEAD_MAN:
        raise HTTPException(
            409,
            f"rule {name} is made by alerts.dead_man_seconds and is live from the start; set that "
            "to 0 to be without it, or hide its alerts by a silence",
        )
    if rule.live is not None:
        raise HTTPException(
            409,
            f"rule {name} has live = {str(rule.live).lower()} in the settings, which decide; take "
            "the key out there to promote and demote",
        )
    promotions, act = Promotions(state), request.act(clock.now_ns())
    (promotions.promote if live else promotions.demote)(name, act, request.reason)
    [row] = rule_rows([rule], state, reader, act.at_ns)
    return row


def _replay(
    config: AlertsConfig,
    store: Connections,
    state: AlertStore | None,
    span: tuple[int, int],
    rule: str,
    steps: Steps,
    ticket: str,
) -> list[Report]:
    named = [each for each in config.all_rules if rule in ("", each.name)]
    report = steps.reporter(ticket, sum(is_replayed(each) for each in named))
    found = []
    for each in replay_rules(config, store, state, *span, rule):
        found.append(each)
        report(len(found))
    return found
