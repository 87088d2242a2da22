"""I/O: `/api/v1/alerts/...`: what people see of alerts, and do about them.

Everything rests on the alert state, so it works while the store is away: that is asked only for
what alerts cost now.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from alerts.delivery.payload import iso_time
from alerts.people.external import ExternalAlert, ExternalAlerts
from alerts.people.notes import ACK, COMMENT, Note, Notes
from alerts.people.silences import Silences
from alerts.people.standing import Standing, standings
from alerts.rows import AlertEvent, Dollars, Owned
from alerts.state.acts import Act
from alerts.state.deliveries import Deliveries, Delivery
from alerts.state.held import was_sent
from alerts.state.owned import read_owned
from alerts.state.proposal import Move, Proposal
from alerts.state.retry import Rest
from alerts.state.routed import open_alerts, unjudged
from alerts.state.sqlite import AlertStore
from alerts.state.transitions import Phase
from collector.core.clock import Clock
from collector.core.errors import StoreUnavailableError
from dashboard.api.alerts.silences import SilenceRow, silence_row
from dashboard.api.alerts.state import TEXT_MAX, require
from dashboard.api.caller import NOBODY, Actor, caller
from dashboard.read.alerts.counts import Counts, count_alerts
from dashboard.read.alerts.listing import dearest_first, row_of
from dashboard.read.alerts.losses import with_losses
from dashboard.read.alerts.rows import OPEN_STATES, AlertRow
from dashboard.read.reader import Reader
from dashboard.read.workers import Workers

_MESSAGES_MAX: Final = 200
_NUMBER_MAX: Final = 2**53  # what every JSON reader takes for a whole number


class CommentRequest(BaseModel):
    """What somebody says about an alert."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    actor: Actor = Field(default=NOBODY, description="Who says it")
    comment: str = Field(min_length=1, max_length=TEXT_MAX, description="Kept with the alert")

    def act_at(self, now_ns: int) -> Act:
        """Return who says it, with the token that vouches for it, at an instant."""
        return Act(caller(self.actor), now_ns)


class AckRequest(CommentRequest):
    """Somebody looks after an alert."""

    comment: str = Field(default="", max_length=TEXT_MAX, description="Kept with the alert")
    is_actionable: bool | None = Field(
        default=None, description="Whether there was something to do; null: not known yet"
    )


@dataclass(frozen=True, slots=True)
class Reroute:
    """What a webhook proposed and holds yet: a router that lost what it was sent finds it here.

    It is as in the webhook, and has the end in nanoseconds as well.
    """

    mode: str  # propose
    move: Move
    expires_at: str
    expires_ns: int


@dataclass(frozen=True, slots=True)
class OwnDollars:
    """The dollars that are one alert's own: over all that fire they add up, each counted once."""

    at_ns: int  # of the pass
    since_ns: int  # when the losses began that made it fire
    lost: Dollars  # since then
    at_risk: Dollars | None  # an hour, at the rate of the newest decisions; None: its data stopped
    explained_by: str  # narrower alerts without whose decisions it would not fire, "" for none


@dataclass(frozen=True, slots=True)
class OpenAlertRow:
    """One alert: as of its last change, and what it costs now as pages and reports have it."""

    episode_id: str
    incident_id: str  # the episode of the first alert of its incident
    seq: int  # of its last change, as in the webhook
    rule: str
    severity: str
    action: str
    region: str
    state: str
    started_ns: int  # when it began to fire, 0 before
    since_ns: int  # the same, of one that never fired of its first change
    revenue_at_risk_usd_per_h: Decimal | None  # at its last change; None: unknown
    loss_usd: Decimal | None  # in its window at its last change
    blamed: str  # stage/class, "" where no segment stands out
    focus: str  # of several classes the one that the cause is of: action/region; "" for one
    failing_share: float  # of the decisions, 0 where it is not about failures
    failing_call: str  # the first to fail, by service and name; "" where it is not known
    failing_call_text: str  # the same with the number of decisions, in words
    slow_call: str  # the one that takes longer
    slow_call_text: str
    reason: str
    people: Standing
    owned: OwnDollars | None  # its own dollars; None: it owns none, is in shadow, or nobody knows
    is_shadow: bool  # its rule pages nobody
    at_ns: int  # of its last change
    now_usd_per_h: Decimal | None  # None: unknown, or it is over
    now_low_usd_per_h: Decimal | None
    now_high_usd_per_h: Decimal | None
    now_missing_ns: int  # of the window of that, of which decisions are not attributed yet
    lost_usd: Decimal | None  # since the window by which it fired; None: unknown
    reroute: Reroute | None  # that holds now; None: nothing is proposed


@dataclass(frozen=True, slots=True)
class Incident:
    """Alerts that have one cause, and what they own."""

    incident_id: str
    alerts: int
    started_ns: int
    at_risk: Dollars | None  # an hour; None: of none of them it is known
    lost: Dollars | None


@dataclass(frozen=True, slots=True)
class OpenAlerts:
    """What fires now, what costs first as in `/api/v1/alerts`; and what fires elsewhere.

    `at_risk` (an hour) and `lost` (since each began) are the sums of what the alerts own: a dollar
    that several are about is in them once. They are None where alerts are open and nobody knows it
    of any, as of those whose data stopped; and as of `as_of_ns`, None where nothing is owned.
    """

    alerts: list[OpenAlertRow]
    counts: Counts  # of these alerts, and of live ones that cannot be judged and did not fire
    incidents: list[Incident]  # of these alerts, the dearest first
    external: list[ExternalAlert]
    at_risk: Dollars | None
    lost: Dollars | None
    as_of_ns: int | None


@dataclass(frozen=True, slots=True)
class AlertHistory:
    """One alert: every change, who was told, and what people said."""

    episode_id: str
    events: list[AlertEvent]
    messages: list[MessageRow]  # the newest first
    notes: list[Note]
    silences: list[SilenceRow]  # that hide it now
    alert: OpenAlertRow
    as_of_ns: int


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message to one receiver, and how far it came."""

    endpoint: str
    kind: str
    status: str
    attempts: int
    at_ns: int  # of the last attempt, before the first when it was written
    detail: str  # of the last attempt; it may hold what the receiver wrote
    rest: Rest | None  # why it waits; None: for nothing, or for its turn


def people_router(
    reader: Reader, state: AlertStore | None, workers: Workers, clock: Clock
) -> APIRouter:
    """Return the routes about alerts, but for silences (`dashboard.api.alerts.silences`)."""
    router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])

    @router.get("/open")
    async def list_open_alerts() -> OpenAlerts:
        """Return what fires now, from the alert state: the store may be away."""
        return await workers.run(_open, require(state), reader, clock.now_ns())

    @router.get("/{episode_id}")
    async def get_alert(episode_id: str) -> AlertHistory:
        """Return one alert: its changes, who was told, what people said, and what hides it."""
        return await workers.run(_history, require(state), reader, episode_id, clock.now_ns())

    @router.post("/{episode_id}/ack")
    async def ack_alert(episode_id: str, request: AckRequest) -> Note:
        """Acknowledge an alert with a comment; say whether there was something to do."""
        alert_state, by = require(state), request.act_at(clock.now_ns())
        return await workers.run(
            Notes(alert_state).add, episode_id, ACK, by, request.comment, request.is_actionable
        )

    @router.post("/{episode_id}/comment")
    async def comment_alert(episode_id: str, request: CommentRequest) -> Note:
        """Add a comment to an alert."""
        alert_state, by = require(state), request.act_at(clock.now_ns())
        return await workers.run(Notes(alert_state).add, episode_id, COMMENT, by, request.comment)

    return router


def _open(alert_state: AlertStore, reader: Reader, now_ns: int) -> OpenAlerts:
    episodes = [alert_state.events(alert.episode_id) for alert in open_alerts(alert_state)]
    rows = _rows(alert_state, reader, episodes, now_ns)
    own = _owned(rows)
    return OpenAlerts(
        alerts=rows,
        counts=count_alerts([*rows, *(row_of([each]) for each in unjudged(alert_state))]),
        incidents=_incidents(rows),
        external=ExternalAlerts(alert_state).seen(now_ns, now_ns),
        at_risk=_at_risk(own) if rows else Dollars(),
        lost=sum((each.lost for each in own), Dollars()) if own or not rows else None,
        as_of_ns=max((each.at_ns for each in own), default=None),
    )


def _incidents(rows: Sequence[OpenAlertRow]) -> list[Incident]:
    found: dict[str, list[OpenAlertRow]] = {}
    for row in rows:  # the dearest first, and so are their incidents
        found.setdefault(row.incident_id, []).append(row)
    return [_incident(incident_id, alerts) for incident_id, alerts in found.items()]


def _incident(incident_id: str, alerts: Sequence[OpenAlertRow]) -> Incident:
    own = _owned(alerts)
    return Incident(
        incident_id=incident_id,
        alerts=len(alerts),
        started_ns=min(row.started_ns for row in alerts),
        at_risk=_at_risk(own),
        lost=sum((each.lost for each in own), Dollars()) if own else None,
    )


def _own(owned: Owned, *, is_judged: bool) -> OwnDollars:
    at_risk = owned.at_risk if is_judged else None
    return OwnDollars(owned.at_ns, owned.since_ns, owned.lost, at_risk, owned.explained_by)


def _owned(rows: Sequence[OpenAlertRow]) -> list[OwnDollars]:
    return [row.owned for row in rows if row.owned is not None]


def _at_risk(own: Sequence[OwnDollars]) -> Dollars | None:
    """Return what is known to be at risk an hour, None where of no alert it is."""
    known = [each.at_risk for each in own if each.at_risk is not None]
    return sum(known, Dollars()) if known else None


def _rows(
    alert_state: AlertStore, reader: Reader, episodes: Sequence[Sequence[AlertEvent]], now_ns: int
) -> list[OpenAlertRow]:
    """Return alerts by the events of each, the dearest first, with what they cost now."""
    alerts = [row_of(events) for events in episodes]
    with suppress(StoreUnavailableError):  # what it costs now is null then
        alerts, _ = with_losses(reader, alerts, now_ns)
    known, owned = standings(alert_state, alerts, alerts, now_ns), read_owned(alert_state)
    moves = {each.episode_id: each.proposal for each in alert_state.states().values()}
    return [
        _row_of(
            alert,
            known[alert.episode_id],
            owned.get(alert.episode_id),
            _reroute(alert_state, alert.episode_id, moves.get(alert.episode_id), now_ns),
        )
        for alert in dearest_first(alerts)
    ]


def _reroute(
    alert_state: AlertStore, episode_id: str, proposal: Proposal | None, now_ns: int
) -> Reroute | None:
    if proposal is None or proposal.move is None or not proposal.holds(now_ns):
        return None
    # Of a rule in shadow, and under a silence, nobody is to act on it.
    if not was_sent(alert_state, episode_id):
        return None
    until_ns = proposal.until_ns
    return Reroute("propose", proposal.move, iso_time(until_ns), until_ns)


def _row_of(
    alert: AlertRow, people: Standing, owned: Owned | None, reroute: Reroute | None
) -> OpenAlertRow:
    is_judged = alert.state != Phase.UNKNOWN
    return OpenAlertRow(
        episode_id=alert.episode_id,
        incident_id=alert.incident_id or alert.episode_id,
        seq=alert.seq,
        rule=alert.rule,
        severity=alert.severity,
        action=alert.action,
        region=alert.region,
        state=alert.state,
        started_ns=alert.started_ns,
        since_ns=alert.started_ns or alert.first_ns,
        revenue_at_risk_usd_per_h=alert.revenue_at_risk_usd_per_h if alert.is_priced else None,
        loss_usd=alert.loss_usd if alert.is_priced else None,
        blamed=f"{alert.blamed_stage}/{alert.blamed_class}" if alert.blamed_stage else "",
        focus=alert.focus,
        failing_share=alert.failing_share,
        failing_call=alert.failing_call,
        failing_call_text=alert.failing_call_text,
        slow_call=alert.slow_call,
        slow_call_text=alert.slow_call_text,
        reason=alert.reason,
        people=people,
        owned=_own(owned, is_judged=is_judged) if owned and alert.is_priced else None,
        is_shadow=alert.is_shadow,
        at_ns=alert.at_ns,
        now_usd_per_h=alert.now_usd_per_h if is_judged else None,
        now_low_usd_per_h=alert.now_low_usd_per_h if is_judged else None,
        now_high_usd_per_h=alert.now_high_usd_per_h if is_judged else None,
        now_missing_ns=alert.now_missing_ns if is_judged else 0,
        lost_usd=alert.lost_usd,
        reroute=reroute,
    )


def _history(alert_state: AlertStore, reader: Reader, episode_id: str, now_ns: int) -> AlertHistory:
    events = alert_state.events(episode_id)
    if not events:
        raise HTTPException(
            404,
            f"no alert has the episode {episode_id[:60]!r}; see `millworth alerts list`, and "
            "`alert_events` for what is older than 30 days",
        )
    is_open = events[-1].to_state in OPEN_STATES
    hiding = Silences(alert_state).hiding(events[-1], now_ns) if is_open else []
    sent = Deliveries(alert_state).of_episode(episode_id, _MESSAGES_MAX)
    return AlertHistory(
        episode_id,
        events,
        [_message(delivery) for delivery in sent],
        Notes(alert_state).of([episode_id]).get(episode_id, []),
        [silence_row(silence, now_ns) for silence in hiding],
        _rows(alert_state, reader, [events], now_ns)[0],
        now_ns,
    )


def _message(of: Delivery) -> MessageRow:
    at_ns = of.tried_ns or of.created_ns
    return MessageRow(of.endpoint, of.kind, of.status, of.attempts, at_ns, of.detail, of.rest)
