"""The currency of a store: noted by the first start, and required by all later ones."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from attribution.revenue.currency import claim_currency, read_currency, require_currency
from collector.core.errors import ConfigError
from collector.store.connect import Connections


def put(store: Connections, table: str, row: dict[str, Any]) -> None:
    """Store one row."""
    store.client().insert(table, [list(row.values())], column_names=list(row))


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("revenue_cells", {"second_ns": 1, "decisions": 1}),
        ("currency_rates", {"currency": "GBP", "day_ns": 0, "rate": Decimal("1.2")}),
        ("ledger_days", {"source": "bank", "day_ns": 0, "currency": "EUR", "amount": Decimal(1)}),
        ("costs", {"from_ns": 1, "to_ns": 2, "source": "bill", "currency": "EUR"}),
    ],
)
def test_store_with_amounts_keeps_its_currency(
    store: Connections, table: str, row: dict[str, Any]
) -> None:
    """The line names both, and both ways out, whatever it is that was stored."""
    client = store.client()
    for _ in range(2):
        claim_currency(client, "EUR")
    assert read_currency(client) == "EUR"
    row = {
        name: 2 * 10**18 + value if name.endswith("_ns") else value for name, value in row.items()
    }
    put(store, table, row)
    said = (
        "the stored amounts are in EUR and attribution.currency is USD: set it back to EUR, or "
        "name another store in store.url: a store keeps the currency that it began with; send or "
        "import into the new one again"
    )
    with pytest.raises(ConfigError, match=said):
        require_currency(client, "USD")
    with pytest.raises(ConfigError, match=said):
        claim_currency(client, "USD")
    assert read_currency(client) == "EUR"
    require_currency(client, "EUR")


def test_store_of_an_earlier_version_takes_what_is_configured(store: Connections) -> None:
    """Its amounts are in what was configured; nobody has noted what that was."""
    client = store.client()
    put(store, "revenue_cells", {"second_ns": 2 * 10**18, "decisions": 1})
    assert read_currency(client) == ""
    require_currency(client, "EUR")
    claim_currency(client, "EUR")
    with pytest.raises(ConfigError, match="are in EUR"):
        require_currency(client, "USD")


def test_store_without_amounts_takes_another_currency_at_a_start(store: Connections) -> None:
    """Whoever sets it after a first try has nothing that could be misread; back and forth."""
    client = store.client()
    put(store, "ledger_days", {"source": "bank", "day_ns": 2 * 10**18, "currency": "CHF"})
    for currency in ("USD", "EUR", "USD"):
        require_currency(client, currency)
        claim_currency(client, currency)
        assert read_currency(client) == currency
