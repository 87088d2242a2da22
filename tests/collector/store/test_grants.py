"""A user of the store for SQL from outside has the right to read one database, and no other."""

from __future__ import annotations

import pytest

from collector.store.grants import excess_rights


@pytest.mark.parametrize(
    "grants",
    [
        [],
        ["GRANT SELECT ON millworth.* TO reader"],
        [
            "GRANT SHOW, SELECT ON millworth.* TO reader",
            "GRANT SELECT ON millworth.costs TO reader",
        ],
        ["GRANT SHOW TABLES, SHOW COLUMNS, SELECT(a, b) ON `millworth`.decisions TO reader"],
    ],
)
def test_reading_the_database_is_no_excess(grants: list[str]) -> None:
    """What SHOW GRANTS says of a user who was made as the documents say."""
    assert excess_rights(grants, "millworth") == []


@pytest.mark.parametrize(
    "grant",
    [
        "GRANT SELECT, INSERT ON millworth.* TO reader",
        "GRANT SELECT ON *.* TO reader",
        "GRANT SELECT ON millworth_old.* TO reader",
        "GRANT SELECT ON system.* TO reader",
        "GRANT READ ON FILE TO reader",
        "GRANT READ ON URL TO reader",
        "GRANT SOURCES ON *.* TO reader",
        "GRANT CREATE TEMPORARY TABLE, S3 ON *.* TO reader",
        "GRANT SELECT ON millworth.* TO reader WITH GRANT OPTION",
        "GRANT operators TO reader",
        "GRANT ALL ON *.* TO reader",
        "REVOKE SELECT ON millworth.* FROM reader",
    ],
)
def test_every_other_grant_is_named(grant: str) -> None:
    """Roles and words that are not known are no wall either."""
    grants = ["GRANT SELECT ON millworth.* TO reader", grant]
    assert excess_rights(grants, "millworth") == [grant]
