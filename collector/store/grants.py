"""Pure: what a user of the store may do beyond reading one database, from its SHOW GRANTS."""

from __future__ import annotations

import re
from collections.abc import Iterable

_GRANT = re.compile(r"GRANT (?P<rights>.+) ON (?P<place>\S+) TO \S+(?P<more>.*)")
_READS = re.compile(r"(?:SELECT|SHOW(?: (?:DATABASES|TABLES|COLUMNS|DICTIONARIES))?)(?:\(.*\))?")


def excess_rights(grants: Iterable[str], database: str) -> list[str]:
    """Return the grants that are more than SELECT and SHOW on the database; roles among them.

    What it cannot read counts as more: a right that is not understood is no wall.
    """
    ours = (f"{database}.", f"`{database}`.")
    excess = []
    for grant in grants:
        match = _GRANT.fullmatch(grant.strip())
        if (
            match is None
            or not match["place"].startswith(ours)
            or not all(
                _READS.fullmatch(right) for right in re.split(r", (?![^()]*\))", match["rights"])
            )
            or match["more"]
        ):
            excess.append(grant.strip())
    return excess
