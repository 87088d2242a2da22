"""I/O: what the running service knows of its certificates, its tokens and who was not let in."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Gauge

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
_NOT_RENEWED = (
    "its files changed and are not good, so those of before are in use until they end, or until "
    "the next start is refused: `millworth config check` says why"
)
_LET_IN_ANEW = (
    "its sender is refused {}: make another with `millworth token new`, give it to the "
    "sender, and remove this entry of access.tokens"
)


def certificate_item(section: str, expires_ns: int, now_ns: int) -> HealthItem:
    """Return how many days the certificates of a section have left."""
    return _days_left(section, expires_ns / NS_PER_S, now_ns, _RENEW_CERTIFICATE)


def access_items(counters: Counters, gate: Gate, now_ns: int) -> Iterator[HealthItem]:
    """Yield the days that certificates and tokens have left, and what was not let in or taken."""
    for gauge, label, prefix, remedy in (
        (counters.certificate_expires, "section", "", _RENEW_CERTIFICATE),
        (counters.token_expires, "sender", "access.tokens.", _LET_IN_ANEW),
    ):
        for name, expires_s in _samples(gauge, label):
            yield _days_left(f"{prefix}{name}", expires_s, now_ns, remedy)
    for section, is_refused in _samples(counters.certificate_refused, "section"):
        if is_refused:
            yield health_item(f"{section}.refused", 1, "renewals", warn=_NOT_RENEWED)
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


def _samples(gauge: Gauge, label: str) -> Iterator[tuple[str, float]]:
    """Yield the value of each label of a gauge."""
    for metric in gauge.collect():
        for sample in metric.samples:
            yield sample.labels[label], sample.value


def _days_left(what: str, expires_s: float, now_ns: int, remedy: str) -> HealthItem:
    days = (expires_s - now_ns / NS_PER_S) / _DAY_S
    return health_item(
        f"{what}.days_left",
        round(days, 1),
        "days",
        warn=remedy.format("from then on") if days < _RENEW_DAYS else "",
        bad=remedy.format("now") if days <= 0 else "",
    )
