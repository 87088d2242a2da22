"""Experiments as a person writes them at a shell."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from collector.core.errors import InputError
from dashboard.cli.main import app


@pytest.mark.parametrize(
    "arm",
    [
        "slow",
        "slow=5%:",
        "slow=1.2.3:4ms",
        pytest.param("slow=5%:" + "9" * 400, id="400 digits"),
    ],
)
def test_arm_that_says_no_amount_is_refused_with_an_example(arm: str) -> None:
    """Before anything is asked of a service; a text of many digits is no number either."""
    required = ["--owner", "a", "--purpose", "p", "--lasts", "1h", "--budget", "5"]
    result = CliRunner().invoke(
        app, ["vram", "experiments", "register", "x", "--arm", arm, *required]
    )
    assert isinstance(result.exception, InputError), result.output
    assert "give NAME=SHARE:DELAY, such as slow40=5%:40ms" in str(result.exception)
