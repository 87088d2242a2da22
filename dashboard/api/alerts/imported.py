"""I/O: `/api/v1/rules/import`: rules of other tools, mapped and held against what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from alerts.config import AlertsConfig
from alerts.replay.apart import read_apart
from alerts.replay.imported import SCORED_MAX, Comparison, compare
from alerts.rules.imports.documents import BYTES_MAX
from alerts.rules.imports.found import Found, Mapped
from alerts.rules.imports.read import FILES_MAX, RuleFile
from alerts.rules.imports.toml import toml_of
from alerts.rules.slo import SloConfig
from collector.core.clock import Clock
from collector.core.times import duration_ns
from collector.store.connect import Connections
from dashboard.api.alerts.progress import TICKET_MAX, Progress, Steps
from dashboard.read.workers import Workers

_ALL_BYTES_MAX = 8 * BYTES_MAX
_LONGEST_NS = duration_ns("30d", "last")


class FileToImport(BaseModel):
    """One file of rules."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=500, description="For messages")
    text: str = Field(description="YAML, of at most a mebibyte")


class ImportRequest(BaseModel):
    """Files of Prometheus, Sloth, Pyrra or OpenSLO."""

    model_config = ConfigDict(extra="forbid")

    files: list[FileToImport] = Field(min_length=1, max_length=FILES_MAX, description="The files")
    service: str = Field(
        default="", max_length=200, description="Service of rules that name none themselves"
    )
    last: str = Field(default="7d", max_length=20, description="How far back they are scored")
    scored: bool = Field(default=True, description="Hold them against what is stored")
    budget_usd: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Loss allowed in 30 days to the decisions of each rule; by default a "
        "thousandth of what they are worth",
    )
    ticket: str = Field(default="", max_length=TICKET_MAX, description="Names it for /progress")


@dataclass(frozen=True, slots=True)
class ImportedRule:
    """One rule of a file: the rules that it is here, or the reason why it is none."""

    file: str
    line: int
    name: str
    expression: str
    rules: list[str]  # names of the rules that it is here; empty where it is refused
    remarks: list[str]  # in what they differ from it
    reason: str  # why it is refused; "" where it is not
    toml: str  # lines for millworth.toml


@dataclass(frozen=True, slots=True)
class Imported:
    """What was found in files, and what it would have done."""

    found: list[ImportedRule]
    from_ns: int
    to_ns: int
    scores: list[Comparison]
    not_scored: list[str]  # mapped rules beyond what is scored at a time


def rule_imports_router(
    config: AlertsConfig, store: Connections, questions: Workers, clock: Clock, steps: Steps
) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/v1/rules", tags=["rules"])

    def run(request: ImportRequest) -> Imported:
        return _imported(request, config, store, clock, steps)

    @router.post("/import")
    async def import_rules(request: ImportRequest) -> Imported:
        """Map rules of other tools onto rules of kind `slo`, and score them on what is stored."""
        return await questions.run(run, request)

    @router.get("/progress/{ticket}")
    async def get_rules_progress(ticket: Annotated[str, Path(max_length=TICKET_MAX)]) -> Progress:
        """Return how far a replay or an import is that was asked for with this ticket."""
        return steps.of(ticket)

    return router


def _imported(
    request: ImportRequest, config: AlertsConfig, store: Connections, clock: Clock, steps: Steps
) -> Imported:
    total = sum(len(file.text.encode("utf-8", "surrogatepass")) for file in request.files)
    if total > _ALL_BYTES_MAX:
        raise HTTPException(
            413, f"the files have {total:,} bytes; import at most {_ALL_BYTES_MAX:,} at a time"
        )
    length_ns = duration_ns(request.last, "last", least_ns=60 * 10**9)
    to_ns = clock.now_ns() - round(config.lateness_s * 1e9)
    from_ns = max(0, to_ns - min(length_ns, _LONGEST_NS))
    found = read_apart(
        [RuleFile(file.name, file.text) for file in request.files],
        request.service,
        [rule.name for rule in config.all_rules],
    )
    rules = rules_of(found)
    report = steps.reporter(request.ticket, min(len(rules), SCORED_MAX))
    scores = (
        compare(rules, store, from_ns, to_ns, config.nodata_s, request.budget_usd, report)
        if request.scored and rules
        else []
    )
    return Imported(
        found=[imported_rule(each) for each in found],
        from_ns=from_ns,
        to_ns=to_ns,
        scores=list(scores),
        not_scored=[rule.name for rule in rules[SCORED_MAX:]] if request.scored else [],
    )


def rules_of(found: list[Found]) -> list[SloConfig]:
    """Return the rules that were mapped."""
    return [rule for each in found if isinstance(each, Mapped) for rule in each.rules]


def imported_rule(found: Found) -> ImportedRule:
    """Return a rule of a file as it is answered."""
    origin = found.origin
    place = origin.file, origin.line, origin.name, origin.says
    if isinstance(found, Mapped):
        names = [rule.name for rule in found.rules]
        return ImportedRule(*place, names, list(found.remarks), "", toml_of(found))
    return ImportedRule(*place, [], [], found.reason, "")
