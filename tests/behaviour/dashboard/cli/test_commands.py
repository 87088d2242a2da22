"""Commands beside a running service, in a shell that has not its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.service import RunningService, millworth

pytestmark = pytest.mark.integration

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_commands_beside_a_running_service(tmp_path: Path) -> None:
    """A doctor that calls a healthy service's own ports taken would be believed once."""
    file = tmp_path / "millworth.toml"
    file.write_text(
        '[[alerts.webhooks]]\nname = "router"\nurl = "https://u:pass-w0rd@router.example.com/h"\n'
        '[[alerts.rules]]\nname = "burn"\nbudget_usd = 100.0\n'
    )
    file.chmod(0o600)
    with RunningService(tmp_path) as service:
        environment = {
            **service.environment,
            "MILLWORTH__DASHBOARD__PORT": str(service.ready["dashboard_port"]),
        }
        asked = millworth("query", "SELECT 1 AS one", "--config", str(file), **environment)
        examined = millworth(
            "doctor",
            "--config",
            str(file),
            **environment,
            MILLWORTH__ALERTS__WEBHOOKS__0__SECRET=SECRET,
        )

    assert asked.stdout == '{"one": 1}\n', asked.stderr
    assert "service: runs at" in examined.stdout
    assert "pass-w0rd" not in examined.stdout + examined.stderr
    # Nothing is missing: the recorder is off, as the fixture has it.
    missing = [line for line in examined.stdout.splitlines() if line.startswith("missing")]
    assert missing == [], examined.stdout
