"""Pure: the settings of the dashboard and of `/api/v1`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import Field, field_validator

from collector.auth.tokens import AccessConfig
from collector.core.config import Address, CollectorConfig, Section, TlsConfig
from collector.core.http.address import authority

# Of one file of outcomes, costs or rates that is sent to be imported.
IMPORT_BYTES_MAX = 64 * 1024 * 1024


class DashboardConfig(Section):
    """Where the pages and `/api/v1` are served, and how often the pages read anew."""

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on; beyond loopback only with tokens or client certificates",
    )
    port: int = Field(default=8050, ge=0, le=65535, description="Port to listen on; 0 takes any")
    refresh_s: float = Field(
        default=5.0, ge=1, le=3600, description="Time between two readings of an open page"
    )
    public_url: Address = Field(
        default="",
        description="Address by which browsers reach the pages, as https://millworth.example.com; "
        "its host is then accepted",
    )
    workers: int = Field(
        default=4, ge=1, le=64, description="Reads of the store that run at the same time"
    )
    connections_max: int = Field(
        default=256, gt=0, description="Connections at a time; 503 over it"
    )
    tls: TlsConfig = Field(default_factory=TlsConfig)

    @field_validator("public_url")
    @classmethod
    def _is_an_address_of_pages(cls, url: str) -> str:
        scheme, mark, rest = url.partition("://")
        host, _, path = rest.partition("/")
        if not url:
            return url
        if scheme not in ("http", "https") or not mark or not host or set(host) & set(" ?#"):
            raise ValueError(
                "expected Address by which browsers reach the pages, as "
                "https://millworth.example.com"
            )
        if path:
            raise ValueError(
                "has a path, and pages are served at / alone; give them a name of their own, as "
                "https://millworth.example.com"
            )
        return url


_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104  what is compared with, not listened on


@dataclass(frozen=True, slots=True)
class SenderDoor:
    """Where senders send over HTTP, and what the receiver asks of them.

    Attributes:
        url: of the receiver; where it listens on all addresses, with a name to fill in.
        needs_token: whether a request without a token is refused.
        needs_certificate: whether a sender has to show a certificate of its own.
    """

    url: str = "http://127.0.0.1:4318"
    needs_token: bool = False
    needs_certificate: bool = False

    @property
    def is_tls(self) -> bool:
        """Return whether the receiver shows a certificate, which a sender has to trust."""
        return self.url.startswith("https:")


def sender_door(collector: CollectorConfig, access: AccessConfig) -> SenderDoor:
    """Return what senders are shown."""
    scheme = "https" if collector.tls.is_on else "http"
    host = "THIS-HOST" if collector.host in _EVERYWHERE else collector.host
    return SenderDoor(
        f"{scheme}://{authority(host, collector.http_port)}",
        needs_token=bool(access.tokens),
        needs_certificate=collector.tls.client_ca_file is not None,
    )


def require_ports_apart(collector: CollectorConfig, dashboard: DashboardConfig) -> None:
    """Raise ValueError where two of them would listen on one port."""
    used: dict[tuple[str, int], str] = {}
    for name, host, port in (
        ("collector.grpc_port", collector.host, collector.grpc_port),
        ("collector.http_port", collector.host, collector.http_port),
        ("dashboard.port", dashboard.host, dashboard.port),
    ):
        other = used.setdefault((host, port), name)
        if port and other != name:
            raise ValueError(f"{name} is {port}, as {other} is; give each its own")
