"""A store that a command opens itself, because no service has it open."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

from attribution.revenue.currency import claim_currency
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import ATTRIBUTION_CURSOR
from dashboard.units import utc_iso
from tests.support.dashboard.fixtures import Run
from tests.support.dashboard.seed import TODAY_NS
from tests.support.dashboard.traded import UNTIL, trade


def beside(tmp_path: Path, *names: str) -> Path:
    """Put segments into a log, and name it in the settings of `run`."""
    wal = tmp_path / "wal"
    wal.mkdir()
    with (tmp_path / "millworth.toml").open("a") as settings:
        settings.write(f'[collector]\nwal_dir = "{wal}"\n')
    for name in names:
        (wal / name).touch()
    return wal


def test_doctor_says_so_of_a_store_without_a_table(
    run: Run, empty_store: Connections, tmp_path: Path
) -> None:
    """It looks at what others need before they are there."""
    database = empty_store.config.database
    wal = beside(tmp_path, "traces-1.segment")
    settings = tmp_path / "millworth.toml"
    lines = [
        f'database = "{database}"' if line.startswith("database") else line
        for line in settings.read_text().splitlines()
    ]
    settings.write_text("\n".join(lines))
    assert f"the log in {wal} that are not in the store: 1; " in run("doctor").stderr


def test_what_the_log_has_and_the_store_has_not_is_said(
    run: Run, own_world: Connections, tmp_path: Path
) -> None:
    """Who has only a copy takes what is stored for all that was acknowledged."""
    wal = beside(tmp_path, "traces-1.segment", "logs-1.segment", "traces.receipts")
    row = [[ATTRIBUTION_CURSOR, TODAY_NS + 5 * NS_PER_S]]
    own_world.client().insert("job_cursors", row, column_names=["job", "cursor_ns"])
    result = run("trace", "d-12", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["decisions"] == ["d-12"]
    assert result.stderr == (
        f"warning: segments of the log in {wal} that are not in the store: 2; `millworth up` "
        "brings them in; what is in the store is attributed until "
        f"{utc_iso(TODAY_NS)[:17]}05Z\n"
    )


def test_log_that_is_empty_or_that_a_service_drains_is_no_news(
    run: Run, own_world: Connections, tmp_path: Path
) -> None:
    """Segments come and go every second where somebody writes them into the store."""
    wal = beside(tmp_path)
    assert run("trace", "d-12").stderr == ""
    (wal / "traces-1.segment").touch()
    with (wal / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run("trace", "d-12").stderr == ""
    assert "not in the store: 1; " in run("trace", "d-12").stderr


def test_amounts_in_another_currency_are_refused(
    run: Run, store: Connections, tmp_path: Path
) -> None:
    """One line names both currencies and what to do; doctor says when none is noted yet."""
    trade(store)

    def looked() -> dict[str, object]:
        found = json.loads(run("doctor", "--json").stdout)
        (currency,) = [each for each in found if each["check"] == "currency"]
        return {"ok": currency["ok"], "detail": currency["detail"]}

    rank = ("vram", "rank", "--json", "--window", "1h", "--until", UNTIL)
    assert run(*rank).exit_code == 0
    assert looked() == {"ok": True, "detail": "not noted yet; the first start takes USD"}
    claim_currency(store.client(), "USD")
    assert run(*rank).exit_code == 0
    assert looked() == {"ok": True, "detail": "amounts are in USD"}
    with (tmp_path / "millworth.toml").open("a") as settings:
        settings.write('[attribution]\ncurrency = "JPY"\n')
    said = "the stored amounts are in USD and attribution.currency is JPY: set it back to USD, or"
    for command in (rank, ("alerts", "list"), ("query", "SELECT 1"), ("import", "rates", "r.csv")):
        refused = run(*command)
        assert str(refused.exception).startswith(said), refused.output
    found = looked()
    assert not found["ok"]
    assert str(found["detail"]).startswith(said)
