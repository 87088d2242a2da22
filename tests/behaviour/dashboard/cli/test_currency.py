"""A service over amounts of another currency does not start, and says what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import RunningService, millworth

pytestmark = pytest.mark.integration

# In a process of its own: one process has one embedded engine.
_PUT = (
    "import sys\n"
    "from collector.core.config import StoreConfig\n"
    "from collector.store.connect import Connections\n"
    "Connections(StoreConfig(url=sys.argv[1])).client().command("
    "'INSERT INTO revenue_cells (second_ns, decisions, value_usd)'"
    " ' VALUES (2000000000000000000, 1, 5)')\n"
)


def test_start_in_another_currency_is_refused(tmp_path: Path) -> None:
    """Dollars were read as yen, and said to be them; a store without amounts takes either."""
    for currency in ("EUR", "USD"):
        with RunningService(tmp_path, MILLWORTH__ATTRIBUTION__CURRENCY=currency):
            pass
    service = RunningService(tmp_path, MILLWORTH__ATTRIBUTION__CURRENCY="JPY")
    subprocess.run([sys.executable, "-c", _PUT, f"chdb://{service.store_path}"], check=True)

    process = service.begin()
    process.communicate()
    assert process.returncode == 2
    said = service.said()
    assert (
        "millworth: the stored amounts are in USD and attribution.currency is JPY: set it back to "
        "USD, or name another store in store.url: a store keeps the currency that it began with; "
        "send or import into the new one again\n"
    ) in said
    assert "Traceback" not in said

    environment = {**service.environment, "MILLWORTH__DASHBOARD__PORT": "1"}
    assert "missing currency: the stored amounts are in USD" in millworth(
        "doctor", **environment
    ).stdout.replace("\n", " ")
    with RunningService(tmp_path, MILLWORTH__ATTRIBUTION__CURRENCY="USD") as service:
        port = {"MILLWORTH__DASHBOARD__PORT": str(service.ready["dashboard_port"])}
        looked = millworth("doctor", **environment | port)
    assert (
        "missing currency: the service states amounts in USD and attribution.currency is JPY: its "
        "next start is refused where amounts are stored; set it back to USD"
    ) in looked.stdout.replace("\n", " ")
