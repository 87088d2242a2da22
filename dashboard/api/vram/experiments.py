"""I/O: `/api/v1/experiments`: delays that are injected on purpose, registered and ended here."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from attribution.experiments.job import HOLDS_S, ExperimentJob, Plan, Report
from attribution.experiments.rules import TARGETS
from attribution.sensitivity.registered import Arm, Experiment, with_control
from collector.core.times import NS_PER_MS, instant_ns
from dashboard.api.caller import Actor, caller
from dashboard.api.context import Services
from dashboard.read.scope import window_length_ns


class ArmRequest(BaseModel):
    """One delayed arm; what is left of the decisions is the control."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="Such as slow40")
    share: float = Field(gt=0, lt=1, description="Of the decisions: 0.05 is one in twenty")
    delay_ms: float = Field(gt=0, description="Added to each of them")


class RegisterRequest(BaseModel):
    """An experiment to register; it begins and ends by itself."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="Used once: lower-case letters, digits and . _ -")
    owner: str = Field(description="Who answers for it")
    purpose: str = Field(default="", max_length=1000)
    arms: list[ArmRequest] = Field(min_length=1, max_length=8)
    action: list[str] = Field(default_factory=list, description="Only these; empty is all")
    region: list[str] = Field(default_factory=list, description="Likewise")
    cohort: list[str] = Field(default_factory=list, description="Likewise")
    channel: list[str] = Field(default_factory=list, description="Likewise")
    offer_type: list[str] = Field(default_factory=list, description="Likewise")
    begins: str = Field(default="", description="ISO 8601, by default now")
    lasts: str = Field(default="14d", description="A number and s, m, h or d; at most 31d")
    budget_usd: Decimal = Field(gt=0, decimal_places=2, max_digits=14, description="At risk")
    actor: Actor = Field(description="Who asks for it")
    dry_run: bool = Field(default=False, description="Say what to expect, and register nothing")


class StopRequest(BaseModel):
    """Who ends an experiment, and why."""

    model_config = ConfigDict(extra="forbid")

    actor: Actor
    reason: str = Field(default="stopped by hand", min_length=1, max_length=1000)


@dataclass(frozen=True, slots=True)
class Listed:
    """One experiment and whether it runs."""

    state: str  # scheduled, running, ended or stopped
    experiment: Experiment


@dataclass(frozen=True, slots=True)
class Experiments:
    """Every experiment, in order of registration."""

    is_enabled: bool  # attribution.experiments.enabled
    experiments: list[Listed]


@dataclass(frozen=True, slots=True)
class Registered:
    """What was registered, or would be."""

    is_registered: bool
    experiment: Experiment
    plan: Plan


def experiments_router(services: Services) -> APIRouter:
    """Return the routes. A change is audited, and services hear of it within a second."""
    config, store = services.context.attribution, services.store
    workers, clock = services.workers, services.clock
    router = APIRouter(prefix="/api/v1/experiments", tags=["experiments"])
    job = ExperimentJob(config, store)

    @router.get("")
    async def list_experiments() -> Experiments:
        """Return every experiment with its state."""
        now_ns = clock.now_ns()
        experiments = await workers.run(job.all)
        return Experiments(
            config.experiments.enabled, [Listed(each.state(now_ns), each) for each in experiments]
        )

    @router.get("/active")
    async def list_active_experiments() -> dict[str, Any]:
        """Return what services delay by now; each asks once a second."""
        experiments = await workers.run(job.active, clock.now_ns())
        return {
            "holds_s": HOLDS_S,
            "experiments": [_active_experiment(each) for each in experiments],
        }

    @router.post("")
    async def register_experiment(request: RegisterRequest) -> Registered:
        """Register an experiment, or say what to expect of it."""
        now_ns = clock.now_ns()
        fresh = _experiment(request, now_ns)
        expect = job.expect if request.dry_run else job.register
        return Registered(not request.dry_run, fresh, await workers.run(expect, fresh, now_ns))

    @router.get("/{name}")
    async def get_experiment(name: str) -> Report:
        """Return one experiment: its arms, what was put at risk, and what it found."""
        return await workers.run(job.report, name, clock.now_ns())

    @router.post("/{name}/stop")
    async def stop_experiment(name: str, request: StopRequest) -> Experiment:
        """End an experiment now and for good: the kill switch."""
        actor = caller(request.actor)
        return await workers.run(job.stop, name, actor, request.reason, clock.now_ns())

    return router


def _experiment(request: RegisterRequest, now_ns: int) -> Experiment:
    begins_ns = instant_ns(request.begins, "begins") if request.begins else now_ns
    targets = {name: tuple(getattr(request, name)) for name in TARGETS if getattr(request, name)}
    return Experiment(
        name=request.name,
        owner=request.owner,
        purpose=request.purpose,
        arms=with_control([Arm(arm.name, arm.share, arm.delay_ms) for arm in request.arms]),
        targets=targets,
        from_ns=max(begins_ns, now_ns),
        to_ns=begins_ns + window_length_ns(request.lasts, "lasts"),
        budget_usd=request.budget_usd,
        registered_by=caller(request.actor),
    )


def _active_experiment(experiment: Experiment) -> dict[str, Any]:
    """Return one experiment as `collector.instrument.delay` reads it."""
    return {
        "name": experiment.name,
        "to_ns": experiment.to_ns,
        "arms": [
            {"name": arm.name, "share": arm.share, "delay_ns": round(arm.delay_ms * NS_PER_MS)}
            for arm in experiment.arms
        ],
        **{name: list(values) for name, values in experiment.targets.items()},
    }
