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
_RENEW_CERTIFICATE = (
    "renew the certificate, or whichever of its chain and of client_ca_file ends first; the files "
    "are read again when they change"
)
_LET_IN_ANEW = (
    "its sender is refused {}: make another with `millworth token new`, give it to the "
    "sender, and remove this entry of access.tokens"
)


def certificate_item(section: str, expires_ns: int, now_ns: int) -> HealthItem:
    """Return how many days the certificates of a section have left."""
    return _days_left(section, expires_ns / NS_PER_S, now_ns, _RENEW_CERTIFICATE)


def access_items(counters: Counters, gate: Gate, now_ns: int) -> Iterator[HealthItem]:
    """Yield the days that certificates and tokens have left, and how many had no good token."""
    for gauge, label, prefix, remedy in (
        (counters.certificate_expires, "section", "", _RENEW_CERTIFICATE),
        (counters.token_expires, "sender", "access.tokens.", _LET_IN_ANEW),
    ):
        for metric in gauge.collect():
            for sample in metric.samples:
                name = f"{prefix}{sample.labels[label]}"
                yield _days_left(name, sample.value, now_ns, remedy)
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


def _days_left(what: str, expires_s: float, now_ns: int, remedy: str) -> HealthItem:
    days = (expires_s - now_ns / NS_PER_S) / _DAY_S
    return health_item(
        f"{what}.days_left",
        round(days, 1),
        "days",
        warn=remedy.format("from then on") if days < _RENEW_DAYS else "",
        bad=remedy.format("now") if days <= 0 else "",
    )
