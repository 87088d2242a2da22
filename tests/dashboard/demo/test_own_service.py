"""Drills, benchmarks and the demo beside the settings of a service that pages people."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from alerts.delivery.demo_receiver import DemoReceiver
from dashboard.settings.settings import Settings
from tests.support.tree import ROOT

# What reaches others, what lies there, and what decides whether a decision is seen and counted.
SETTINGS: Final = """
[store]
url = "chdb://{here}/store"
[collector]
wal_dir = "{here}/wal"
[provenance]
required = true
[attributes.map]
"decision.action" = "shop.action"
[[decisions.match]]
span_name = "GET /price"
action = "price"
[packet]
enabled = false
interface = "none0"
host = "production"
[attribution]
reference_latency_ms = 1.0
[alerts]
state_path = "{here}/alerts.sqlite"
interval_s = 0.5
lateness_s = 1.0
allowed_hosts = ["127.0.0.1"]
[[alerts.alertmanagers]]
url = "{url}"
[[alerts.rules]]
name = "late"
kind = "threshold"
figure = "late_ratio"
above = 0.2
window_length_s = 60
live = true
[[alerts.webhooks]]
name = "router"
url = "{url}"
[[access.tokens]]
name = "shop"
hash = "sha256:{digest}"
scopes = ["traces"]
"""
SHOWN: Final = """
from collector.core import log
from dashboard.demo.own_service import own_service
log.configure("warning")
with own_service(attribution={"settle_s": 2.0}) as service:
    print(service.settings.model_dump_json())
"""


class Production:
    """A directory with such a file, and the receiver of its alerts."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.receiver = DemoReceiver()
        self.receiver.start()
        text = SETTINGS.format(here=directory, url=self.receiver.url, digest="ab" * 32)
        (directory / "millworth.toml").write_text(text)

    def run(self, *arguments: str, **settings: str) -> dict[str, Any]:
        """Run Python there, with that service's environment; return the JSON that it writes."""
        environment = {
            "PYTHONPATH": str(ROOT),
            "MILLWORTH__ALERTS__WEBHOOKS__0__SECRET": self.receiver.secret,
            "MILLWORTH__ALERTS__LATENESS_S": "0.5",
            **settings,
        }
        said = [f"{name}={value}" for name, value in environment.items()]
        done = subprocess.run(
            ["env", *said, sys.executable, *arguments],
            cwd=self.directory, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def is_untouched(self) -> bool:
        """Return whether nothing was written there, and nobody was told anything."""
        names = [path.name for path in self.directory.iterdir()]
        return names == ["millworth.toml"] and not (
            self.receiver.deliveries or self.receiver.refused
        )


@pytest.fixture
def production(tmp_path: Path) -> Iterator[Production]:
    """Yield the directory in which a command is given."""
    made = Production(tmp_path)
    yield made
    made.receiver.stop()


def test_service_of_a_drill_has_the_defaults_and_nothing_of_a_file_or_the_environment(
    production: Production,
) -> None:
    """A drill paged the people of the service whose settings lay there."""
    told = production.run("-c", SHOWN)
    usual = Settings().model_dump(mode="json")
    ports = {("collector", "grpc_port"), ("collector", "http_port"), ("dashboard", "port")}
    other = {
        (section, name)
        for section, values in usual.items()
        for name in {*values, *told[section]}
        if values.get(name) != told[section].get(name)
    }
    assert other == {("store", "url"), ("attribution", "settle_s"), *ports}
    assert production.is_untouched()


@pytest.mark.integration
@pytest.mark.alone
def test_drill_beside_a_service_reaches_nobody_and_writes_nothing_there(
    production: Production,
) -> None:
    """Its late decisions are of no rule of that service, and need no seal."""
    told = production.run(
        *("-m", "dashboard.cli.main", "drill", "--amount", "100", "--decisions", "10", "--json")
    )
    assert (told["blamed"], told["misses"]) == ("decision/network", [])
    assert production.is_untouched()


@pytest.mark.integration
@pytest.mark.alone
def test_demo_beside_a_service_takes_its_own_ports_and_reaches_nobody(
    production: Production,
) -> None:
    """What is given for its ports and its path holds; rules and names of attributes do not."""
    free = {
        f"MILLWORTH__{name}": "0"
        for name in ("DASHBOARD__PORT", "COLLECTOR__GRPC_PORT", "COLLECTOR__HTTP_PORT")
    }
    told = production.run(
        *("-m", "dashboard.cli.main", "demo", "--for", "2s", "--json"),
        **free,
        MILLWORTH__REFERENCE__RATE_PER_S="20",
    )
    assert 10 <= told["decisions"] == told["provenance_ok"] <= 80
    assert production.is_untouched()
