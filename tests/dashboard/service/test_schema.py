"""What a start asks of the store, by the roles of the process."""

from __future__ import annotations

import pytest

from attribution.revenue.currency import read_currency
from collector.core.errors import ConfigError
from collector.store.connect import Connections
from dashboard.service.role import ALL, Role
from dashboard.service.schema import prepare_store
from dashboard.settings.settings import Settings
from tests.conftest import NOW_NS
from tests.support.dashboard.traded import trade


def test_roles_that_know_of_money_refuse_sums_of_another_currency(store: Connections) -> None:
    """What receives goes on: senders must not wait for a change that takes hours."""

    def settings(currency: str) -> Settings:
        given = {
            "store": {"url": store.config.url, "database": store.config.database},
            "attribution": {"currency": currency},
        }
        return Settings.model_validate(given)

    def start(currency: str, *roles: Role) -> None:
        prepare_store(store, settings(currency), roles, NOW_NS)

    start("EUR", Role.COLLECT)
    assert read_currency(store.client()) == "", "its settings may name none"
    start("EUR", Role.ATTRIBUTE)
    start("USD", Role.SERVE)
    start("USD", *ALL)
    trade(store)
    made = store.client().command("SHOW CREATE TABLE outcomes_mv")
    for roles in ([Role.ATTRIBUTE], [Role.ALERT], [Role.SERVE], ALL):
        with pytest.raises(ConfigError, match=r"are in USD and attribution\.currency is EUR"):
            start("EUR", *roles)
    # An outcome without a currency would be one of the refused settings from then on.
    assert store.client().command("SHOW CREATE TABLE outcomes_mv") == made
    start("EUR", Role.COLLECT)
    start("EUR", Role.CAPTURE)
    start("USD", *ALL)
