"""Addresses as one text."""

from __future__ import annotations

import pytest

from collector.core.errors import ConfigError
from collector.core.http.address import authority, listen


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("127.0.0.1", "127.0.0.1:4317", id="IPv4"),
        pytest.param("localhost", "localhost:4317", id="name"),
        pytest.param("::1", "[::1]:4317", id="IPv6 in brackets"),
    ],
)
def test_address_of_each_kind(host: str, expected: str) -> None:
    """Without the brackets gRPC read `::1:4317` as one long address and did not start."""
    assert authority(host, 4317) == expected


def test_address_of_no_machine_of_ours_is_a_wrong_setting() -> None:
    """A taken port passes by itself; this one a person has to change."""
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1:4317 .*; set collector\.grpc_port"):
        listen("192.0.2.1", 4317, "collector.grpc_port")
