"""Addresses as one text."""

from __future__ import annotations

import errno

import pytest

from collector.core.errors import AddressInUseError, ConfigError
from collector.core.http.address import authority, listen, not_ours


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


def test_address_that_the_machine_may_get_is_waited_for() -> None:
    """An interface comes up after the service; what may not be had is a wrong setting."""
    with pytest.raises(AddressInUseError, match=r"192\.0\.2\.1:4317 .*; give this machine that"):
        listen("192.0.2.1", 4317, "collector.grpc_port")
    denied = not_ours("127.0.0.1", 43, "dashboard.port", PermissionError(errno.EACCES, "denied"))
    assert isinstance(denied, ConfigError)
    assert str(denied) == (
        "127.0.0.1:43 cannot be listened on (denied); set dashboard.port (or dashboard.host) to "
        "another"
    )
