"""I/O: what `millworth alerts show` prints of a report: the incident, what to do, and evidence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dashboard.cli.console import plain
from dashboard.units import ms, utc_text

if TYPE_CHECKING:
    from dashboard.read.alerts.detail import AlertDetail


def known_lines(report: dict[str, Any]) -> Iterator[str]:
    """Return lines for a person: nothing of what there is not."""
    # Every command loads this module, and one in fifty needs what reads the store.
    from pydantic import TypeAdapter

    from dashboard.read.alerts.delays import delays_text
    from dashboard.read.alerts.detail import AlertDetail
    from dashboard.read.alerts.wording import incident_of, packets_of

    alert = TypeAdapter(AlertDetail).validate_python(report)
    if alert.incident_sum is not None:
        yield f"incident {alert.incident_id}: {incident_of(alert.incident_sum, utc_text)}"
    told = (
        ("delayed on purpose", delays_text(alert.delays)),
        ("note of the rule", alert.note),
        ("runbook", alert.runbook_url),
        ("proposed", alert.reroute),
        ("packets", packets_of(alert.packets) if alert.packets is not None else ""),
    )
    yield from (f"{name}: {plain(text)}" for name, text in told if text)
    yield from _decisions(alert)


def _decisions(alert: AlertDetail) -> Iterator[str]:
    for each in alert.exemplars:
        segment = f", {ms(each.segment_ns)} in {alert.blamed}" if alert.blamed else ""
        failed = ", failed" if each.is_error else ""
        packets = ", with packets" if each.packets else ""
        name, at = plain(each.decision_id), utc_text(each.ingress_ns)
        yield f"decision {name} of {at}: {ms(each.total_ns)}{segment}{failed}{packets}"
