"""Pure: the rows that pages and `/api/v1` have of alerts. Times are Unix ns."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from alerts.people.standing import Standing
from alerts.rows import UNKNOWN
from alerts.state.subject import ALL, Subject
from dashboard.read.packet_rows import KeptPackets

# "unknown" is open: nobody knows that it is over.
OPEN_STATES = ("pending", "firing", "cooling", "unknown")
# It fires: the condition of one that cools has just ended.
FIRING_STATES = ("firing", "cooling")


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert as of its last transition, and a decision that shows what it is about."""

    episode_id: str
    seq: int
    rule: str
    severity: str
    action: str
    region: str
    state: str
    first_ns: int
    at_ns: int
    started_ns: int
    window_s: int
    loss_usd: Decimal
    loss_low_usd: Decimal
    loss_high_usd: Decimal
    revenue_at_risk_usd_per_h: Decimal
    burn: float
    basis: str
    blamed_stage: str
    blamed_class: str
    blamed_excess_ns: int
    reason: str
    is_shadow: bool = False  # its rule routed nothing: nobody was told
    incident_id: str = ""  # the episode of the first alert of its incident; "" until it fires
    focus: str = ""  # of several classes the one that its cause is of: action/region
    failing_share: float = 0.0  # of the decisions, where failures are what it is about
    failing_call: str = ""  # the first to fail, by service and name; "" where it is not known
    failing_call_text: str = ""  # the same with the number of decisions, in words
    slow_call: str = ""  # the one that takes longer
    slow_call_text: str = ""
    exemplar: str = ""  # "" where no decision of its window is attributed; of the first 50
    # What it costs while it is open, over its window up to now; None where that is not known.
    now_usd_per_h: Decimal | None = None
    now_low_usd_per_h: Decimal | None = None
    now_high_usd_per_h: Decimal | None = None
    now_missing_ns: int = 0  # of that window, of which decisions are not attributed yet
    # ... and what it cost since `lost_from_ns`; None where that is not known.
    lost_usd: Decimal | None = None
    lost_low_usd: Decimal | None = None
    lost_high_usd: Decimal | None = None
    lost_from_ns: int = 0
    packets: KeptPackets | None = None  # None: not judged yet, or never asked for
    people: Standing | None = None  # None: not known here, where another process evaluates

    def is_of(self, action: str, region: str) -> bool:
        """Return whether it is on an action and a region, "" for any; one on all is on each."""
        return (action == "" or self.action in (action, ALL)) and (
            region == "" or self.region in (region, ALL)
        )

    @property
    def has_fired(self) -> bool:
        """Return whether it ever fired; one of data that stopped may be unknown from its begin."""
        return self.started_ns > 0

    @property
    def is_open_and_silent(self) -> bool:
        """Return whether it fired, and nobody can say whether it would fire still."""
        return self.state == UNKNOWN and self.has_fired

    @property
    def since_ns(self) -> int:
        """Return since when it is over, else when it began to fire, or to be pending."""
        return self.at_ns if self.state not in OPEN_STATES else self.started_ns or self.first_ns

    @property
    def is_priced(self) -> bool:
        """Return whether its dollars mean something: nobody knows what a silence costs."""
        return self.basis != UNKNOWN

    @property
    def subject(self) -> Subject:
        """Return what it is about as rules name it: an empty region is one of its own."""
        return Subject(self.action, self.region)

    @property
    def is_about_decisions(self) -> bool:
        """Return whether action and region are those of decisions, and not of a service."""
        return _names_decisions(self)

    @property
    def scope(self) -> tuple[str, str]:
        """Return the action and the region as a range names them: empty is all."""
        return _scope(self)


def _names_decisions(alert: AlertRow) -> bool:
    # A service has no region; a class of decisions may have none, and then has a price.
    return alert.basis != UNKNOWN or bool(alert.action and alert.region)


def _scope(alert: AlertRow) -> tuple[str, str]:
    if not alert.is_about_decisions:
        return "", ""
    action, region = ("" if name == ALL else name for name in (alert.action, alert.region))
    return action, region
