"""Pure: whether the packets of a connection are in the sample, said by a service of itself.

The twin of `packet.decode.sampler` in plain integers, since a customer's service has OpenTelemetry
and nothing else: whoever knows both ends of a connection comes to the decision that every recorder
comes to, without asking one.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from collector.core.times import NS_PER_S

_MASK: Final = 0xFFFFFFFF
_MIX_1, _MIX_2 = 0x85EBCA6B, 0xC2B2AE35  # MurmurHash3, fmix32
_PORT: Final = 0x9E3779B1
_EPOCH: Final = 0x632BE5AB
_TCP: Final = 6
_MAPPED: Final = 0xFFFF << 32  # an IPv4 address is hashed as IPv6 spells it, ::ffff:a.b.c.d
# Connections of one service at a time; each is hashed once in its life.
_CONNECTIONS: Final = 4096


@dataclass(frozen=True, slots=True)
class PacketSample:
    """The sample that the recorders keep: `packet.sample_ratio` and `packet.sample_epoch_s`."""

    ratio: float
    epoch_s: int = 10

    def keeps(self, one: tuple[str, int], other: tuple[str, int], at_ns: int) -> bool | None:
        """Return whether a TCP connection's packets are kept at an instant.

        Args:
            one: address and port of one end, whichever.
            other: of the other end.
            at_ns: Unix nanoseconds; the draw is another one in each epoch.

        Returns:
            None where an end has a name instead of an address, which no packet shows.
        """
        flow = _flow(one[0], one[1], other[0], other[1])
        if flow is None:
            return None
        seed = _finish((at_ns // (self.epoch_s * NS_PER_S) * _EPOCH + _PORT) & _MASK)
        return _finish(flow ^ seed) < round(self.ratio * 2**32)


@lru_cache(_CONNECTIONS)
def _flow(one: str, one_port: int, other: str, other_port: int) -> int | None:
    try:
        ends = _endpoint(one, one_port) + _endpoint(other, other_port)
    except ValueError:
        return None
    return _finish((ends & _MASK) ^ (_TCP * _MIX_1 & _MASK))


def _endpoint(address: str, port: int) -> int:
    parsed = ipaddress.ip_address(address)
    value = int(parsed) if parsed.version == 6 else _MAPPED | int(parsed)
    mixed = 0
    for shift in (96, 64, 32, 0):
        mixed = ((mixed ^ (value >> shift & _MASK)) * _MIX_1) & _MASK
        mixed ^= mixed >> 15
    return _finish(mixed ^ (port * _PORT & _MASK))


def _finish(value: int) -> int:
    value = ((value ^ (value >> 16)) * _MIX_1) & _MASK
    value = ((value ^ (value >> 13)) * _MIX_2) & _MASK
    return value ^ (value >> 16)
