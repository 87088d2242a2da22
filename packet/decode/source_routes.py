"""Pure: where a packet ends that states the way it has to take.

On its way the address in the IP header is only the next stop. Who talks to whom is told by the
last one, and by it the packets of both directions find each other, as in Wireshark.
"""

from __future__ import annotations

from typing import Final

_END, _NO_OPERATION = 0, 1
ROUTE_OPTIONS: Final = (131, 137)  # loose and strict
ROUTING: Final = 43  # the protocol number of IPv6's routing header
_ROUTE_FIRST = 4  # what the pointer of an unused route is, counted from 1
# Types of IPv6's routing header: RFC 2460 and RFC 6554, RFC 6275, RFC 8754.
_IN_ORDER, _IN_ORDER_SHORT, _ONE_ADDRESS, _IN_REVERSE = 0, 3, 2, 4


def last_stop_v4(options: bytes) -> bytes | None:
    """Return the last address of a source route that has stops left. Source: RFC 791, 3.1.

    Args:
        options: what an IPv4 header has behind its first 20 bytes.
    """
    offset = 0
    while offset + 2 <= len(options) and options[offset] != _END:
        if options[offset] == _NO_OPERATION:
            offset += 1
            continue
        kind, size = options[offset], options[offset + 1]
        if size < 2 or offset + size > len(options):
            return None
        if kind in ROUTE_OPTIONS:
            pointer = options[offset + 2] if size > 2 else 0
            # Three bytes and whole addresses: what is of another length states no way.
            is_left = _ROUTE_FIRST <= pointer <= size - 3 and pointer % 4 == 0 and size % 4 == 3
            return options[offset + size - 4 : offset + size] if is_left else None
        offset += size
    return None


def last_stop_v6(header: bytes) -> bytes | None:
    """Return the last address of a routing header that has stops left.

    Args:
        header: the whole extension header, its next-header byte first, or what was captured.
    """
    if len(header) < 24 or not header[3]:
        return None
    kind, count = header[2], header[1] // 2
    if kind in (_ONE_ADDRESS, _IN_REVERSE):
        return header[8:24] if count else None
    # The short form may leave out what the addresses share; then the next stop has to do.
    if not count or kind not in (_IN_ORDER, _IN_ORDER_SHORT) or (kind and any(header[4:6])):
        return None
    last = header[16 * count - 8 : 16 * count + 8]
    return last if len(last) == 16 else None
