"""Pure: who a trusted proxy says that asks: the headers of oauth2-proxy, Authelia and their like.

The peer's address decides whether they are believed, so a proxy that is trusted has to set them, or
take them away, on every request that it hands on. A header that comes twice is refused: which of
the two is the proxy's is not known.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import Field, field_validator, model_validator

from collector.auth.roles import Role, greatest
from collector.core.config import Section
from collector.core.errors import UnauthenticatedError

NAME_MAX: Final = 200
_HEADER: Final = r"^[A-Za-z][A-Za-z0-9-]{0,62}$"
# Each request has these for something else, or a program between may change them.
_OTHERS: Final = frozenset(
    {
        "accept", "authorization", "connection", "content-length", "content-type", "cookie",
        "forwarded", "host", "origin", "referer", "te", "transfer-encoding", "upgrade",
        "user-agent", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port",
        "x-forwarded-proto",
    }
)  # fmt: skip


class ProxyConfig(Section):
    """A proxy that signs people in and says in headers who asks."""

    addresses: tuple[str, ...] = Field(
        default=(),
        description="Addresses or networks it asks from, as 127.0.0.1; empty: none is believed",
    )
    user_header: str = Field(
        default="X-Forwarded-User",
        pattern=_HEADER,
        description="Header that has the name of the user: letters, digits and -",
    )
    groups_header: str = Field(
        default="X-Forwarded-Groups",
        pattern=_HEADER,
        description="Header that has the user's groups, commas between: letters, digits and -",
    )
    roles: dict[str, Role] = Field(
        default_factory=dict, description="Role of each group; of several the greatest counts"
    )
    default_role: Role | None = Field(
        default=None, description="Role of a user in none of these groups; by default refused"
    )

    @field_validator("addresses")
    @classmethod
    def _are_networks(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        v4, v6 = list[ipaddress.IPv4Network](), list[ipaddress.IPv6Network]()
        for each in addresses:
            try:
                network = ipaddress.ip_network(each)
            except ValueError as error:
                raise ValueError(
                    f"{each!r} is neither an address nor a network; {error}"
                ) from error
            if isinstance(network, ipaddress.IPv4Network):
                v4.append(network)
            else:
                v6.append(network)
        collapsed: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = [
            *ipaddress.collapse_addresses(v4),
            *ipaddress.collapse_addresses(v6),
        ]
        if any(each.prefixlen == 0 for each in collapsed):
            together = ", ".join(addresses)
            raise ValueError(f"{together} is everybody; name the addresses of the proxy")
        return addresses

    @field_validator("user_header", "groups_header")
    @classmethod
    def _is_of_its_own(cls, header: str) -> str:
        if header.lower() in _OTHERS:
            raise ValueError(
                f"{header} says something else; name the header that the proxy writes, such as "
                "X-Forwarded-User"
            )
        return header

    @field_validator("roles")
    @classmethod
    def _can_be_told_apart(cls, roles: dict[str, Role]) -> dict[str, Role]:
        for group in roles:
            if "," in group or group != group.strip() or not group:
                raise ValueError(
                    f"no user is in the group {group!r}: groups have commas between them; "
                    "name one as the header has it"
                )
        return roles

    @model_validator(mode="after")
    def _headers_differ(self) -> ProxyConfig:
        if self.user_header.lower() == self.groups_header.lower():
            raise ValueError("user_header and groups_header are one; name both")
        if self.addresses and not self.roles and self.default_role is None:
            raise ValueError("nobody has a role; set roles, default_role, or both")
        if not self.addresses and (self.roles or self.default_role is not None):
            raise ValueError("no proxy is believed, so nobody gets these roles; set addresses")
        return self


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, by the word of a proxy."""

    name: str
    role: Role | None  # None: none of the groups has one
    groups: tuple[str, ...]


class TrustedProxy:
    """Reads the headers of a proxy.

    Args:
        config: which proxy, and what its headers mean.
    """

    def __init__(self, config: ProxyConfig) -> None:
        self._config = config
        self._networks = [ipaddress.ip_network(each) for each in config.addresses]
        self._user = config.user_header.lower().encode()
        self._groups = config.groups_header.lower().encode()

    @property
    def is_on(self) -> bool:
        """Return whether there is a proxy that is believed."""
        return bool(self._networks)

    def trusts(self, peer: str) -> bool:
        """Return whether a peer's address is the proxy's."""
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        # A socket for both families shows an IPv4 peer as ::ffff:10.0.0.1.
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self._networks)

    def is_named(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Return whether a request says who asks, whoever it is from; an empty name is none."""
        return any(name == self._user and value.strip() for name, value in headers)

    def person(self, headers: Iterable[tuple[bytes, bytes]]) -> Person:
        """Return who asks, of a request that `is_named` and comes from the proxy.

        Raises:
            UnauthenticatedError: a header comes twice, or its text cannot be a name.
        """
        by_name: dict[bytes, str] = {}
        for name, value in headers:
            if name in (self._user, self._groups):
                if name in by_name:
                    raise UnauthenticatedError(
                        f"two {name.decode()} headers; the proxy has to replace what it is sent"
                    )
                by_name[name] = _text(name, value)
        user = by_name[self._user]
        if len(user) > NAME_MAX:
            raise UnauthenticatedError(
                f"the user in {self._config.user_header} has {len(user)} characters; at most "
                f"{NAME_MAX} are taken"
            )
        parts = (each.strip() for each in by_name.get(self._groups, "").split(","))
        groups = tuple(each for each in parts if each)
        roles = self._config.roles
        role = greatest(roles[each] for each in groups if each in roles)
        return Person(user, role or self._config.default_role, groups)


def _text(name: bytes, value: bytes) -> str:
    """Return a header's text: UTF-8 that can be shown, as it goes into the audit and pages."""
    try:
        text = value.decode().strip()
    except UnicodeDecodeError:
        text = "\0"
    if not text.isprintable() or (value.strip() and not text):
        raise UnauthenticatedError(
            f"{name.decode()} is not UTF-8 that can be shown; correct it in the proxy"
        )
    return text
