"""I/O: `/api/v1/silences`: what hides alerts, from when until when, and who made it.

It rests on the alert state, so it works while the store is away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from alerts.people.matchers import MATCHERS_MAX, parse_matchers
from alerts.people.silences import Silence, Silences
from alerts.people.window import parse_window
from alerts.state.sqlite import AlertStore
from collector.core.clock import Clock
from dashboard.api.alerts.state import Action, require
from dashboard.read.alerts.preview import Preview, preview
from dashboard.read.reader import Reader
from dashboard.read.workers import Workers

_NUMBER_MAX: Final = 2**53  # what every JSON reader takes for a whole number


class MatchersRequest(BaseModel):
    """Which alerts are meant."""

    model_config = ConfigDict(extra="forbid")

    matchers: list[str] = Field(
        min_length=1,
        max_length=MATCHERS_MAX,
        description="NAME=VALUE, all of which hold; = may be !=, =~ or !~; NAME is rule, action, "
        "region, severity or blamed (stage/class)",
    )


class SilenceRequest(MatchersRequest, Action):
    """A silence, or a maintenance window that is to come."""

    starts: str = Field(default="", max_length=64, description="ISO 8601; empty: now")
    ends: str = Field(default="", max_length=64, description="ISO 8601; or duration")
    duration: str = Field(default="", max_length=20, description="A number and s, m, h or d")
    zone: str = Field(
        default="",
        max_length=64,
        description="IANA zone by whose clock starts and ends without an offset are meant",
    )


@dataclass(frozen=True, slots=True)
class SilenceRow:
    """One silence."""

    id: int
    matchers: list[str]
    state: str  # to come, holds or over
    starts_ns: int
    ends_ns: int
    actor: str
    reason: str
    made_ns: int
    ended_by: str  # "" where nobody ended it before its time
    planned_ns: int  # when it would have ended where somebody did; 0 where not, or not known
    end_reason: str  # why it was ended


@dataclass(frozen=True, slots=True)
class SilenceRows:
    """Silences that hold, are to come, or ended in the last 30 days."""

    silences: list[SilenceRow]


def silences_router(
    reader: Reader, state: AlertStore | None, workers: Workers, clock: Clock
) -> APIRouter:
    """Return the routes about silences."""
    router = APIRouter(prefix="/api/v1/silences", tags=["silences"])

    @router.get("")
    async def list_silences() -> SilenceRows:
        """Return the silences that hold, are to come, or ended in the last 30 days."""
        now_ns = clock.now_ns()
        found = await workers.run(Silences(require(state)).all, now_ns)
        return SilenceRows([silence_row(silence, now_ns) for silence in found])

    @router.post("")
    async def create_silence(request: SilenceRequest) -> SilenceRow:
        """Hide alerts for a time: they are evaluated and recorded, and go to no receiver."""
        now_ns = clock.now_ns()
        matchers = parse_matchers(request.matchers)
        window = parse_window(request.starts, request.ends, request.duration, request.zone, now_ns)
        silences, act = Silences(require(state)), request.act(now_ns)
        made = await workers.run(silences.make, matchers, window, act, request.reason)
        return silence_row(made, now_ns)

    @router.post("/preview")
    async def preview_silence(request: MatchersRequest) -> Preview:
        """Return what matchers hide now, and would have hidden in the last seven days."""
        matchers = parse_matchers(request.matchers)
        return await workers.run(preview, require(state), reader, matchers, clock.now_ns())

    @router.post("/{number}/end")
    async def end_silence(
        number: Annotated[int, Path(ge=1, le=_NUMBER_MAX)], request: Action
    ) -> SilenceRow:
        """End a silence now; what fires still goes out."""
        now_ns = clock.now_ns()
        silences, act = Silences(require(state)), request.act(now_ns)
        return silence_row(await workers.run(silences.end, number, act, request.reason), now_ns)

    return router


def silence_row(silence: Silence, now_ns: int) -> SilenceRow:
    """Return a silence as it is at an instant."""
    standing = "holds" if silence.starts_ns <= now_ns else "to come"
    return SilenceRow(
        silence.id,
        [str(matcher) for matcher in silence.matchers],
        standing if now_ns < silence.ends_ns else "over",
        silence.starts_ns,
        silence.ends_ns,
        silence.actor,
        silence.reason,
        silence.made_ns,
        silence.ended_by,
        silence.planned_ns,
        silence.end_reason,
    )
