"""I/O: the routers of questions, models, investments and experiments."""

from __future__ import annotations

from dashboard.api.context import MakeRouter
from dashboard.api.vram.experiments import experiments_router
from dashboard.api.vram.finance import finance_router
from dashboard.api.vram.impact import impact_router
from dashboard.api.vram.invest import (
    debt_router,
    invest_router,
    tail_router,
    verdicts_of_gate_router,
)
from dashboard.api.vram.main import vram_router
from dashboard.api.vram.questions import questions_router, recompute_router

ROUTERS: tuple[MakeRouter, ...] = (
    questions_router,
    recompute_router,
    vram_router,
    invest_router,
    verdicts_of_gate_router,
    debt_router,
    tail_router,
    impact_router,
    finance_router,
    experiments_router,
)
