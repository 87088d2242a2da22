"""Pure: what every page is given to register its callbacks with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from dash import ClientsideFunction, Dash, Input, Output, State, set_props

from alerts.config import AlertsConfig
from alerts.state.sqlite import AlertStore
from attribution.core.selection import Narrowed
from attribution.whatif.answers import CompareAnswer
from collector.core.clock import NS_PER_S, Clock
from dashboard.health.items import HealthSource
from dashboard.pages.sources import Sources
from dashboard.read.decisions.listing import DecisionList
from dashboard.read.reader import Reader
from dashboard.read.rows import Reference, SegmentMeans
from dashboard.read.workers import SharedReads, Workers
from dashboard.settings.config import OTLP_URL, DashboardConfig

# The stages whose seconds behind are those of what is not in the store yet.
_STORED_BY = ("stage.logged", "stage.stored")
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


class Compare(Protocol):
    """Says where two populations of decisions differ."""

    def __call__(self, before: Narrowed, after: Narrowed, *, rest: bool = False) -> CompareAnswer:
        """Return it; `rest` leaves out of the first what lies in the box of the second."""


class Judged(Protocol):
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
    otlp_url: str = OTLP_URL  # where senders send over HTTP
    # What the last reading of the Overview found, for the next page; `is_empty`: no decision.
    found: dict[str, bool] = field(default_factory=dict)
    judged: Callable[[], Sequence[Judged]] = tuple  # every verdict, the newest first
    shared: SharedReads = field(default_factory=SharedReads)  # of viewers of one page
    refusal: Callable[[], str] = lambda: ""  # why whoever asks may change nothing, "" where it may

    def complete_ns(self, now_ns: int) -> int:
        """Return up to when all that was received is in what a page reads, 0 for never."""
        waits_s = [
            item.value
            for item in self.health.health()
            if item.name in _STORED_BY and isinstance(item.value, int | float)
        ]
        stored_ns = now_ns - round(max(waits_s, default=0) * NS_PER_S)
        return min(self.reader.complete_ns(now_ns), stored_ns)

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
