"""Pure: which packets of a capture are asked for, by host, port and time."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import numpy as np

from packet.decode.columns import MAPPED_WORD, U32, Mask, PacketColumns, address_words


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is asked for; packets of a connection that lies partly in a time are those in it."""

    host: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None  # of either end
    port: int | None = None  # likewise
    from_ns: int = 0
    to_ns: int = 2**64 - 1

    @property
    def is_all(self) -> bool:
        """Return whether nothing is left out."""
        return self == Chosen()

    def among(self, columns: PacketColumns) -> Mask:
        """Return which packets are asked for."""
        is_chosen = (columns.ts_ns >= np.uint64(self.from_ns)) & (
            columns.ts_ns <= np.uint64(self.to_ns)
        )
        if self.port is not None:
            is_chosen &= (columns.src_port == self.port) | (columns.dst_port == self.port)
        if self.host is not None:
            is_chosen &= self._holds(columns.src) | self._holds(columns.dst)
        mask: Mask = is_chosen
        return mask

    def _holds(self, addresses: U32) -> Mask:
        assert self.host is not None
        network, mask = (
            np.array(address_words(str(each)), np.uint32)
            for each in (self.host.network_address, self.host.netmask)
        )
        if self.host.version == 4:
            mask[:3] = 0xFFFFFFFF  # as IPv6 spells it, see `columns`
            assert network[2] == MAPPED_WORD
        is_inside: Mask = ((addresses & mask) == network).all(axis=1)
        return is_inside
