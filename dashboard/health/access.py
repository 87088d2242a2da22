"""I/O: what the running service knows of its certificates, its tokens and who was not let in."""

from __future__ import annotations

from collections.abc import Iterator

from collector.auth.gate import Gate
from collector.core.counters import Counters
from collector.core.times import NS_PER_S
from dashboard.health.items import HealthItem, health_item

_DAY_S = 86_400
# Authorities that issue for 90 days have theirs renewed a month before; half of that is late.
_RENEW_DAYS = 14
_RENEW_CERTIFICATE = "renew the certificate; its file is read again when it changes"
_LET_IN_ANEW = (
    "its sender is refused from then on: make another with `millworth token new`, give it to the "
    "sender, and remove this entry of access.tokens"
)


def access_items(counters: Counters, gate: Gate, now_ns: int) -> Iterator[HealthItem]:
    """Yield the days that certificates and tokens have left, and how many had no good token."""
    for gauge, label, prefix, remedy in (
        (counters.certificate_expires, "section", "", _RENEW_CERTIFICATE),
        (counters.token_expires, "sender", "access.tokens.", _LET_IN_ANEW),
    ):
        for metric in gauge.collect():
            for sample in metric.samples:
                days = (sample.value - now_ns / NS_PER_S) / _DAY_S
                yield health_item(
                    f"{prefix}{sample.labels[label]}.days_left",
                    round(days, 1),
                    "days",
                    warn=remedy if days < _RENEW_DAYS else "",
                    bad=remedy if days <= 0 else "",
                )
    if gate.asks_people:
        denied = sum(
            sample.value
            for metric in counters.denied.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        )
        # Anybody can knock, so it is nothing to act on by itself.
        yield HealthItem(
            "access.denied", int(denied), "requests", "ok", "see millworth_denied on /metrics"
        )
