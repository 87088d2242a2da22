"""I/O: statements over decisions with what each was worth and lost, by one text for all of them."""

from __future__ import annotations

from collections.abc import Sequence

from collector.core.sql import fill, sql

# Whether some decisions of a range are worth what they state.
STATED = sql("stated", __file__)
_PRICED = sql("priced", __file__)


def over_priced(statement: str, decisions: str, carried: Sequence[str]) -> str:
    """Return a statement with `priced.sql` for `${priced}`, and its decisions for `${filtered}`.

    Args:
        statement: that asks.
        decisions: the statement of those that are priced.
        carried: columns of them that it needs beside those of `priced.sql`.
    """
    columns = ", ".join(f"d.{name} AS {name}" for name in carried)
    filtered = decisions.rstrip()
    priced = fill(_PRICED.rstrip(), carried=columns, filtered=filtered)
    return fill(statement, priced=priced, filtered=filtered)
