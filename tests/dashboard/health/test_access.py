"""What the Health page says of certificates and of those who were not let in."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.auth.gate import Gate, load_tokens
from collector.auth.tls import Certificates
from collector.auth.tokens import AccessConfig, TokenConfig, hash_text
from collector.core.config import TlsConfig
from collector.core.counters import Counters
from collector.core.errors import UnauthenticatedError
from collector.core.times import NS_PER_S
from dashboard.health.access import access_items
from tests.conftest import ManualClock
from tests.support.certificates import ENDS, Authority

DAY_NS = 86_400 * NS_PER_S
ENDS_NS = int(ENDS.timestamp()) * NS_PER_S


@pytest.mark.parametrize(("days", "status"), [(15, "ok"), (13, "warn"), (0, "bad"), (-1, "bad")])
def test_certificate_that_ends_soon_is_shown(tmp_path: Path, days: int, status: str) -> None:
    """Two weeks before every sender is turned away at once."""
    files = Authority(tmp_path).issue("server")
    counters, clock = Counters(), ManualClock()
    config = TlsConfig(cert_file=files.cert, key_file=files.key)
    Certificates(config, "collector.tls", clock, counters)
    (item,) = access_items(counters, Gate((), counters, clock), ENDS_NS - days * DAY_NS)
    assert (item.name, item.value, item.status) == ("collector.tls.days_left", days, status)
    assert bool(item.detail) == (status != "ok")


def test_renewal_that_is_refused_is_shown_until_it_is_good(
    tmp_path: Path, clock: ManualClock
) -> None:
    """It was a line of the log, after the next handshake, and months later no start succeeded."""
    authority, counters = Authority(tmp_path), Counters()
    files = authority.issue("server")
    Certificates(
        TlsConfig(cert_file=files.cert, key_file=files.key), "dashboard.tls", clock, counters
    )

    def refused() -> list[tuple[str, str]]:
        items = access_items(counters, Gate((), counters, clock), clock.now_ns())
        return [(item.name, item.status) for item in items if item.name.endswith("refused")]

    assert refused() == []
    files.key.write_bytes(b"half")
    assert refused() == [("dashboard.tls.refused", "warn")]
    authority.issue("server")
    assert refused() == []


@pytest.mark.parametrize(
    ("days", "status", "since"),
    [(15, "ok", ""), (13, "warn", "from then on"), (0, "bad", "now"), (-1, "bad", "now")],
)
def test_token_that_expires_soon_is_shown(
    clock: ManualClock, days: int, status: str, since: str
) -> None:
    """By default after 90 days, and its sender is then refused until somebody restarts."""
    entries = (
        {"name": "shop", "hash": hash_text("mwt_shop"), "scopes": ["traces"], "expires": ENDS},
        {"name": "ever", "hash": hash_text("mwt_ever"), "scopes": ["traces"]},
    )
    config = AccessConfig(tokens=tuple(TokenConfig.model_validate(each) for each in entries))
    counters = Counters()
    gate = Gate(load_tokens(config), counters, clock)

    item, _ = access_items(counters, gate, ENDS_NS - days * DAY_NS)

    assert (item.name, item.value, item.status) == ("access.tokens.shop.days_left", days, status)
    said = f"its sender is refused {since}: make another with `millworth token new`"
    assert item.detail.startswith(said) == (status != "ok")


def test_those_who_were_not_let_in_are_counted(clock: ManualClock) -> None:
    """Of all listeners and reasons together."""
    entry = {"name": "ops", "hash": hash_text("mwt_ops"), "scopes": ["read"]}
    counters = Counters()
    tokens = load_tokens(AccessConfig(tokens=(TokenConfig.model_validate(entry),)))
    gate = Gate(tokens, counters, clock)
    for listener, header in (("http", None), ("grpc", "Bearer x"), ("grpc", "Bearer x")):
        with pytest.raises(UnauthenticatedError):
            gate.sender(listener, header)
    (item,) = access_items(counters, gate, clock.now_ns())
    assert (item.name, item.value) == ("access.denied", 3)
