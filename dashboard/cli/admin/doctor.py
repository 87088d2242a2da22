"""I/O: looks at what the service needs on this machine, and names what is missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.text import Text

from alerts.delivery.address_guard import out_of_reach
from alerts.state.schema import look_at_state
from attribution.core.money import currency
from attribution.revenue.currency import read_currency, require_currency
from collector.audit.log import AuditState
from collector.auth.gate import require_doors
from collector.core.clock import SystemClock
from collector.core.disk import Disk, barred, closed_to_us, may_use, remedy_of
from collector.core.errors import ConfigError, InputError, MillworthError
from collector.core.times import NS_PER_S
from collector.otlp.native.spans import IS_THERE
from collector.store.client.directory import STATE_DIR
from collector.store.connect import Connections
from collector.store.grants import excess_rights
from collector.store.memory import memory_bytes
from collector.store.schema.migrate import migrate
from collector.wal.directory import claim_directory
from dashboard.cli.admin.machine import (
    Finding,
    disk_found,
    memory_found,
    open_to_others,
    ports_found,
)
from dashboard.cli.client import ApiClient, answers, service_url, trust
from dashboard.cli.console import OUT
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption
from dashboard.health.access import certificate_item
from dashboard.service.audit import checked, seal_audit
from dashboard.service.schema import require_known_clock
from dashboard.settings.privacy import protection_of
from dashboard.settings.settings import Settings, load
from dashboard.settings.text import without_passwords
from dashboard.settings.user import become_owner, closed_to_owner
from packet.capture.start import recording_available


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; one failed check hides none of the others."""
    return list(_findings(settings))


def _findings(settings: Settings) -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", (3, 11) <= sys.version_info[:2] < (3, 14), f"{python}, needs 3.11-3.13")
    yield disk_found(settings.data_dir)
    yield memory_found(settings.store, memory_bytes())
    yield from open_to_others(settings)
    try:
        url = service_url(settings)
        is_running = answers(url, trust(settings, url))
    except MillworthError as error:
        # It runs, and this command is not let in, or does not trust it; or it hangs.
        is_running = False
        yield Finding("service", False, str(error))
    else:
        if is_running:
            # It holds the store and the ports, as it should.
            try:
                yield from _service(settings)
            except MillworthError as error:  # it lets nobody in without a token, or so
                yield Finding("service", False, str(error))
        else:
            become_owner(settings)
            yield from _state(settings)
            yield from ports_found(settings)
    yield _tried("access", lambda: _access(settings))
    yield from _certificates(settings)
    yield Finding("spans", True, _span_reader(settings))
    yield _packets(settings, is_running=is_running)
    for webhook in settings.alerts.webhooks:
        has_secret = bool(webhook.secret.get_secret_value())
        yield Finding(
            f"webhook {webhook.name}",
            has_secret,
            f"{without_passwords(str(webhook.url))}, "
            + ("its secret is set" if has_secret else "without a secret here: `up` refuses it"),
        )
    for key, why in out_of_reach(settings.alerts):
        yield Finding(key, False, why)
    yield _rules(settings, is_running=is_running)


def _state(settings: Settings) -> Iterator[Finding]:
    """Look at what the service keeps: the store, the log and the state of alerts."""
    closed = barred(settings.data_dir / "any")
    if closed is not None:
        remedy = remedy_of(closed, f"`chown -R USER: {closed}` gives it to the service's user")
        yield Finding("store", False, f"this user may not enter {closed}; {remedy}")
        return
    yield _tried("clock", lambda: _clock(settings))
    yield _tried("store", lambda: _store(settings))
    yield _tried("currency", lambda: _currency(settings))
    yield _tried("audit", lambda: _audit(settings))
    if settings.store.embedded_path is None:
        yield _tried("SQL from outside", lambda: _outside_rights(settings))
    yield _tried("log", lambda: _log(settings.wal_dir))
    yield _tried("personal data", lambda: _personal(settings))
    yield _tried("alert state", lambda: _alert_state(settings.alerts_path))


def _packets(settings: Settings, *, is_running: bool) -> Finding:
    """Return what the service says that runs, whose rights are its own; else what could be."""
    if is_running and settings.packet.enabled:
        with suppress(MillworthError), ApiClient.open(settings, service_url(settings)) as api:
            for item in api.get("/api/v1/health")["items"]:
                if item["name"] == "packet.recorder":
                    said = item["detail"] or item["value"]
                    return Finding("packets", item["value"] == "recording", said)
    reason = recording_available(settings.packet)
    return Finding(
        "packets",
        reason is None or not settings.packet.enabled,
        reason or f"can be recorded from {settings.packet.interface}",
    )


def _rules(settings: Settings, *, is_running: bool) -> Finding:
    """Return which rules page nobody: nothing is broken by that, so it changes no exit status."""
    alerts = settings.alerts
    if not alerts.rules:
        none = "none yet; add [[alerts.rules]], see millworth.example.toml"
        return Finding("alert rules", True, none)
    shadow = set(alerts.not_live)
    if is_running:  # it knows what was promoted, if it is the one that evaluates
        with suppress(MillworthError), ApiClient.open(settings, service_url(settings)) as api:
            rules = api.get("/api/v1/rules")["rules"]
            shadow -= {rule["name"] for rule in rules if rule["state"] == "live"}
    by = "" if is_running or not shadow else " (by the settings: no service runs to ask)"
    return Finding("alert rules", True, alerts.said_of_rules(shadow) + by)


def _access(settings: Settings) -> str:
    """Return who is let in, and whether what proves it is in order."""
    now_ns = SystemClock().now_ns()
    tokens = require_doors(settings.access, settings.listeners)
    settings.require_certificates(now_ns)
    for entry in settings.access.tokens:
        if entry.expires is not None and entry.expires.timestamp() * NS_PER_S <= now_ns:
            raise ConfigError(
                f"access.tokens: {entry.name} expired on {entry.expires:%Y-%m-%d}, so its sender "
                "is refused; make another with `millworth token new`, or remove the entry"
            )
    secured = [name for name, _, _, tls in settings.listeners if tls.is_on]
    proxy = ", ".join(settings.access.proxy.addresses)
    users = f"; users of the proxy at {proxy}" if proxy else ""
    return (
        f"{tokens} tokens{users}; TLS on {', '.join(secured) or 'nothing'}"
        if tokens or secured or proxy
        else "everything listens on this machine alone, and asks nobody for a token"
    )


def _certificates(settings: Settings) -> Iterator[Finding]:
    """Return how long each section's certificates are good; `access` says what is wrong now."""
    now_ns = SystemClock().now_ns()
    with suppress(MillworthError):
        for section, expires_ns in settings.require_certificates(now_ns).items():
            item = certificate_item(section, expires_ns, now_ns)
            remedy = f"; {item.detail}" if item.detail else ""
            detail = f"certificates are good for {item.value} days{remedy}"
            yield Finding(section, item.status == "ok", detail)


def _service(settings: Settings) -> Iterator[Finding]:
    """Ask the running service, which knows best what is wrong with it."""
    url = service_url(settings)
    with ApiClient.open(settings, url) as api:
        items = api.get("/api/v1/health")["items"]
        audit = AuditState(**api.get("/api/v1/audit/check"))
        stated, configured = currency(), settings.attribution.currency
    bad = [item for item in items if item["status"] == "bad"]
    yield Finding("service", True, f"runs at {url}, and holds store and ports")
    said = f"amounts are in {stated}"
    if stated != configured:
        said = (
            f"the service states amounts in {stated} and attribution.currency is {configured}: "
            f"its next start is refused where amounts are stored; set it back to {stated}, or name "
            "another store in store.url"
        )
    yield Finding("currency", stated == configured, said)
    yield Finding("audit", audit.broken_seq is None, _audit_words(audit))
    for item in bad:
        yield Finding(item["name"], False, f"{item['value']} {item['unit']}: {item['detail']}")


def _span_reader(settings: Settings) -> str:
    """Return who reads spans, and how to have the faster one."""
    if not settings.collector.accel:
        return "read by the parser and the store: collector.accel is false"
    if IS_THERE:
        return "read by the compiled module"
    return (
        "read by the parser and the store, at half the rate: there was no C++ compiler when this "
        "was installed; install g++ 11 or clang 14, then Millworth again"
    )


def _tried(check: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(check, True, look())
    except (MillworthError, OSError) as error:
        return Finding(check, False, str(error))


def _clock(settings: Settings) -> str:
    """Say that a start believes the clock of this machine."""
    now_ns = SystemClock().now_ns()
    require_known_clock(settings, now_ns)
    now = datetime.fromtimestamp(now_ns // NS_PER_S, UTC)
    return f"{now:%Y-%m-%d %H:%M} UTC, which a start believes"


def _store(settings: Settings) -> str:
    path = settings.store.embedded_path
    if path is not None and not path.exists():
        return _no_store(path)
    store = Connections(settings.store, merges=False)
    version = store.client().query("SELECT version()").result_rows[0][0]
    migrate(store.client(), 0, cluster=settings.store.cluster, dry_run=True)
    if path is not None:
        from dashboard.cli.local import warn_of_log  # it loads what a service has

        warn_of_log(settings.wal_dir, store)
    store.close()
    return f"ClickHouse {version} at {settings.store.place}"


def _no_store(path: Path) -> str:
    """Say that the first start will make the store, or raise InputError where it cannot."""
    if not path.parent.exists() and not path.is_relative_to(STATE_DIR):
        raise InputError(f"store.url: the directory {path.parent} does not exist; make it")
    if path.parent.exists() and not os.access(path.parent, os.W_OK | os.X_OK):
        raise InputError(
            f"store.url: this user cannot make {path}; "
            f"give {path.parent} to the user of the service with `chown`"
        )
    return f"the first start makes {path}"


def _log(directory: Path) -> str:
    """Say that the directory of the log can be written, and nobody has it; make none."""
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    closed = closed_to_us(directory) if existing == directory else existing
    if closed is not None and not may_use(closed):
        of_user = f"give it to the user of the service: `chown -R USER: {closed}`"
        raise InputError(
            f"collector.wal_dir: this user cannot use {closed}; {remedy_of(closed, of_user)}"
        )
    if existing != directory:
        return f"the first start makes {directory}"
    if (directory / "lock").exists():  # made here it would be of this user
        os.close(claim_directory(directory, Disk()))
    return f"can be written in {directory}"


def _personal(settings: Settings) -> str:
    """Return what becomes of personal data; its keys are read as a start reads them."""
    path, store = settings.store.embedded_path, None
    if path is not None and path.exists():
        # A role that receives nothing has no key, and which one runs over a server nobody says.
        store = Connections(settings.store, merges=False)
    try:
        return protection_of(settings, None, store).describe(settings.wal_dir)
    finally:
        if store is not None:
            store.close()


def _alert_state(path: Path) -> str:
    """Say that the state of alerts can be used, or made."""
    look_at_state(path)
    return f"can be used, at {path}" if path.exists() else f"the first start makes {path}"


def _currency(settings: Settings) -> str:
    """Say that a start takes the configured currency, and whether the store has noted one."""
    path, configured = settings.store.embedded_path, settings.attribution.currency
    taken = f"the first start takes {configured}"
    if path is not None and not path.exists():
        return taken
    store = Connections(settings.store, merges=False)
    try:
        client = store.client()
        is_there = client.query("EXISTS TABLE value_currencies").result_rows[0][0]
        noted = read_currency(client) if is_there else ""
        if not noted:
            return f"not noted yet; {taken}"
        require_currency(client, configured)
    finally:
        store.close()
    return f"amounts are in {configured}"


def _audit(settings: Settings) -> str:
    """Say that the chain of the audit holds, where there is one."""
    path = settings.store.embedded_path
    if path is not None and not path.exists():
        return "nothing has been done here"
    store = Connections(settings.store, merges=False)
    if not store.client().query("EXISTS TABLE audit").result_rows[0][0]:
        return "nothing has been done here"
    if settings.wal_dir.is_dir():
        seal_audit(store, settings)
    state = checked(store)
    store.close()
    if state.broken_seq is not None:
        raise ConfigError(_audit_words(state))
    return _audit_words(state)


def _audit_words(audit: AuditState) -> str:
    if audit.broken_seq is not None:
        return f"row {audit.broken_seq}: {audit.reason}"
    return f"{audit.rows} rows hold, the last is {audit.last_seq}"


def _outside_rights(settings: Settings) -> str:
    """Say that the server lets SQL from outside read our database and nothing else."""
    store, database = Connections(settings.store, merges=False), settings.store.database
    grants = [str(row[0]) for row in store.outside().query("SHOW GRANTS").result_rows]
    store.close()
    excess = excess_rights(grants, database)
    if excess:
        raise ConfigError(
            f"its user may do more than read {database}: {excess[0][:200]}; "
            f"CREATE USER millworth_query, GRANT SELECT ON {database}.* TO it, and name it in "
            "store.query_url"
        )
    return f"its user may read {database}, and nothing else"


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Look at what the service needs here, and say what is missing. Exit 1 if something is."""
    loaded = load(config)
    # First: what follows may do as the user whose store it is.
    closed = [Finding("files", False, said) for said in closed_to_owner(loaded)]
    findings = [*closed, *examine(loaded.settings)]
    if as_json:
        print_json([{"check": f.check, "ok": f.ok, "detail": f.detail} for f in findings])
    else:
        for finding in findings:
            mark, style = ("ok     ", "green") if finding.ok else ("missing", "red")
            OUT.print(Text.assemble((mark, style), f" {finding.check}: {finding.detail}"))
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)
