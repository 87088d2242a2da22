"""I/O: `millworth alerts`: the commands on alerts."""

from __future__ import annotations

import typer

from dashboard.cli.ask.alerts.dead import dead_app

alerts_app = typer.Typer(help="Alerts, and what people do about them.", no_args_is_help=True)
alerts_app.add_typer(dead_app, name="dead")
