"""I/O: lets a request in by its bearer token, or says why not; counts both by sender.

One gate serves every listener of the process, so that a sender's limit holds over all of them.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterable, Sequence

from collector.auth.proxied import ProxyConfig, TrustedProxy
from collector.auth.roles import Role
from collector.auth.tokens import (
    HASH_PREFIX,
    AccessConfig,
    Allowance,
    Scope,
    Token,
    TokenConfig,
    find,
    presented_token,
)
from collector.core.clock import Clock
from collector.core.config import TlsConfig
from collector.core.counters import Counters
from collector.core.errors import (
    ConfigError,
    PermissionDeniedError,
    RateLimitedError,
    UnauthenticatedError,
)
from collector.core.log import get_logger
from collector.core.times import NS_PER_MINUTE, NS_PER_S

_LOG = get_logger("collector")
# A sender with a wrong token asks again and again: one line a minute and reason is enough.
_SAY_AGAIN_NS = NS_PER_MINUTE
# RFC 6750: a request without credentials is told the scheme and no error code.
CHALLENGE = 'Bearer realm="millworth"'


def load_tokens(config: AccessConfig) -> tuple[Token, ...]:
    """Return what is kept of each token.

    Raises:
        ConfigError: an entry has no hash, a file cannot be read, or two entries are one token.
    """
    tokens = tuple(_token(place, entry) for place, entry in enumerate(config.tokens))
    by_digest: dict[bytes, str] = {}
    for token in tokens:
        other = by_digest.setdefault(token.digest, token.name)
        if other != token.name:
            raise ConfigError(
                f"access.tokens: {other} and {token.name} have the same hash, so neither could be "
                "told from the other; make a token for each with `millworth token new`"
            )
    return tokens


def _token(place: int, entry: TokenConfig) -> Token:
    expires = entry.expires
    return Token(
        name=entry.name,
        digest=bytes.fromhex(_hash(place, entry).removeprefix(HASH_PREFIX)),
        scopes=frozenset(entry.scopes),
        role=entry.role,
        # To the second: datetime holds no nanoseconds, and a float of them would be rounded.
        expires_ns=None if expires is None else int(expires.timestamp()) * NS_PER_S,
        requests_per_s=entry.requests_per_s,
        bytes_per_s=entry.bytes_per_s,
    )


def _hash(place: int, entry: TokenConfig) -> str:
    key = f"access.tokens.{place}"
    if bool(entry.hash) == (entry.hash_file is not None):
        raise ConfigError(
            f"{key}: token {entry.name} needs hash or hash_file, and not both; `millworth token "
            "new` prints an entry, and the hash may be in the environment as "
            f"MILLWORTH__ACCESS__TOKENS__{place}__HASH"
        )
    if entry.hash_file is None:
        return entry.hash
    try:
        text = entry.hash_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise ConfigError(
            f"{key}.hash_file: {entry.hash_file} cannot be read: {reason}; correct the path or its "
            "mode"
        ) from error
    digits = text.removeprefix(HASH_PREFIX)
    if not text.startswith(HASH_PREFIX) or len(digits) != 64 or set(digits) - set(_HEX):
        # Not shown: whoever put the token itself there shall not find it in a log.
        raise ConfigError(
            f"{key}.hash_file: {entry.hash_file} is not sha256: and 64 hex digits; put there what "
            "`millworth token new` prints as hash"
        )
    return text


_HEX = "0123456789abcdef"


class Sender:
    """Who was let in, and how much it may still do.

    Args:
        name: of the token or the user.
        kind: token, user or stranger; anybody is whoever had to show nothing, and may everything.
        scopes: what it may send.
        role: what it may do otherwise; None for nothing.
        expires_ns: Unix ns, None for never.
    """

    def __init__(
        self,
        name: str = "",
        kind: str = "anybody",
        scopes: frozenset[Scope] = frozenset(),
        role: Role | None = None,
        expires_ns: int | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.role = role
        self.expires_ns = expires_ns
        self.allowances: list[tuple[bool, Allowance]] = []  # of requests, else of bytes
        self._scopes = scopes

    @classmethod
    def of(cls, token: Token, now_ns: int) -> Sender:
        """Return who shows a token."""
        sender = cls(token.name, "token", token.scopes, token.role, token.expires_ns)
        sender.allowances = [
            (per_request, Allowance(per_s, now_ns))
            for per_request, per_s in ((True, token.requests_per_s), (False, token.bytes_per_s))
            if per_s is not None
        ]
        return sender

    def __str__(self) -> str:
        """Return who it is as the audit has it, "" for whoever had to show nothing."""
        return "" if self.kind == "anybody" else f"{self.kind} {self.name}"

    @property
    def counted(self) -> str:
        """Return the name in counters; of users all have one, as there may be any number."""
        return {"token": self.name, "user": "access.proxy"}.get(self.kind, "")

    def may(self, *needed: Scope | Role) -> bool:
        """Return whether it may do one of these."""
        return self.kind == "anybody" or any(
            (self.role is not None and self.role.includes(each))
            if isinstance(each, Role)
            else each in self._scopes
            for each in needed
        )


class Gate:
    """Admits requests. Without a token in the settings it is open.

    Args:
        tokens: that are good.
        counters: of who was let in and who was not.
        clock: the time.
        proxy: that says who asks for pages and `/api/v1`.
    """

    def __init__(
        self,
        tokens: Sequence[Token],
        counters: Counters,
        clock: Clock,
        proxy: ProxyConfig | None = None,
    ) -> None:
        self.proxy = TrustedProxy(proxy or ProxyConfig())
        self._tokens = tuple(tokens)
        self._counters = counters
        self._clock = clock
        now_ns = clock.monotonic_ns()
        self._senders = {token.name: Sender.of(token, now_ns) for token in self._tokens}
        self._anybody = Sender()
        self._lock = threading.Lock()
        self._said_ns: dict[tuple[str, str, str], int] = {}
        for token in self._tokens:
            if token.expires_ns is not None:
                counters.token_expires.labels(token.name).set(token.expires_ns // NS_PER_S)

    @property
    def asks(self) -> bool:
        """Return whether a sender has to show a token."""
        return bool(self._tokens)

    @property
    def asks_people(self) -> bool:
        """Return whether whoever opens a page has to say who it is."""
        return bool(self._tokens) or self.proxy.is_on

    def admit(self, listener: str, authorization: str | None, scope: Scope) -> Sender:
        """Let one request in, before its body is read.

        Args:
            listener: grpc, http or dashboard, for the count.
            authorization: the header as it came, None without one.
            scope: what the request does.

        Raises:
            UnauthenticatedError: no token, one that nobody has, or one that has expired.
            PermissionDeniedError: it may not do this.
            RateLimitedError: it did as much as it may for now.
        """
        if not self._tokens:
            return self._anybody
        sender = self.sender(listener, authorization)
        self.require(listener, sender, scope)
        self.spend(listener, sender)
        return sender

    def require(self, listener: str, sender: Sender, *needed: Scope | Role) -> None:
        """Raise PermissionDeniedError where a sender may do none of these."""
        if sender.may(*needed):
            return
        is_role = isinstance(needed[0], Role)
        self._deny(listener, sender, "role" if is_role else "scope")
        raise PermissionDeniedError(denial(sender, *needed))

    def charge(self, sender: Sender, size: int) -> None:
        """Count the bytes of a request that was read."""
        if not sender.allowances:
            return
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            for per_request, allowance in sender.allowances:
                if not per_request:
                    allowance.take(size, now_ns)

    def sender(self, listener: str, authorization: str | None) -> Sender:
        """Return whose token an Authorization header has. Raises UnauthenticatedError."""
        presented = presented_token(authorization) if authorization else None
        if presented is None:
            self._deny(listener, self._anybody, "missing")
            raise UnauthenticatedError(
                "a token is needed; send the header `Authorization: Bearer TOKEN`"
            )
        token = find(presented, self._tokens)
        if token is None:
            self._deny(listener, self._anybody, "unknown")
            raise UnauthenticatedError(
                "this token is not known here; check it, or make one with `millworth token new`"
            )
        sender = self._senders[token.name]
        if token.expires_ns is not None and token.expires_ns <= self._clock.now_ns():
            self._deny(listener, sender, "expired")
            raise UnauthenticatedError(
                f"token {token.name} has expired; make another with `millworth token new`"
            )
        return sender

    def by_proxy(
        self, listener: str, peer: str, headers: Sequence[tuple[bytes, bytes]]
    ) -> Sender | None:
        """Return the user that the proxy says asks, None where it says nothing.

        Args:
            listener: for the count.
            peer: address of whoever sends the request.
            headers: its own, names in lower case.

        Raises:
            UnauthenticatedError: the proxy says it twice, or in no text.
        """
        if not self.proxy.is_on or not self.proxy.is_named(headers):
            return None
        if not self.proxy.trusts(peer):
            self._counters.proxy_headers_ignored.labels(listener).inc()
            return None
        try:
            person = self.proxy.person(headers)
        except UnauthenticatedError:
            self._deny(listener, self._anybody, "proxy")
            raise
        return Sender(person.name, "user", role=person.role)

    def spend(self, listener: str, sender: Sender) -> None:
        """Count one request of whoever was let in. Raises RateLimitedError."""
        self._spend_request(listener, sender)
        self._counters.admitted.labels(listener, sender.counted).inc()

    def _spend_request(self, listener: str, sender: Sender) -> None:
        if not sender.allowances:
            return
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            seconds = max(allowance.wait_seconds(now_ns) for _, allowance in sender.allowances)
            if seconds == 0:
                for per_request, allowance in sender.allowances:
                    if per_request:
                        allowance.take(1, now_ns)
                return
        self._deny(listener, sender, "rate")
        raise RateLimitedError(
            f"token {sender.name} sent as much as it may for now; retry after {seconds} s, or "
            "raise its limit in [[access.tokens]]",
            seconds,
        )

    def _deny(self, listener: str, sender: Sender, reason: str) -> None:
        counted = sender.counted
        self._counters.denied.labels(listener, counted, reason).inc()
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            said_ns = self._said_ns.get((listener, counted, reason))
            if said_ns is not None and now_ns - said_ns < _SAY_AGAIN_NS:
                return
            self._said_ns[listener, counted, reason] = now_ns
        _LOG.warning("request_denied", listener=listener, sender=sender.name or None, reason=reason)


def denial(sender: Sender, *needed: Scope | Role) -> str:
    """Return why a sender may do none of these, and the remedy."""
    first = needed[0]
    if isinstance(first, Scope):
        return (
            f"token {sender.name} has no scope {first}; add it to the token's entry in "
            "[[access.tokens]], or send with another token"
        )
    has = f"has the role {sender.role}" if sender.role else "has no role"
    remedy = (
        "put one of the user's groups to it in [access.proxy.roles]"
        if sender.kind == "user"
        else "use a token that has it (`millworth token new --role`)"
    )
    return f"{sender} {has}, and this needs the role {first}; {remedy}"


def require_authentication(
    listener: str, key: str, host: str, tls: TlsConfig, *, asks: bool
) -> None:
    """Refuse to listen where others can reach an open door.

    Args:
        listener: its name for a person, such as OTLP/gRPC.
        key: the setting that holds the address.
        host: the address.
        tls: of this listener; a client authority in it authenticates.
        asks: whether a token is needed.

    Raises:
        ConfigError: others can reach the address, and anybody would be let in.
    """
    if asks or tls.client_ca_file is not None or is_loopback(host):
        return
    raise ConfigError(
        f"{key}: {listener} would listen on {host} for everybody, without authentication; add a "
        f"token (`millworth token new`), or set {key.rpartition('.')[0]}.tls.client_ca_file, or "
        "listen on 127.0.0.1"
    )


def require_doors(
    access: AccessConfig, listeners: Iterable[tuple[str, str, str, TlsConfig]]
) -> int:
    """Return how many tokens there are. Raises ConfigError where a door is open to others.

    Args:
        access: who is let in.
        listeners: each with its name, the key of its address, the address and its TLS.
    """
    count = len(load_tokens(access))
    for listener, key, host, tls in listeners:
        # A proxy says who looks, and nothing of senders.
        asks = bool(count) or (key == "dashboard.host" and bool(access.proxy.addresses))
        require_authentication(listener, key, host, tls, asks=asks)
    return count


def open_listener(listener: str, key: str, host: str, tls: TlsConfig, *, asks: bool) -> None:
    """As `require_authentication`, by a listener about to open; warns of tokens in the clear."""
    require_authentication(listener, key, host, tls, asks=asks)
    if asks and not tls.is_on and not is_loopback(host):
        _LOG.warning("tokens_in_clear", listener=listener, host=host)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address; other names may be any."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
