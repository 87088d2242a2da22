from __future__ import annotations

import pytest
from pydantic import ValidationError

from alerts.config import AlertsConfig
from tests.support.alerts.builders import SECRET, TIER, rule


def test_short_window_has_to_be_shorter() -> None:
    """Windows of one length are one window, and an alert on it never ends in time."""
    with pytest.raises(ValidationError, match="short_window_s 60 has to be less"):
        rule(tiers=[{**TIER, "short_window_s": 60}])


@pytest.mark.parametrize("section", ["rules", "webhooks", "alertmanagers"])
def test_name_that_is_there_twice_is_refused(section: str) -> None:
    """State and messages are kept by these names."""
    entries = {
        "rules": rule().model_dump(),
        "webhooks": {"name": "router", "url": "https://r.example/h", "secret": SECRET},
        "alertmanagers": {"url": "http://alertmanager.example:9093"},
    }

    with pytest.raises(ValidationError, match="is there twice"):
        AlertsConfig.model_validate({section: [entries[section]] * 2})


@pytest.mark.parametrize("key", ["secret", "previous_secret"])
def test_unusable_secret_is_refused_and_not_printed(key: str) -> None:
    """The error goes to a terminal and into a log."""
    webhook = {"name": "router", "url": "https://r.example/h", key: "whsec_aGVsbG8="}

    with pytest.raises(ValidationError, match="holds 5 bytes") as caught:
        AlertsConfig.model_validate({"webhooks": [webhook]})

    assert "aGVsbG8" not in str(caught.value)
