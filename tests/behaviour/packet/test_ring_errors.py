"""Why a packet socket is not to be had, in words that say what to change."""

from __future__ import annotations

import errno
import os

import pytest

from packet.capture.mapped_ring import not_opened


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EPERM, "needs the privilege CAP_NET_RAW"),
        (errno.EAFNOSUPPORT, "allow the address family AF_PACKET"),
        (errno.ENOBUFS, "No buffer space available"),
    ],
)
def test_socket_that_is_refused_is_no_crash(number: int, said: str) -> None:
    """The service runs on without packets, also in a sandbox that knows no packet sockets."""
    error = OSError(number, os.strerror(number))
    assert said in str(not_opened("eth0", error))
    assert "packet.interface eth0: " in str(not_opened("eth0", error))
