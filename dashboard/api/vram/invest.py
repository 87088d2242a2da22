"""I/O: `/api/v1/vram/npv`, `gate`, `verdicts` and `debt`: investments, and what was ruled."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from attribution.invest.answers import Comparison
from attribution.invest.debt_job import Debt, DebtJob
from attribution.invest.file import InvestFile
from attribution.invest.job import InvestJob, StoredVerdict
from attribution.invest.tiers import TierTable, tier_table
from attribution.vram.tail_job import TailAnswer, TailJob
from collector.core.config import Section
from collector.core.errors import InputError
from dashboard.api.caller import audit, caller
from dashboard.api.context import Services
from dashboard.api.provenance.verdict_files import faults
from dashboard.api.vram.questions import Chosen
from dashboard.units import utc_iso


class InvestRequest(Chosen):
    """A file of investments, and the decisions that `saves` is replayed on."""

    window: str = Field(default="7d", description="Length of the window")
    file: InvestFile = Field(description="As in TOML; see docs/use/invest.md")


class TailRequest(InvestRequest):
    """... whose [[tail]] says what holding percentiles at a target costs."""

    target_ms: float | None = Field(
        default=None, gt=0, le=1e9, description="By default the reference latency of the action"
    )
    annualise: bool = Field(
        default=False, description="Take fewer than 7 days of decisions for a year too"
    )


class GateRequest(InvestRequest):
    """... and which of them is ruled on."""

    option: str = Field(default="", description="Its name; by default the only one")


class DebtRequest(InvestRequest):
    """... whose entries price what telemetry found, and add to it."""

    window: str = Field(default="30d", description="Length of the window, of telemetry too")
    days: int = Field(
        default=14, ge=1, le=30, description="A flag or a cache is observed so long, or is none"
    )
    file: InvestFile = Field(default_factory=InvestFile, description="As in TOML")
    annualise: bool = Field(
        default=False, description="Say what a year is worth on fewer than 7 days of decisions too"
    )


class SignatureRequest(Section):
    """What proves who stands behind a verdict."""

    signature: str = Field(description="Ed25519 over the canonical document, in hex")
    public_key: str = Field(description="In PEM")


def invest_router(services: Services) -> APIRouter:
    """Return the routes of investments."""
    invest = InvestJob(services.context.attribution, services.store)
    workers, clock = services.questions, services.clock
    store = services.store
    router = APIRouter(prefix="/api/v1/vram", tags=["investments"])

    @router.post("/npv")
    async def compare_options(request: InvestRequest) -> Comparison:
        """Compare the options of a file: present values, tornado, and draws of all inputs."""
        if not request.file.options:
            raise InputError("file: no options; add one")
        return await workers.run(invest.compare, request.file, request.selection(clock.now_ns()))

    @router.post("/tiers")
    async def compare_tiers(request: InvestRequest) -> TierTable:
        """Compare target latencies: what the next millisecond brings and costs."""
        invest_file = request.file
        try:
            return tier_table(
                [entry.tier() for entry in invest_file.tiers],
                invest_file.invest.rate,
                invest_file.invest.years,
            )
        except ValueError as error:
            raise InputError(f"file: {error}; correct tiers") from error

    @router.post("/gate")
    async def judge_option(request: GateRequest) -> dict[str, Any]:
        """Rule on one option; the verdict is kept with every input, and the audit says so."""
        now_ns = clock.now_ns()
        selection = request.selection(now_ns)

        def run() -> StoredVerdict:
            at = (now_ns, f"{utc_iso(now_ns)}Z")
            row = invest.judge(request.file, request.option, selection, at, caller())
            audit(store, now_ns, "gate_judged", f"{row.option}: {row.ruling}, {row.sha256}")
            return row

        return _signed_document(await workers.run(run))

    return router


def tail_router(services: Services) -> APIRouter:
    """Return the route of the acceptable tail."""
    tail = TailJob(services.context.attribution, services.store)
    workers, clock = services.questions, services.clock
    router = APIRouter(prefix="/api/v1/vram", tags=["investments"])

    @router.post("/tail")
    async def get_tail(request: TailRequest) -> TailAnswer:
        """Return up to which percentile a target is worth holding, or why nobody can say."""
        now_ns = clock.now_ns()
        return await workers.run(
            tail.tail,
            request.selection(now_ns),
            [each.point(request.file.invest) for each in request.file.tail],
            now_ns,
            target_ms=request.target_ms,
            annualise=request.annualise,
        )

    return router


def debt_router(services: Services) -> APIRouter:
    """Return the routes of the technical-debt ledger."""
    debt = DebtJob(services.context.attribution, services.store)
    workers, clock = services.questions, services.clock
    router = APIRouter(prefix="/api/v1/vram", tags=["investments"])

    @router.get("/debt")
    async def get_debt(
        window: str = "30d",
        until: str = "",
        days: Annotated[int, Query(ge=1, le=30)] = 14,
        *,
        annualise: bool = False,
    ) -> Debt:
        """Return what telemetry shows of technical debt, with the dollars that it can say."""
        selection = Chosen(window=window, until=until).selection(clock.now_ns())
        return await workers.run(debt.ledger, InvestFile(), selection, days, annualise=annualise)

    @router.post("/debt")
    async def price_debt(request: DebtRequest) -> Debt:
        """Return the same, with the entries of a file put to what is found."""
        selection = request.selection(clock.now_ns())
        return await workers.run(
            debt.ledger, request.file, selection, request.days, annualise=request.annualise
        )

    return router


def verdicts_of_gate_router(services: Services) -> APIRouter:
    """Return the routes of the verdicts that were kept."""
    invest = InvestJob(services.context.attribution, services.store)
    workers, clock = services.questions, services.clock
    store = services.store
    router = APIRouter(prefix="/api/v1/vram", tags=["investments"])

    @router.get("/verdicts")
    async def list_verdicts() -> dict[str, Any]:
        """Return every verdict that was kept, the newest first, without its inputs."""
        verdicts = await workers.run(invest.verdicts)
        return {
            "verdicts": [
                {
                    "judged_ns": row.judged_ns,
                    "sha256": row.sha256,
                    "option": row.option,
                    "ruling": row.ruling,
                    "gain_low_usd": row.gain_low_usd,
                    "cost_usd": row.cost_usd,
                    "is_signed": row.signature is not None,
                    "actor": row.actor,
                }
                for row in verdicts
            ]
        }

    @router.get("/verdicts/{sha256}")
    async def get_verdict(sha256: str, replay: bool = False) -> dict[str, Any]:
        """Return one verdict, and what is wrong with it.

        It is worked out again from its inputs, and its signature is held against the key beside
        it; with `replay` its gain is replayed again on the stored decisions.
        """
        row = await workers.run(invest.verdict, sha256)
        wrong = faults(_signed_document(row), row.public_key)
        if replay:
            wrong += await workers.run(invest.replay_again, row.document)
        return {**_signed_document(row), "faults": wrong}

    @router.post("/verdicts/{sha256}/signature")
    async def sign_verdict(sha256: str, request: SignatureRequest) -> dict[str, Any]:
        """Keep the signature of a verdict; one that does not hold is refused."""
        now_ns = clock.now_ns()

        def run() -> StoredVerdict:
            row = invest.verdict(sha256)
            told = {**_signed_document(row), "signature": request.signature}
            wrong = faults(told, request.public_key)
            if wrong:
                raise InputError(f"verdict {row.sha256[:12]}: {'; '.join(wrong)}")
            invest.sign(row, request.signature, request.public_key, now_ns)
            audit(store, now_ns, "gate_signed", f"{row.option}: {row.sha256}")
            return invest.verdict(row.sha256)

        return _signed_document(await workers.run(run))

    return router


def _signed_document(row: StoredVerdict) -> dict[str, Any]:
    fields = dataclasses.asdict(row)
    return {name: fields[name] for name in ("document", "sha256", "signature", "public_key")}
