"""Pure: bearer tokens: what is kept of one, what it may do, and how much of it.

A token is 256 random bits, so one SHA-256 of it is as safe to keep as a slow password hash: there
is nothing to guess.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, Field, SecretStr, model_validator

from collector.auth.proxied import ProxyConfig
from collector.auth.roles import Role, greatest
from collector.core.config import LocalPath, Section
from collector.core.times import NS_PER_S

PREFIX = "mwt_"  # tells a scanner of sources and logs what it has found
HASH_PREFIX = "sha256:"
_SECRET_BYTES = 32
_PRESENTED_CHARS_MAX = 512


class Scope(StrEnum):
    """What a token lets its holder send."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"
    OUTCOMES = "outcomes"  # what decisions earned, as log records or as a file
    ALERTS = "alerts"  # what Prometheus, vmalert and Grafana push to /api/v2/alerts


# What a token of an earlier release says in place of a role.
_FORMER: Final = {"read": Role.VIEWER, "admin": Role.ADMIN}


class TokenConfig(Section):
    """One sender or reader, known by its token; `millworth token new` prints an entry."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$",
        description="Who it is: a-z, 0-9, dot, dash; the name in counters and logs",
    )
    hash: str = Field(
        default="",
        pattern=r"^(|sha256:[0-9a-f]{64})$",
        description="sha256: and 64 hex digits, as `millworth token new` prints them",
    )
    hash_file: LocalPath | None = Field(default=None, description="Instead: a file with that text")
    scopes: tuple[Scope, ...] = Field(
        default=(), description="What it sends, of traces, logs, metrics, outcomes, alerts"
    )
    role: Role | None = Field(
        default=None,
        description="Of a person, or of what reads: viewer, responder, operator or admin",
    )
    expires: AwareDatetime | None = Field(
        default=None,
        description="A date and time with its offset, as 2027-06-30T00:00:00Z; by default never",
    )
    requests_per_s: float | None = Field(
        default=None, gt=0, description="Requests a second; by default any"
    )
    bytes_per_s: float | None = Field(
        default=None, gt=0, description="Bytes a second after decompression; by default any"
    )

    @model_validator(mode="before")
    @classmethod
    def _former_scopes(cls, entry: object) -> object:
        """Take read and admin, which were scopes before there were roles."""
        if not isinstance(entry, dict) or not isinstance(entry.get("scopes"), list | tuple):
            return entry
        former = [_FORMER[each] for each in entry["scopes"] if each in _FORMER]
        if not former or entry.get("role") is not None:
            return entry
        sent = tuple(each for each in entry["scopes"] if each not in _FORMER)
        return {**entry, "scopes": sent, "role": greatest(former)}

    @model_validator(mode="after")
    def _may_do_something(self) -> TokenConfig:
        if not self.scopes and self.role is None:
            raise ValueError(f"token {self.name} may do nothing; give it scopes, a role, or both")
        return self


class AccessConfig(Section):
    """Who may send and who may read; with one token, nobody may without."""

    tokens: tuple[TokenConfig, ...] = Field(default=(), description="One entry a sender or reader")
    token: SecretStr = Field(
        default=SecretStr(""), description="Token that commands send to the service, with a role"
    )
    session_hours: float = Field(
        default=12, gt=0, le=168, description="A browser that signed in has to again after this"
    )
    proxy: ProxyConfig = Field(default_factory=ProxyConfig)
    ca_file: LocalPath | None = Field(
        default=None,
        description="Authority of the service's certificate, for commands; by default the system's",
    )
    client_cert_file: LocalPath | None = Field(
        default=None, description="Certificate that commands show where dashboard.tls asks for one"
    )
    client_key_file: LocalPath | None = Field(default=None, description="Key of that certificate")

    @model_validator(mode="after")
    def _named_once(self) -> AccessConfig:
        names = [token.name for token in self.tokens]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two tokens are named {twice!r}; give each its own name")
        return self


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of one token; never the token."""

    name: str
    digest: bytes
    scopes: frozenset[Scope]
    role: Role | None  # None: it only sends
    expires_ns: int | None  # None: never
    requests_per_s: float | None  # None: any
    bytes_per_s: float | None


def new_token() -> str:
    """Return a token that nobody has."""
    return PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def hash_text(token: str) -> str:
    """Return what is stored of a token."""
    return HASH_PREFIX + _digest(token).hex()


def find(presented: str, tokens: Iterable[Token]) -> Token | None:
    """Return the token that was presented, None where nobody has it.

    Every one is compared, whole, whichever matches: how long it takes tells nothing.
    """
    digest = _digest(presented)
    match = None
    for token in tokens:
        if hmac.compare_digest(token.digest, digest):
            match = token
    return match


def presented_token(authorization: str) -> str | None:
    """Return the token of an Authorization header, None where there is none.

    A browser that is asked for a name and a password sends Basic: the password is the token, and
    the name is of no matter.
    """
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    if not value or len(value) > _PRESENTED_CHARS_MAX:
        return None
    if scheme.lower() == "bearer":
        return value
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return pair.partition(":")[2] or None


class Allowance:
    """How much of something is left at a rate; its owner locks it.

    What costs more than is left is still allowed once, and is paid back before the next: a request
    shows its size only after it was read. At most one second's worth is saved up.
    """

    def __init__(self, per_s: float, now_ns: int) -> None:
        self._per_s = per_s
        self._most = max(per_s, 1.0)
        self._left = self._most
        self._at_ns = now_ns

    def wait_seconds(self, now_ns: int) -> int:
        """Return 0 where something is left, else the whole seconds until there is."""
        self._fill(now_ns)
        if self._left > 0:
            return 0
        return max(1, math.ceil(-self._left / self._per_s))

    def take(self, amount: float, now_ns: int) -> None:
        """Take some, into debt where it has to be."""
        self._fill(now_ns)
        self._left -= amount

    def _fill(self, now_ns: int) -> None:
        passed_s = max(now_ns - self._at_ns, 0) / NS_PER_S
        self._left = min(self._left + passed_s * self._per_s, self._most)
        self._at_ns = max(self._at_ns, now_ns)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
