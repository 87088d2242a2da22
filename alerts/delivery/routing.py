"""I/O: why an alert goes to nobody now: a rule in shadow, a better alert, or a silence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from alerts.config import AlertsConfig
from alerts.people.silences import Silences
from alerts.rows import AlertEvent
from alerts.state.held import HeldAlerts
from alerts.state.owned import explained_by
from alerts.state.promotions import Promotions
from alerts.state.routed import fires
from alerts.state.sqlite import AlertStore
from alerts.state.subject import Subject
from alerts.state.transitions import Phase

PAGE_NOBODY: Final = "they page nobody until `millworth rules promote NAME`"


class Routing:
    """Decides what is routed. What is not is evaluated and recorded all the same.

    What fires still when the reason is gone is routed then, once a pass has said what is true by
    then (`alerts.delivery.notifier`).
    """

    def __init__(self, alert_state: AlertStore, config: AlertsConfig) -> None:
        self._alert_state = alert_state
        self._promotions = Promotions(alert_state)
        self._silences = Silences(alert_state)
        self._held = HeldAlerts(alert_state)
        self._live = {rule.name: rule.live for rule in config.all_rules}
        # The rule of pages by that of tickets, where one entry of the settings makes both.
        self._pages = {
            ticket.name: page.name
            for entry in config.rules
            for page, *tickets in [entry.by_severity]
            for ticket in tickets
        }

    def suppression(self, event: AlertEvent, now_ns: int) -> str:
        """Return why an alert is not routed now: what hides it, or that it waits for a pass."""
        return self.hidden_by(event, now_ns) or self._held_back(event, now_ns)

    def hidden_by(self, event: AlertEvent, now_ns: int) -> str:
        """Return what hides an alert now, "" where nothing does."""
        if self.is_recorded_only(event):
            return f"rule {event.rule} is in shadow until it is promoted"
        return self.inhibited_by(event) or self._silences.hidden(event, now_ns)

    def as_it_ended(self, reason: str) -> str:
        """Return what hid an alert, as `reason` said it, with the end that it had."""
        return self._silences.as_it_ended(reason)

    def inhibited_by(self, event: AlertEvent) -> str:
        """Return the alerts that say the same better, "" where none does."""
        return self._inhibited_by_page(event) or self.explained_by(event)

    def is_closed_to(self, event: AlertEvent, now_ns: int) -> Callable[[Subject], bool]:
        """Return whether a class of decisions is under a silence that does not hide an alert too.

        Somebody works there: trouble that decisions meet there would be told to nobody.
        """
        silences = [
            each for each in self._silences.holding(now_ns) if not each.hides(event, now_ns)
        ]

        def is_closed(of_class: Subject) -> bool:
            there = replace(event, action=of_class.action, region=of_class.region)
            return any(silence.hides(there, now_ns) for silence in silences)

        return is_closed

    def is_shadow(self, rule: str) -> bool:
        """Return whether a rule that is configured only records what it would have routed."""
        live = self._live.get(rule)
        if live is not None:
            return not live
        known = self._promotions.of(rule)  # None: it is evaluated for the first time
        return known is None or known.promoted_ns is None

    def is_recorded_only(self, event: AlertEvent) -> bool:
        """Return whether an alert is not routed, because its rule is in shadow.

        Of a rule that is configured no longer it is as it was: who was told of it hears its end.
        """
        return self.is_shadow(event.rule) if event.rule in self._live else event.is_shadow

    @property
    def shadows(self) -> list[str]:
        """Return the rules that are in shadow until somebody promotes them."""
        return [rule for rule, live in self._live.items() if live is None and self.is_shadow(rule)]

    def _held_back(self, event: AlertEvent, now_ns: int) -> str:
        """Return that an alert waits for a pass that says what is true now."""
        held = self._held.of(event.episode_id)
        if held is None or (held.is_overdue(now_ns) and event.to_state != Phase.COOLING):
            return ""
        return (
            f"held back until it is evaluated once more; before that: "
            f"{self.as_it_ended(held.reason)}"
        )

    def _inhibited_by_page(self, event: AlertEvent) -> str:
        """Return that the page of the same entry and subject fires, which says the same sooner."""
        page = self._pages.get(event.rule)
        if page is None or self.is_shadow(page):
            return ""
        subject = Subject(event.action, event.region)
        return (
            f"inhibited by {page}, which fires" if fires(self._alert_state, page, subject) else ""
        )

    def explained_by(self, event: AlertEvent) -> str:
        """Return that alerts about parts of the same say the same more precisely."""
        parts = explained_by(self._alert_state, event.episode_id)
        return f"inhibited by {parts}: without its decisions this would not fire" if parts else ""
