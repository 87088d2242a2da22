"""Pure: the settings of the dashboard and of `/api/v1`."""

from __future__ import annotations

import ipaddress

from pydantic import Field, field_validator

from collector.config import Section


class DashboardConfig(Section):
    """Where the pages and `/api/v1` are served, and how often the pages read anew."""

    host: str = Field(
        default="127.0.0.1", description="Address to listen on; loopback only, see public_url"
    )
    port: int = Field(default=8050, ge=0, le=65535, description="Port to listen on; 0 takes any")
    refresh_s: float = Field(
        default=5.0, ge=1, le=3600, description="Time between two readings of an open page"
    )
    public_url: str = Field(
        default="",
        pattern=r"^(|https?://[^/\s]+)/?$",
        description="Address by which a proxy in front serves the pages; its host is then accepted",
    )
    workers: int = Field(
        default=4, ge=1, le=64, description="Reads of the store that run at the same time"
    )

    @field_validator("host")
    @classmethod
    def _loopback_only(cls, host: str) -> str:
        if host == "localhost":
            return host
        try:
            loopback = ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise ValueError(
                f"{host!r} is not a loopback address, and the pages have no authentication; use "
                "127.0.0.1 and put a proxy that authenticates in front (name it in public_url)"
            )
        return host
