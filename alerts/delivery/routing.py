"""I/O: why an alert goes to nobody now: a rule in shadow, a faster alert, or a silence."""

from __future__ import annotations

from alerts.config import AlertsConfig
from alerts.people.silences import Silences
from alerts.rows import AlertEvent
from alerts.rules.tiers import TICKET_SUFFIX
from alerts.state.promotions import Promotions
from alerts.state.routed import open_alerts
from alerts.state.sqlite import AlertStore


class Routing:
    """Decides what is routed. What is not is evaluated and recorded all the same.

    What fires still when the reason is gone is routed then.
    """

    def __init__(self, memory: AlertStore, config: AlertsConfig) -> None:
        self._memory = memory
        self._promotions = Promotions(memory)
        self._silences = Silences(memory)
        self._live = {rule.name: rule.live for rule in config.all_rules}

    def hidden(self, event: AlertEvent, now_ns: int) -> str:
        """Return why an alert is not routed now, "" where it is."""
        if self.is_shadow(event.rule):
            return f"rule {event.rule} is in shadow until it is promoted"
        return self._inhibited(event) or self._silences.hidden(event, now_ns)

    def is_shadow(self, rule: str) -> bool:
        """Return whether a rule only records what it would have routed.

        One that is configured no longer was routed if it ever was: its end is told.
        """
        live = self._live.get(rule)
        if live is not None:
            return not live
        known = self._promotions.all().get(rule)
        if known is None:  # one that is configured is evaluated for the first time
            return rule in self._live
        return known.promoted_ns is None

    def _inhibited(self, event: AlertEvent) -> str:
        """Return the page of the same rule and subject that says the same, sooner."""
        page = event.rule.removesuffix(TICKET_SUFFIX)
        if page == event.rule or self.is_shadow(page):
            return ""
        for alert in open_alerts(self._memory):
            last = alert.last
            if (last.rule, last.action, last.region) == (page, event.action, event.region):
                return f"inhibited by {page}, which fires"
        return ""
