"""Two stores that lie side by side in one directory share nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.service import RunningService

pytestmark = pytest.mark.integration


def test_two_services_on_siblings_share_no_file(tmp_path: Path) -> None:
    """One store's alert appeared on the other's pages, and both wrote one log."""
    first = RunningService(tmp_path, MILLWORTH__STORE__URL=f"chdb://{tmp_path / 'store'}")
    with first:
        second = RunningService(tmp_path, MILLWORTH__STORE__URL=f"chdb://{tmp_path / 'other'}")
        with second:
            there = {path.name for path in tmp_path.iterdir()}

    own = {"store", "wal", "alerts.sqlite"}
    others = {"other", "other-wal", "other-alerts.sqlite"}
    assert own | others <= there
    for name in ("identifiers.key", "audit.key", "receipts.key"):
        kept = [tmp_path / directory / name for directory in ("wal", "other-wal")]
        if any(path.exists() for path in kept):
            assert kept[0].read_bytes() != kept[1].read_bytes(), name
