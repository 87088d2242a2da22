"""I/O: `millworth up`: the whole service in one process; and how one role is run."""

from __future__ import annotations

import errno
import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.core import log
from collector.core.disk import require_files, unusable
from collector.store.errors import explain
from collector.write.allocator import return_large_blocks
from dashboard.cli.options import ConfigOption, JsonOption
from dashboard.service.stop import StopSignal, end_at_faults, end_within
from dashboard.service.systemd import Supervisor
from dashboard.settings.settings import Settings, load, service_manager

if TYPE_CHECKING:
    from dashboard.service.process import Service


# A run of a job is a second or so; what takes longer is begun again at the next start.
_JOBS_SECONDS = 5.0


def up(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Run the whole service: receivers, jobs, alerts and dashboard.

    The embedded store has one owner: a second `up` on the same directory is refused.
    """
    run_service(config, as_json=as_json)


def run_service(
    config: Path | None, *, as_json: bool, role: str = "", metrics_port: int = -1
) -> None:
    """Run the service, or one role of it, until it is told to stop.

    Args:
        config: the settings file, None for the one in the working directory.
        as_json: print what is ready as one JSON object.
        role: that runs alone, over a store that is a server; "" for all of the service.
        metrics_port: of a role without pages, negative for none.
    """
    # What serves is of no use to any other command.
    from dashboard.service.process import Service
    from dashboard.service.role import ALL, Role

    return_large_blocks()
    require_files()
    log.configure()
    settings = load(config).settings
    with _refusals(settings):
        service = Service(
            settings,
            {Role(role)} if role else ALL,
            metrics_port=metrics_port if metrics_port >= 0 else None,
        )
        stop = StopSignal()
        service.start()
    end_at_faults()
    try:
        if not role:
            service.start_packets()
    except BaseException:
        # The engine's threads do not survive an interpreter that ends under them.
        service.stop(drain_seconds=0)
        raise
    log.say(_ready_json(service, role) if as_json else f"ready: {service.describe()}")
    if service.is_whole and service.recorder is None and not as_json:
        log.say(f"packets: off. {service.capture_off_reason}")
    # A full collection would walk all that was imported, and hold up receivers and jobs meanwhile.
    gc.collect()
    gc.freeze()
    supervisor = Supervisor(service_manager())
    supervisor.ready(service.describe())
    supervisor.watch(stop, service.stalled)
    supervisor.stopping()
    end_within(settings.collector.drain_seconds_max + _JOBS_SECONDS, service.busy)
    if not service.stop(settings.collector.drain_seconds_max):
        log.say("stopped; what is not stored yet is in the write-ahead log and follows next time")


@contextmanager
def _refusals(settings: Settings) -> Iterator[None]:
    """Have what the store or the machine refuses a start told in a line, whoever met it."""
    try:
        yield
    except ClickHouseError as error:
        raise explain(error, settings.store.place) from error
    except OSError as error:
        ours = (settings.wal_dir, settings.alerts_path, settings.data_dir / "store")
        where = Path(error.filename) if isinstance(error.filename, str) else None
        is_ours = where is not None and any(where.is_relative_to(each.parent) for each in ours)
        if not is_ours and error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        what = f"cannot use {where or settings.data_dir}"
        raise unusable(what, error, "make it writable, or name another") from error


def _ready_json(service: Service, role: str) -> str:
    ports = {f"{name}_port": port for name, port in asdict(service.ports).items() if port}
    return json.dumps({"ready": True} | ({"role": role} if role else {}) | ports)
