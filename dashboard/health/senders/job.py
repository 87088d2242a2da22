"""I/O: looks once a minute at what came in the last ones, for what Health says of senders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from collector.core.config import AttributesConfig, DecisionsConfig
from collector.core.counters import Counters
from collector.core.log import get_logger
from collector.core.times import NS_PER_MINUTE
from collector.store.connect import Connections
from dashboard.health.items import HealthItem
from dashboard.health.senders.attributes import (
    Misspelt,
    OddValue,
    OnResource,
    SentAttributes,
    attribute_items,
)
from dashboard.health.senders.clocks import (
    OffClock,
    UnshiftedClass,
    clock_items,
    off_clocks,
    unshifted_classes,
)
from dashboard.health.senders.roots import Roots, Undeclared, root_items
from dashboard.health.senders.sampling import Sampled, sampled, sampling_items

# What came in this time is looked at.
_LOOKED_NS: Final = 3 * NS_PER_MINUTE

_log = get_logger("dashboard")


class Senders:
    """What is off in what came in the last minutes.

    Args:
        store: where spans are read.
        counters: gets the clock of each service that is off.
        attributes: a customer's own names, which are read too.
        decisions: which spans are decisions.
    """

    def __init__(
        self,
        store: Connections,
        counters: Counters,
        attributes: AttributesConfig,
        decisions: DecisionsConfig,
    ) -> None:
        self._store = store
        self._counters = counters
        self._attributes = SentAttributes(attributes)
        self._roots = Roots(decisions)
        self.off: dict[str, list[OffClock]] = {}  # by service, the furthest first
        self.unmoved: list[UnshiftedClass] = []
        self.misspelt: list[Misspelt] = []
        self.odd: list[OddValue] = []
        self.on_resource: list[OnResource] = []
        self.undeclared: list[Undeclared] = []
        self.sampled: list[Sampled] = []

    def run_once(self, now_ns: int) -> int:
        """Look; return of how many services the clock is off."""
        client = self._store.reader()
        after_ns = max(now_ns - _LOOKED_NS, 0)
        found = off_clocks(client, after_ns)
        self.unmoved = unshifted_classes(client, after_ns)
        self.misspelt = self._attributes.misspelt(client, after_ns)
        self.odd = self._attributes.odd(client, after_ns)
        self.on_resource = self._attributes.on_resource(client, after_ns)
        self.undeclared = self._roots.undeclared(client, after_ns, now_ns)
        self.sampled = sampled(client, now_ns)
        for service in sorted(found.keys() - self.off.keys()):
            worst = found[service][0]
            _log.warning(
                "sender_clock_off", service=service, host=worst.host, ahead_s=worst.ahead_s
            )
        self.off = found
        self._counters.sender_clock.clear()
        for service, clocks in found.items():
            self._counters.sender_clock.labels(service).set(clocks[0].ahead_s)
        return len(found)


def sender_items(senders: Senders, skew_max_s: float) -> Iterator[HealthItem]:
    """Yield what is off at the last run.

    Args:
        senders: as they were then.
        skew_max_s: by how much spans are moved at most.
    """
    yield from clock_items(senders.off, senders.unmoved, skew_max_s)
    yield from attribute_items(senders.misspelt, senders.odd, senders.on_resource)
    yield from root_items(senders.undeclared)
    yield from sampling_items(senders.sampled)
