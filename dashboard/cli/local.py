"""I/O: the store opened by a command itself, and asked by the application that a service has."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from pathlib import Path

from fastapi import FastAPI

from alerts.state.sqlite import AlertStore
from attribution.jobs.attribution import AttributionJob
from attribution.revenue.currency import require_currency
from collector.core.clock import SystemClock
from collector.core.counters import Counters
from collector.core.disk import Disk
from collector.core.errors import InputError, LogInUseError, StoreInUseError
from collector.store.client.held import held_elsewhere
from collector.store.connect import Connections
from collector.store.cursors import read_cursors, whole_ns
from collector.store.schema.migrate import pending_statements
from collector.wal.directory import claim_directory, segments_left
from dashboard.api.amounts import StatedAmounts
from dashboard.api.app import create_api
from dashboard.api.context import AppContext
from dashboard.cli.console import warn
from dashboard.health.items import NoHealth
from dashboard.service.audit import seal_audit
from dashboard.settings.privacy import protection_of
from dashboard.settings.settings import Settings
from dashboard.settings.user import become_owner
from dashboard.units import utc_iso


def open_store(settings: Settings, base_url: str) -> tuple[FastAPI, ExitStack]:
    """Open the store, where nobody answers at `base_url`; whoever asks closes what is returned.

    Raises:
        InputError: there is no store, it lacks a table of this program, or the directory of the log
            cannot be used, or another process has held the store for long.
        ConfigError: its amounts are in another currency than the one configured.
        StoreUnavailableError: it has done so for a short time, as a service that starts.
    """
    path = settings.store.embedded_path
    if path is not None and not path.exists():
        raise InputError(
            f"no Millworth answers at {base_url}, and there is no store at {path}; start one "
            "with `millworth up`, or name the service with --url"
        )
    become_owner(settings)
    store = Connections(settings.store, merges=False)
    try:
        store.client()
    except StoreInUseError as error:
        raise held_elsewhere(path, base_url) from error
    opened = ExitStack()
    opened.callback(store.close)
    with opened:  # until all is there
        _refuse_old_schema(settings, store, base_url)
        require_currency(store.client(), settings.attribution.currency)
        if settings.wal_dir.is_dir():
            with suppress(LogInUseError):  # the head in it is of the store of that process
                if path is not None:
                    opened.callback(os.close, claim_directory(settings.wal_dir, Disk()))
                    warn_of_log(settings.wal_dir, store)
                seal_audit(store, settings)
        held = opened.pop_all()
    protection = protection_of(settings, settings.wal_dir, store)
    job = AttributionJob(settings.attribution, settings.attributes, store)
    alerts = AlertStore.there(settings.alerts_path)
    context = AppContext.from_settings(
        settings, store, NoHealth(), Counters(), SystemClock(), protection, job, alerts
    )
    held.callback(protection.close)
    if alerts is not None:
        held.callback(alerts.close)
    api = create_api(context)
    api.add_middleware(StatedAmounts, currency=settings.attribution.currency)
    return api, held


def warn_of_log(directory: Path, store: Connections) -> None:
    """Warn of what was acknowledged and is not in a store that no service has open."""
    left = segments_left(directory)
    if left:
        (is_there,) = store.client().query("EXISTS TABLE job_cursors").result_rows[0]
        until_ns = whole_ns(read_cursors(store.client())) if is_there else 0
        until = f"until {utc_iso(until_ns)[:19]}Z" if until_ns else "not yet"
        warn(
            f"segments of the log in {directory} that are not in the store: {left}; `millworth up` "
            f"brings them in; what is in the store is attributed {until}"
        )


def _refuse_old_schema(settings: Settings, store: Connections, base_url: str) -> None:
    """Refuse a store that lacks a table of this program, and name the command that adds it."""
    s = settings
    pending = pending_statements(
        store.client(), s.attributes, s.decisions, s.outcomes, cluster=s.store.cluster
    )
    if pending:
        raise InputError(
            f"no Millworth answers at {base_url}, and the store {s.store.place} lacks "
            f"{len(pending)} statements of this program's schema, the first {pending[0].name}; "
            "start one with `millworth up`, name the settings of another store with --config, or "
            "bring it up with `millworth migrate`"
        )
