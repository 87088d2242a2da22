"""I/O: what every page is given to register its callbacks with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any, Final, Protocol

from dash import ClientsideFunction, Dash, Input, Output, State, set_props

from alerts.config import AlertsConfig
from alerts.state.sqlite import AlertStore
from attribution.core.selection import Narrowed
from attribution.whatif.answers import CompareAnswer
from collector.core.clock import Clock
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from dashboard.health.items import HealthItem, HealthSource
from dashboard.pages.ahead import FirstReadings
from dashboard.pages.sources import Sources
from dashboard.read.decisions.listing import DecisionList, FilterValues
from dashboard.read.reader import Reader
from dashboard.read.rows import Attributed, Evidence, Range, Reference, SegmentMeans
from dashboard.read.workers import SharedReads, Workers
from dashboard.settings.config import DashboardConfig, SenderDoor

# The stages whose seconds behind are those of what is not in the store yet.
_STORED_BY = ("stage.logged", "stage.stored")
# The panels of a page ask about the same moment.
_NOW_S: Final = 1.0
_CHOICE_S: Final = 10.0
_EVIDENCE_S: Final = 30.0
_OF_A_RANGE: Final = 2_880
# The one panel of the frame that says what could not be read.
ERROR_ID = "app-error"


def in_browser(
    app: Dash, name: str, outputs: object, *inputs: Input | State, at_once: bool = True
) -> None:
    """Attach a function of `dashboard/web/assets`, for what only the browser can know.

    Without `at_once` it waits for the first change.
    """
    function = ClientsideFunction("millworth", name)
    app.clientside_callback(function, outputs, *inputs, prevent_initial_call=not at_once)


def _moment_ns(view: Range) -> int:
    """Return by how much a range may be another without that anybody sees it."""
    return max((view.to_ns - view.from_ns) // _OF_A_RANGE, 1)


class Compare(Protocol):
    """Says where two populations of decisions differ."""

    def __call__(self, before: Narrowed, after: Narrowed, *, rest: bool = False) -> CompareAnswer:
        """Return it; `rest` leaves out of the first what lies in the box of the second."""


class GateVerdict(Protocol):
    """A verdict of the funding gate, as `/api/v1/vram/verdicts` has it."""

    @property
    def judged_ns(self) -> int:
        """When."""

    @property
    def sha256(self) -> str:
        """What names it."""

    @property
    def option(self) -> str:
        """The investment."""

    @property
    def ruling(self) -> str:
        """`fund`, `reject` or `refuse`."""

    @property
    def gain_low_usd(self) -> Decimal | None:
        """What it gains at least, None where that is not known."""

    @property
    def cost_usd(self) -> Decimal | None:
        """What it costs, None where that is not known."""

    @property
    def document(self) -> dict[str, Any]:
        """All of it, with its inputs."""

    @property
    def signature(self) -> str | None:
        """Of whoever stands behind it."""

    @property
    def actor(self) -> str:
        """Who asked."""


@dataclass(frozen=True, slots=True)
class PageContext:
    """The parts that pages share; every number comes from `reader` or `health`."""

    reader: Reader
    health: HealthSource
    workers: Workers
    config: DashboardConfig
    clock: Clock
    reference: Reference
    decisions: DecisionList
    prior_basis: str  # printed beside what rests on the prior of the slope
    # The question of `/api/v1/compare`: what is compared with, what is explained, and `rest`.
    compare: Compare
    questions: Workers  # for what may take long: it shall not take the pages' threads
    sources: Sources
    alert_state: AlertStore | None = None  # what people did about alerts; None: not known here
    # The reference of the decision path by action, region and minute.
    normal: dict[tuple[str, str, int], SegmentMeans | None] = field(default_factory=dict)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    door: SenderDoor = field(default_factory=SenderDoor)  # where senders send over HTTP
    # What the last reading of the Overview found, for the next page; `is_empty`: no decision.
    found: dict[str, bool] = field(default_factory=dict)
    judged: Callable[[], Sequence[GateVerdict]] = tuple  # every verdict, the newest first
    shared: SharedReads = field(default_factory=SharedReads)  # of viewers of one page
    first: FirstReadings = field(default_factory=FirstReadings)  # of each page
    refusal: Callable[[], str] = lambda: ""  # why whoever asks may change nothing, "" where it may

    def items(self) -> list[HealthItem]:
        """Return every figure of the service, as it was a second ago at the most."""
        return self.shared.read("items", _NOW_S, self.health.health)

    def scopes(self, to_ns: int) -> tuple[list[str], list[str]]:
        """Return the actions and the regions to choose from: those of a day until about then."""
        minute_ns = to_ns - to_ns % NS_PER_MINUTE
        read = partial(self.reader.scopes, max(0, minute_ns - NS_PER_DAY), to_ns)
        return self.shared.read(("scopes", minute_ns), _CHOICE_S, read)

    def offered(self, view: Range) -> FilterValues:
        """Return what else the decisions of a range may be filtered by, as of some seconds ago."""
        length_ns, moment_ns = view.to_ns - view.from_ns, _moment_ns(view)
        key = ("offered", view.to_ns // moment_ns, length_ns)
        keep_s = min(moment_ns / NS_PER_S, _CHOICE_S)
        return self.shared.read(key, keep_s, partial(self.decisions.offered, view))

    def evidence(self, view: Range) -> Evidence:
        """Return how far figures rest on packets and on moved clocks, as of a moment ago.

        It looks at every span of the range: of a day half a minute ago, of an hour a second.
        """
        length_ns, moment_ns = view.to_ns - view.from_ns, _moment_ns(view)
        key = ("evidence", view.to_ns // moment_ns, length_ns, view.action, view.region)
        keep_s = min(moment_ns / NS_PER_S, _EVIDENCE_S)
        return self.shared.read(key, keep_s, partial(self.reader.evidence, view))

    def attributed(self, now_ns: int) -> Attributed:
        """Return up to when all that was received is in what a page reads, and what is not.

        As it was a second ago at the most.
        """
        return self.shared.read("complete", _NOW_S, partial(self._attributed, now_ns))

    def _attributed(self, now_ns: int) -> Attributed:
        waits_s = [
            item.value
            for item in self.items()
            if item.name in _STORED_BY and isinstance(item.value, int | float)
        ]
        stored_ns = now_ns - round(max(waits_s, default=0) * NS_PER_S)
        attributed = self.reader.attributed(now_ns)
        until_ns = min(attributed.until_ns, stored_ns)
        is_silent = attributed.newest_ns > 0 and self.alerts.is_silent(
            attributed.newest_ns, until_ns
        )
        return replace(attributed, until_ns=until_ns, is_silent=is_silent)

    @property
    def unwatched(self) -> str:
        """Return that no rule watches; "" where one does, or another process knows the rules."""
        if self.alert_state is None or self.alerts.rules:
            return ""
        return "no rule watches: add [[alerts.rules]], as millworth.example.toml has them"

    def begin(self, path: str, query: str | None) -> None:
        """Begin to read what a page shows first, for a browser that builds it now."""
        self.first.begin(path, query, self.workers, self.questions)

    def reading(
        self,
        app: Dash,
        outputs: Sequence[str],
        inputs: Sequence[Input | State],
        read: Callable[..., Mapping[str, object]],
        *,
        tick: str = "",
        is_long: bool = False,
    ) -> None:
        """Attach a callback that reads in a thread of the pool.

        A failure is not caught here: `dashboard.web.app` shows it in one panel and logs one line; a
        success hides that panel again.

        Args:
            app: where to attach.
            outputs: what is updated, each as `id.property`.
            inputs: what `read` takes.
            read: a plain function that returns a value for each of `outputs`.
            tick: the page's dcc.Interval; it stands still while a reading is under way, so that
                a slow store is never asked twice at once by one page.
            is_long: in a thread for long questions, of which there are few.
        """

        async def call(*values: Any) -> list[object]:  # noqa: ANN401  what the browser sent
            result = await (self.questions if is_long else self.workers).run(read, *values)
            assert set(result) == set(outputs), set(result) ^ set(outputs)
            set_props(ERROR_ID, {"hidden": True})
            return [result[output] for output in outputs]

        targets = [Output(*output.rsplit(".", 1)) for output in outputs]
        running = [(Output(tick, "disabled"), True, False)] if tick else None
        app.callback(targets, list(inputs), running=running)(call)
