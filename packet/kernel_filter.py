"""Pure: the classic BPF program that the kernel runs on every packet before the recorder sees it.

It keeps TCP headers and not one byte of payload: what it returns is where the TCP header ends. On
loopback each packet passes the tap twice, outgoing and incoming, and only the first is kept.

Source: Documentation/networking/filter.rst of the Linux kernel.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

# Operation codes of linux/bpf_common.h, named as the kernel's assembler names them.
_LD_ABS_H, _LD_ABS_B, _LD_IND_H, _LD_IND_B = 0x28, 0x30, 0x48, 0x50
_LDX_IMM, _LDX_MSH, _LDX_MEM, _LD_MEM, _ST = 0x01, 0xB1, 0x61, 0x60, 0x02
_AND, _RSH, _LSH, _ADD, _ADD_X = 0x54, 0x74, 0x64, 0x04, 0x0C
_JA, _JEQ, _JGT, _JSET, _RET, _RET_A, _TXA = 0x05, 0x15, 0x25, 0x45, 0x06, 0x16, 0x87

_PACKET_TYPE = 0xFFFFF000 + 4  # SKF_AD_OFF + SKF_AD_PKTTYPE
_PACKET_OUTGOING = 4
_ETHERTYPE_IPV4, _ETHERTYPE_IPV6, _TCP = 0x0800, 0x86DD, 6
_ETHERNET, _IPV6 = 14, 40
_SOURCE, _DESTINATION, _TRANSPORT = 0, 1, 2  # cells of the program's scratch memory


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; a jump names labels, which `assemble` turns into distances."""

    code: int
    k: int = 0
    if_true: str = ""
    if_false: str = ""
    label: str = ""


def header_filter(
    *, loopback: bool, snaplen_bytes: int, ports: Sequence[int], exclude_ports: Sequence[int]
) -> bytes:
    """Return the program, as `struct sock_filter` array.

    Args:
        loopback: keep each packet once although the tap sees it twice.
        snaplen_bytes: never keep more of a packet than this.
        ports: keep packets with one of these at either end; empty keeps all TCP.
        exclude_ports: ... but none with one of these at either end.
    """
    program = [
        *(_outgoing_only() if loopback else []),
        Instruction(_LD_ABS_H, 12),
        Instruction(_JEQ, _ETHERTYPE_IPV4, "ipv4", ""),
        Instruction(_JEQ, _ETHERTYPE_IPV6, "ipv6", "drop"),
        Instruction(_LD_ABS_B, 23, label="ipv4"),
        Instruction(_JEQ, _TCP, "", "drop"),
        Instruction(_LD_ABS_H, 20),
        Instruction(_JSET, 0x1FFF, "drop", ""),  # only the first fragment has ports
        Instruction(_LDX_MSH, _ETHERNET),
        Instruction(_JA, 0, "tcp"),
        Instruction(_LD_ABS_B, 20, label="ipv6"),
        Instruction(_JEQ, _TCP, "", "drop"),
        Instruction(_LDX_IMM, _IPV6),
        Instruction(_TXA, label="tcp"),
        Instruction(_ST, _TRANSPORT),
        Instruction(_LD_IND_H, _ETHERNET),
        Instruction(_ST, _SOURCE),
        Instruction(_LD_IND_H, _ETHERNET + 2),
        Instruction(_ST, _DESTINATION),
        *_port_checks(ports, exclude_ports),
        # Keep up to where the TCP header ends: its length is in words, in the upper half byte.
        Instruction(_LDX_MEM, _TRANSPORT, label="keep"),
        Instruction(_LD_IND_B, _ETHERNET + 12),
        Instruction(_AND, 0xF0),
        Instruction(_RSH, 2),
        Instruction(_ADD_X),
        Instruction(_ADD, _ETHERNET),
        Instruction(_JGT, snaplen_bytes, "snap", ""),
        Instruction(_RET_A),
        Instruction(_RET, snaplen_bytes, label="snap"),
        Instruction(_RET, 0, label="drop"),
    ]
    return assemble(program)


def assemble(program: Sequence[Instruction]) -> bytes:
    """Return the program with labels resolved; an empty label is the next instruction."""
    places = {step.label: index for index, step in enumerate(program) if step.label}

    def distance(index: int, label: str) -> int:
        return places[label] - index - 1 if label else 0

    words = []
    for index, step in enumerate(program):
        true, false = distance(index, step.if_true), distance(index, step.if_false)
        if step.code == _JA:
            words.append(struct.pack("=HBBI", step.code, 0, 0, true))
        else:
            words.append(struct.pack("=HBBI", step.code, true, false, step.k))
    return b"".join(words)


def _outgoing_only() -> list[Instruction]:
    return [
        Instruction(_LD_ABS_H, _PACKET_TYPE),
        Instruction(_JEQ, _PACKET_OUTGOING, "", "drop"),
    ]


def _port_checks(ports: Sequence[int], exclude_ports: Sequence[int]) -> list[Instruction]:
    checks = []
    for wanted, target in ((exclude_ports, "drop"), (ports, "keep")):
        for end in (_SOURCE, _DESTINATION):
            if wanted:
                checks.append(Instruction(_LD_MEM, end))
            checks += [Instruction(_JEQ, port, target, "") for port in sorted(set(wanted))]
    if ports:
        # A jump that is not conditional reaches further than 255 instructions.
        checks.append(Instruction(_JA, 0, "drop"))
    return checks
