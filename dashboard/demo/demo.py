"""I/O: `millworth demo`: the whole service on the reference decision path, with an incident.

The reference path is a customer in processes of its own; nothing here reaches into it but the
scenario that says what is injected and when.
"""

from __future__ import annotations

import secrets
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from alerts.delivery.demo_receiver import DemoReceiver
from collector.core.errors import InputError, TransientError
from collector.core.http.address import authority
from collector.core.sql import sql
from collector.core.times import NS_PER_S, duration_ns
from collector.provenance.keyring import public_of
from dashboard.demo.own_service import own_settings
from dashboard.reference.launch import ReferencePath, ReferencePathError
from dashboard.reference.scenario import FaultWindow, Scenario
from dashboard.service.process import Service
from dashboard.service.stop import Stop
from dashboard.settings.settings import Settings, load

INJECTED_STAGE = "decision"
INJECTED_CLASS = "store"
INJECTED_REGION = "eu-west"
INJECTED_MS = 120.0
FAULT_FROM_S = 30.0
FAULT_LASTS_S = 90.0
# Without --for the incident comes again, so that whoever looks later sees one too.
FAULT_EVERY_S = 300.0
FAULT_REPEATS = 48

DRAIN_SECONDS_MAX = 30.0
_CHECK_S = 0.25
_MAC_KID = "demo-chain"
_SIGN_KID = "demo-audit"

RULE: dict[str, Any] = {
    "name": "revenue-burn-demo",
    "severity": "page",
    "live": True,
    "budget_usd": 3000.0,
    "budget_days": 30.0,
    "tiers": [{"budget_share": 0.0003, "long_window_s": 20, "short_window_s": 5}],
    "keep_firing_s": 10.0,
    "runbook_url": "https://sre.google/workbook/alerting-on-slos/",
    "note": "demo windows of 20 s and 5 s; a real rule looks at 1 h and 5 min",
}


def parse_duration(text: str) -> float:
    """Return seconds for `90`, `90s`, `5m` or `1h`. Raises InputError."""
    unit = "s" if text.strip()[-1:].isdigit() else ""
    return duration_ns(f"{text.strip()}{unit}", "--for", ("s", "m", "h"), least_ns=1) / NS_PER_S


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


class Demo:
    """The demo, up and running; a context manager that takes down all that it started."""

    def __init__(self, duration_s: float | None, data_dir: Path | None, *, quiet: bool) -> None:
        self._duration_s = duration_s
        # Threads of the engine may write a last file while the directory is being removed.
        self._own_dir = (
            tempfile.TemporaryDirectory(prefix="millworth-demo-", ignore_cleanup_errors=True)
            if data_dir is None
            else None
        )
        self._dir = _fresh(data_dir) if data_dir is not None else Path(self._own_dir.name)  # type: ignore[union-attr]  # set whenever data_dir is None
        # The one JSON object is alone on standard output; progress goes to standard error.
        self._out = Console(stderr=quiet, highlight=False, soft_wrap=True)
        self._receiver = DemoReceiver(announce=self._announce)
        self._path = ReferencePath()
        self._service: Service | None = None
        self._scenario: Scenario | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except ReferencePathError as error:
            self._take_down()
            raise TransientError(f"the reference decision path: {error}") from error
        except BaseException:
            self._take_down()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._take_down()

    def _start(self) -> None:
        self._receiver.start()
        keys_path, seal = _make_keys(self._dir)
        settings = self._settings(keys_path)
        self._scenario = scenario(settings)
        self._out.print("starting the service ...")
        self._service = Service(settings)
        self._service.start()
        ports = self._service.ports
        self._out.print("starting the reference decision path ...")
        self._path.start(
            self._scenario,
            otlp_endpoint=f"http://{authority(settings.collector.host, ports.http)}",
            redis_url=settings.reference.redis_url,
            seal=seal,
            experiments_url=f"http://{authority(settings.dashboard.host, ports.dashboard)}",
            # The service and a browser beside it must not be what makes a decision slow.
            goes_first=True,
        )
        self._service.start_packets(
            settings.packet.model_copy(update={"ports": tuple(self._path.ports)})
        )
        self._path.start_traffic()
        pages = authority(settings.dashboard.host, ports.dashboard)
        self._out.print(
            f"ready: dashboard [bold]http://{pages}[/bold]\n"
            f"  {self._scenario.rate_per_s:g} decisions a second; in {FAULT_FROM_S:g} s the store "
            f"of {INJECTED_REGION} slows by {INJECTED_MS:g} ms in stage {INJECTED_STAGE}\n"
            "  alert windows are 20 s and 5 s here; a real rule looks at 1 h and 5 min"
        )
        if self._service.recorder is None:
            self._out.print(f"  packets: off. {self._service.capture_off_reason}")
        if self._duration_s is None:
            self._out.print("  Ctrl-C ends it")

    def _settings(self, keys_path: Path) -> Settings:
        given = load().settings
        ports = given.collector.model_dump(include={"grpc_port", "http_port"})
        return own_settings(
            self._dir,
            collector=ports,
            dashboard=given.dashboard.model_dump(include={"port"}),
            reference=given.reference.model_dump(),
            provenance={"keys_path": str(keys_path), "required": True},
            # A customer of the reference path buys within a second, or not at all, and the path
            # sends an outcome of both.
            outcomes={"complete": "all"},
            attribution={"settle_s": 2.0, "value_window_s": 3600, "outcome_delay_s": 30},
            alerts={
                "interval_s": 1.0,
                "lateness_s": 4.0,
                "nodata_s": 30.0,
                "allowed_hosts": ["127.0.0.1"],
                "rules": [RULE],
                "webhooks": [
                    {
                        "name": "demo-receiver",
                        "url": self._receiver.url,
                        "secret": self._receiver.secret,
                    }
                ],
            },
        )

    def wait_until_end(self, stop: Stop) -> None:
        """Wait for the end of `--for`, or for the stop signal, whichever comes first."""
        stop.wait(self._duration_s)

    def finish(self) -> dict[str, Any]:
        """Stop the load, let every room finish what it has, and return the summary."""
        assert self._service is not None
        assert self._scenario is not None
        service = self._service
        self._out.print("stopping the load ...")
        traffic = self._path.stop_traffic()
        self._path.stop()
        self._out.print("draining ...")
        figures = DemoFigures(service)
        deadline_ns = service.clock.monotonic_ns() + round(DRAIN_SECONDS_MAX * NS_PER_S)
        waiting = threading.Event()
        while not figures.settled() and service.clock.monotonic_ns() < deadline_ns:
            waiting.wait(_CHECK_S)
        service.stop_jobs()
        now_ns = service.clock.now_ns()
        service.attribution.drain(now_ns)
        if service.packets is not None:
            service.packets.run_once(now_ns)
        service.judge_provenance(now_ns)
        service.alerts.outlets.deliver_due(now_ns)
        summary = figures.summary(webhooks_delivered=len(self._receiver.deliveries))
        summary["injected_segment"] = f"{INJECTED_STAGE}/{INJECTED_CLASS}"
        summary["traffic"] = traffic.as_dict()
        return summary

    def print_summary(self, summary: dict[str, Any]) -> None:
        """Print the summary for a person."""
        self._out.print()
        if summary["traffic"]["void"]:
            self._out.print(f"  this machine was too busy: {summary['traffic']['void_reason']}")
        for key, value in summary.items():
            if not isinstance(value, dict):
                self._out.print(f"  {key:<32}{'unknown' if value is None else value}")

    def _announce(self, line: str) -> None:
        self._out.print(f"  webhook: {line}")

    def _take_down(self) -> None:
        self._path.stop()
        if self._service is not None:
            self._service.stop(drain_seconds=0)
            self._service = None
        self._receiver.stop()
        if self._own_dir is not None:
            self._own_dir.cleanup()


def scenario(settings: Settings) -> Scenario:
    """Return what the demo injects: a slow store in one region after half a minute."""
    windows = tuple(
        FaultWindow(
            from_s=FAULT_FROM_S + number * FAULT_EVERY_S,
            to_s=FAULT_FROM_S + number * FAULT_EVERY_S + FAULT_LASTS_S,
            region=INJECTED_REGION,
            segment=f"{INJECTED_STAGE}/{INJECTED_CLASS}",
            added_ms=INJECTED_MS,
        )
        for number in range(FAULT_REPEATS)
    )
    reference = settings.reference
    return Scenario(seed=reference.seed, rate_per_s=reference.rate_per_s, faults=windows)


def _fresh(directory: Path) -> Path:
    """Take a new or empty directory: the figures of a demo are of that demo alone."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InputError(f"--data {directory}: not an empty directory; name a new one")
    try:
        directory.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--data {directory}: cannot be made: {error.strerror}; name another"
        ) from error
    return directory.absolute()


def _make_keys(directory: Path) -> tuple[Path, dict[str, str]]:
    """Write a new key ring, and return its path and the keys of the producer.

    The ring has the secret of the chain, as every verifier needs it, and no half that signs.
    """
    mac, private = secrets.token_bytes(32), secrets.token_bytes(32)
    path = directory / "keys.toml"
    path.touch(mode=0o600)
    path.write_text(
        f'[[mac]]\nkid = "{_MAC_KID}"\nsecret = "{mac.hex()}"\n\n'
        f'[[checkpoint]]\nkid = "{_SIGN_KID}"\npublic = "{public_of(private).hex()}"\n'
    )
    producer = {
        "mac_kid": _MAC_KID,
        "mac_secret": mac.hex(),
        "sign_kid": _SIGN_KID,
        "sign_private": private.hex(),
    }
    return path, producer
