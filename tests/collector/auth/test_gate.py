"""Who is let in, who is not, and that both are counted by name and never by token."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.auth.gate import Gate, load_tokens, require_authentication
from collector.auth.roles import Role
from collector.auth.tokens import AccessConfig, Scope, TokenConfig, hash_text
from collector.core.config import TlsConfig
from collector.core.counters import Counters
from collector.core.errors import (
    ConfigError,
    PermissionDeniedError,
    RateLimitedError,
    UnauthenticatedError,
)
from collector.core.times import NS_PER_S
from tests.conftest import NOW_NS, ManualClock

SECRET = "mwt_made-up"
HEADER = f"Bearer {SECRET}"
MTLS = TlsConfig(cert_file=Path("/c"), key_file=Path("/k"), client_ca_file=Path("/a"))
TLS = TlsConfig(cert_file=Path("/c"), key_file=Path("/k"))


def entry(name: str = "shop", secret: str = SECRET, **more: object) -> TokenConfig:
    """Return the settings of one token."""
    values = {"name": name, "hash": hash_text(secret), "scopes": ["traces"], **more}
    return TokenConfig.model_validate(values)


def gate(clock: ManualClock, *entries: TokenConfig) -> tuple[Gate, Counters]:
    """Return a gate with these tokens, and what it counts in."""
    counters = Counters()
    return Gate(load_tokens(AccessConfig(tokens=entries)), counters, clock), counters


def denied(counters: Counters) -> dict[tuple[str, ...], float]:
    """Return how often whom was denied, and why."""
    return {
        tuple(sample.labels[key] for key in ("listener", "sender", "reason")): sample.value
        for metric in counters.denied.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }


def test_without_tokens_everybody_may_everything(clock: ManualClock) -> None:
    """Loopback without a setting works; the listeners refuse to be reached by others."""
    open_gate, counters = gate(clock)
    sender = open_gate.admit("grpc", None, Scope.TRACES)
    open_gate.require("grpc", sender, Role.ADMIN)
    open_gate.charge(sender, 10**9)
    assert (sender.name, open_gate.asks, denied(counters)) == ("", False, {})


@pytest.mark.parametrize(
    ("header", "reason", "said"),
    [
        (None, "missing", "a token is needed"),
        ("", "missing", "a token is needed"),
        ("Basic !", "missing", "a token is needed"),
        ("Bearer mwt_other", "unknown", "not known here"),
        (f"Bearer {hash_text(SECRET)}", "unknown", "not known here"),
    ],
)
def test_stranger_is_refused_and_counted(
    clock: ManualClock, header: str | None, reason: str, said: str
) -> None:
    """With one token in the settings nobody comes in without; the hash is no token."""
    closed, counters = gate(clock, entry())
    with pytest.raises(UnauthenticatedError, match=said) as raised:
        closed.admit("http", header, Scope.TRACES)
    assert denied(counters) == {("http", "", reason): 1}
    assert "mwt_other" not in str(raised.value)


def test_token_does_what_its_scopes_say_and_is_counted_by_name(clock: ManualClock) -> None:
    """The refusal names the token's entry and the scope that is missing."""
    closed, counters = gate(clock, entry())
    assert closed.admit("grpc", HEADER, Scope.TRACES).name == "shop"
    with pytest.raises(PermissionDeniedError, match="token shop has no scope logs"):
        closed.admit("grpc", HEADER, Scope.LOGS)
    assert denied(counters) == {("grpc", "shop", "scope"): 1}
    assert counters.admitted.labels("grpc", "shop")._value.get() == 1


def test_token_ends_at_the_second_that_it_names(clock: ManualClock) -> None:
    """One nanosecond before it is good."""
    ends = datetime.fromtimestamp(NOW_NS // NS_PER_S, UTC)
    closed, counters = gate(clock, entry(expires=ends))
    clock.ns = NOW_NS - 1
    closed.admit("grpc", HEADER, Scope.TRACES)
    clock.ns = NOW_NS
    with pytest.raises(UnauthenticatedError, match="token shop has expired"):
        closed.admit("grpc", HEADER, Scope.TRACES)
    assert denied(counters) == {("grpc", "shop", "expired"): 1}


def test_requests_over_the_limit_wait_and_others_do_not(clock: ManualClock) -> None:
    """One sender's limit is over all listeners, and touches nobody else."""
    closed, counters = gate(clock, entry(requests_per_s=2), entry(name="other", secret="mwt_other"))
    closed.admit("grpc", HEADER, Scope.TRACES)
    closed.admit("http", HEADER, Scope.TRACES)
    with pytest.raises(RateLimitedError, match="token shop sent as much") as raised:
        closed.admit("grpc", HEADER, Scope.TRACES)
    assert raised.value.retry_seconds == 1
    closed.admit("grpc", "Bearer mwt_other", Scope.TRACES)
    clock.ns += NS_PER_S
    closed.admit("grpc", HEADER, Scope.TRACES)
    assert denied(counters) == {("grpc", "shop", "rate"): 1}


def test_bytes_over_the_limit_are_paid_back_before_the_next_request(clock: ManualClock) -> None:
    """The size of a request is known after it was read; it counts against the next."""
    closed, _ = gate(clock, entry(bytes_per_s=100))
    closed.charge(closed.admit("grpc", HEADER, Scope.TRACES), 550)
    with pytest.raises(RateLimitedError) as raised:
        closed.admit("grpc", HEADER, Scope.TRACES)
    assert raised.value.retry_seconds == 5
    clock.ns += 5 * NS_PER_S
    closed.admit("grpc", HEADER, Scope.TRACES)


def test_hash_may_be_in_a_file(tmp_path: Path) -> None:
    """As a secret store mounts it, with a new line at its end."""
    path = tmp_path / "shop.hash"
    path.write_text(hash_text(SECRET) + "\n")
    (token,) = load_tokens(AccessConfig(tokens=(entry(hash="", hash_file=path),)))
    assert f"sha256:{token.digest.hex()}" == hash_text(SECRET)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        (b"\xff", "cannot be read: not text"),
        (b"mwt_the-token-itself", "is not sha256: and 64 hex digits"),
        (b"sha256:zz", "is not sha256: and 64 hex digits"),
    ],
)
def test_hash_file_that_is_none_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    """Its content is not shown: it may be the token."""
    path = tmp_path / "shop.hash"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"access\.tokens\.0\.hash_file: .*{said}") as raised:
        load_tokens(AccessConfig(tokens=(entry(hash="", hash_file=path),)))
    assert "the-token-itself" not in str(raised.value)


def test_entry_without_a_hash_or_with_two_is_named() -> None:
    """A hash that was meant to come from the environment and did not is the usual cause."""
    for more in ({"hash": ""}, {"hash_file": "/x"}):
        with pytest.raises(ConfigError, match=r"TOKENS__0__HASH"):
            load_tokens(AccessConfig(tokens=(entry(**more),)))


def test_one_token_under_two_names_is_refused() -> None:
    """Which of the two limits holds would be a matter of chance."""
    with pytest.raises(ConfigError, match="a and b have the same hash"):
        load_tokens(AccessConfig(tokens=(entry("a"), entry("b"))))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", ""])
@pytest.mark.parametrize("tls", [TlsConfig(), TLS])
def test_open_door_on_the_network_is_refused(host: str, tls: TlsConfig) -> None:
    """Encryption alone says nothing about who is there."""
    with pytest.raises(ConfigError) as raised:
        require_authentication("OTLP/gRPC", "collector.host", host, tls, asks=False)
    assert str(raised.value).startswith("collector.host: OTLP/gRPC would listen on ")
    assert "collector.tls.client_ca_file" in str(raised.value)
    assert "\n" not in str(raised.value)
    require_authentication("OTLP/gRPC", "collector.host", host, tls, asks=True)
    require_authentication("OTLP/gRPC", "collector.host", host, MTLS, asks=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "localhost", "::1"])
def test_loopback_needs_no_authentication(host: str) -> None:
    """Each of its names will do."""
    require_authentication("OTLP/gRPC", "collector.host", host, TlsConfig(), asks=False)
