"""I/O: the currency of a store, so that no stored amount is read as if it was in another.

Cells, rates and what follows from them are kept without a currency, in the one that was configured
when they were written. So a store has one: that of the first start that attributes.
"""

from __future__ import annotations

from typing import Final

from clickhouse_connect.driver.client import Client

from collector.core.errors import ConfigError

_LAST: Final = "SELECT max(revision), argMax(currency, revision) FROM value_currencies FINAL"
_AMOUNTS: Final = (
    "SELECT 1 FROM revenue_cells LIMIT 1"
    " UNION ALL SELECT 1 FROM currency_rates LIMIT 1"
    " UNION ALL SELECT 1 FROM ledger_days WHERE currency = {currency:String} LIMIT 1"
    " UNION ALL SELECT 1 FROM costs WHERE currency = {currency:String} LIMIT 1"
)


def read_currency(client: Client) -> str:
    """Return what the stored amounts are in, ISO 4217; "" where nobody has noted it yet."""
    return _last(client)[1]


def require_currency(client: Client, configured: str) -> None:
    """Raise ConfigError where stored amounts are in another currency than the one configured.

    The text names both, and both ways out.
    """
    store_currency = read_currency(client)
    if store_currency in ("", configured):
        return
    if client.query(_AMOUNTS, parameters={"currency": store_currency}).result_rows:
        raise ConfigError(
            f"the stored amounts are in {store_currency} and attribution.currency is {configured}: "
            f"set it back to {store_currency}, or name another store in store.url: a store keeps "
            "the currency that it began with; send or import into the new one again"
        )


def claim_currency(client: Client, configured: str) -> None:
    """Note the currency of whoever begins to write amounts, where none is noted or none is stored.

    Raises:
        ConfigError: there are amounts in another one.
    """
    revision, store_currency = _last(client)
    if store_currency != configured:
        require_currency(client, configured)
        columns = ["revision", "currency"]
        client.insert("value_currencies", [[revision + 1, configured]], column_names=columns)


def _last(client: Client) -> tuple[int, str]:
    ((revision, currency),) = client.query(_LAST).result_rows
    return int(revision), str(currency)
