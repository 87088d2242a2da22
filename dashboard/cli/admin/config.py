"""I/O: `millworth config ...`: check the settings, or print them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from alerts.delivery.address_guard import out_of_reach
from collector.core.clock import SystemClock
from collector.core.errors import ConfigError
from collector.store.retention import check_retention
from dashboard.cli.console import OUT
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption
from dashboard.settings import text as settings_text
from dashboard.settings.settings import load
from dashboard.settings.user import closed_to_owner

config_app = typer.Typer(help="Check the settings, or print them.", no_args_is_help=True)


@config_app.command("check")
def config_check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Read the settings; say what is wrong, or where they came from."""
    loaded = load(config)
    for closed in closed_to_owner(loaded):
        raise ConfigError(closed)
    loaded.settings.require_secrets()
    loaded.settings.require_certificates(SystemClock().now_ns())
    check_retention(loaded.settings.retention, loaded.settings.collector.retention_days)
    loaded.settings.collector.check_limits()
    alerts = loaded.settings.alerts
    for key, why in out_of_reach(alerts):
        raise ConfigError(f"{key}: {why}")
    if as_json:
        print_json({"ok": True, "origins": loaded.origins, "rules_not_live": alerts.not_live})
        return
    for key, origin in sorted(loaded.origins.items()):
        OUT.print(f"{key}: from {origin}")
    if alerts.not_live:
        known = "what was promoted is known to the service, see `millworth rules list`"
        OUT.print(
            f"alert rules by these settings: {alerts.said_of_rules(alerts.not_live)}; {known}"
        )
    OUT.print("settings are good; every other key has its default")


@config_app.command("print")
def config_print(
    config: ConfigOption = None,
    origin: Annotated[bool, typer.Option(help="Beside each key, where it came from.")] = False,
    example: Annotated[
        bool, typer.Option(help="Instead: every key with its meaning and default.")
    ] = False,
) -> None:
    """Print the settings in force as TOML, secrets masked."""
    if example:
        sys.stdout.write(settings_text.example())
        return
    loaded = load(config)
    sys.stdout.write(settings_text.effective(loaded.settings, loaded.origins, with_origin=origin))
