"""I/O: the figures of one run of the demo, read from what the service stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collector.core.sql import sql

if TYPE_CHECKING:
    from dashboard.service.process import Service


class DemoFigures:
    """Reads the service's own store, as any reader of its tables would."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def settled(self) -> bool:
        """Return whether all that was acknowledged is stored, and each decision attributed."""
        status = self._service.collector.status()
        if status.spans_acked > status.spans_stored + status.spans_quarantined:
            return False
        row = self._row()
        return bool(row["decisions"] == row["attributed"]) and self._service.alerts.status().idle

    def summary(self, webhooks_delivered: int) -> dict[str, Any]:
        """Return the figures that the demo promises; unknown is None, never zero."""
        row = self._row()
        alerts = self._alerts()
        captured = self._service.packets is not None
        at_risk = float(alerts[0][2]) if alerts else None
        return {
            "decisions": row["decisions"],
            "attributed": row["attributed"],
            "sum_exact_ratio": row["exact"] / row["attributed"] if row["attributed"] else None,
            "spans_acked": self._service.collector.status().spans_acked,
            "spans_stored": row["spans_stored"] + row["spans_quarantined"],
            "provenance_ok": row["provenance_ok"],
            "provenance_bad": row["provenance_bad"],
            "packets_linked": row["packets_linked"] if captured else None,
            "alerts_fired": len(alerts),
            "webhooks_delivered": webhooks_delivered,
            "revenue_at_risk_usd_per_h": at_risk,
            "blamed_segment": f"{alerts[0][0]}/{alerts[0][1]}" if alerts and alerts[0][0] else None,
        }

    def _row(self) -> dict[str, int]:
        result = self._service.store.client().query(sql("demo_figures", __file__))
        return {
            name: int(value or 0)
            for name, value in zip(result.column_names, result.result_rows[0], strict=True)
        }

    def _alerts(self) -> list[Any]:
        result = self._service.store.client().query(sql("demo_alerts", __file__))
        return list(result.result_rows)
