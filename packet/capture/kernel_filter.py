"""Pure: the classic BPF program that the kernel runs on every packet before the recorder sees it.

It keeps TCP headers and not one byte of payload: what it returns is where the TCP header ends. A
second program, for the socket whose packets are searched and never held, keeps nothing but what
begins like a request, with the first bytes of its payload. On loopback each packet passes the tap
twice, outgoing and incoming, and only the first is kept.

Source: Documentation/networking/filter.rst of the Linux kernel.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from packet.correlate.http2 import FRAME_TYPE_MAX, PREFACE_WORD
from packet.correlate.trace_context import REQUEST_WORDS
from packet.decode.sampler import IPV4_PREFIX as _IPV4_PREFIX
from packet.decode.sampler import MIX_1, MIX_2, PORT, epoch_seeds, threshold

# Operation codes of linux/bpf_common.h, named as the kernel's assembler names them.
_LD_ABS_H, _LD_ABS_B, _LD_IND_W, _LD_IND_H, _LD_IND_B = 0x28, 0x30, 0x40, 0x48, 0x50
_LDX_IMM, _LDX_MSH, _LDX_MEM, _LD_MEM, _ST = 0x01, 0xB1, 0x61, 0x60, 0x02
_LD_IMM, _LD_ABS_W, _MUL, _XOR, _XOR_X, _TAX = 0x00, 0x20, 0x24, 0xA4, 0xAC, 0x07
_AND, _RSH, _ADD, _ADD_X = 0x54, 0x74, 0x04, 0x0C
_JA, _JEQ, _JGT, _JGE, _JSET = 0x05, 0x15, 0x25, 0x35, 0x45
_RET, _RET_A, _TXA = 0x06, 0x16, 0x87

_PACKET_TYPE = 0xFFFFF000 + 4  # SKF_AD_OFF + SKF_AD_PKTTYPE
_PACKET_OUTGOING = 4
_ETHERTYPE_IPV4, _ETHERTYPE_IPV6, _TCP = 0x0800, 0x86DD, 6
_ETHERNET, _IPV6 = 14, 40
# Cells of the program's scratch memory.
_SOURCE, _DESTINATION, _TRANSPORT, _MIXED, _FIRST_END, _FLOW = range(6)


@dataclass(frozen=True, slots=True)
class KernelSample:
    """Which flows to keep: those of any of the seeds, so that an epoch can end at any time.

    The program cannot read a clock. It is given the seeds of this epoch and of the next, and what
    it keeps too much is left out by the packet's own stamp, `sampler.Selection`.
    """

    threshold: int  # sampler.threshold
    seeds: tuple[int, ...]  # sampler.epoch_seeds

    @classmethod
    def of(cls, ratio: float, epoch: int) -> KernelSample:
        """Return the sample of one epoch and the next."""
        seeds = epoch_seeds(np.array([epoch, epoch + 1]))
        return cls(threshold(ratio), tuple(seeds.tolist()))


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; a jump names labels, which `assemble` turns into distances."""

    code: int
    k: int = 0
    if_true: str = ""
    if_false: str = ""
    label: str = ""


def header_filter(
    *,
    loopback: bool,
    snaplen_bytes: int,
    ports: Sequence[int],
    exclude_ports: Sequence[int],
    sample: KernelSample | None = None,
    request_bytes: int = 0,
) -> bytes:
    """Return the program, as `struct sock_filter` array.

    Args:
        loopback: keep each packet once although the tap sees it twice.
        snaplen_bytes: never keep more of a packet than this.
        ports: keep packets with one of these at either end; empty keeps all TCP.
        exclude_ports: ... but none with one of these at either end.
        sample: keep packets of these flows only; None keeps all flows.
        request_bytes: keep only what begins like a request, and so much of its payload; 0 keeps
            all packets and no payload.
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
        *([] if sample is None else _sampled(sample)),
        # Keep up to where the TCP header ends: its length is in words, in the upper half byte.
        Instruction(_LDX_MEM, _TRANSPORT, label="keep" if sample is None else "sampled"),
        Instruction(_LD_IND_B, _ETHERNET + 12),
        Instruction(_AND, 0xF0),
        Instruction(_RSH, 2),
        Instruction(_ADD_X),
        *(_begun_like_a_request() if request_bytes else []),
        Instruction(_ADD, _ETHERNET + request_bytes),
        Instruction(_JGT, snaplen_bytes + request_bytes, "snap", ""),
        Instruction(_RET_A),
        Instruction(_RET, snaplen_bytes + request_bytes, label="snap"),
        Instruction(_RET, 0, label="drop"),
    ]
    return assemble(program)


def assemble(program: Sequence[Instruction]) -> bytes:
    """Return the program with labels resolved; an empty label is the next instruction.

    Of several places with one label a jump goes to the next: it can go forward only, and where it
    is conditional 255 instructions at most.
    """
    places: dict[str, list[int]] = {}
    for index, step in enumerate(program):
        places.setdefault(step.label, []).append(index)

    def distance(index: int, label: str) -> int:
        if not label:
            return 0
        return next(place for place in places[label] if place > index) - index - 1

    words = []
    for index, step in enumerate(program):
        true, false = distance(index, step.if_true), distance(index, step.if_false)
        if step.code == _JA:
            words.append(struct.pack("=HBBI", step.code, 0, 0, true))
        else:
            words.append(struct.pack("=HBBI", step.code, true, false, step.k))
    return b"".join(words)


def _sampled(sample: KernelSample) -> list[Instruction]:
    """Return the twin of `sampler.flow_hashes` and `sampler.keep`, in the same 32-bit steps."""
    program = [
        Instruction(_JA, 0, "keep"),
        Instruction(_RET, 0, label="drop"),
        # Never run. The kernel's check takes what the jumps to `drop` have not stored for unknown
        # behind it too, and refuses the program.
        Instruction(_JA, 0, "drop"),
        Instruction(_LD_ABS_H, 12, label="keep"),
        Instruction(_JEQ, _ETHERTYPE_IPV4, "", "v6_sample"),
        *_endpoint(_SOURCE, (26,), _IPV4_PREFIX),
        Instruction(_ST, _FIRST_END),
        *_endpoint(_DESTINATION, (30,), _IPV4_PREFIX),
        Instruction(_JA, 0, "ends"),
        Instruction(_LD_IMM, 0, label="v6_sample"),  # a place to jump to
        *_endpoint(_SOURCE, (22, 26, 30, 34), 0),
        Instruction(_ST, _FIRST_END),
        *_endpoint(_DESTINATION, (38, 42, 46, 50), 0),
        Instruction(_LDX_MEM, _FIRST_END, label="ends"),
        Instruction(_ADD_X),
        Instruction(_XOR, _TCP * MIX_1 & 0xFFFFFFFF),
        *_finish(),
        Instruction(_ST, _FLOW),
    ]
    if sample.threshold >= 2**32:
        return [*program, Instruction(_JA, 0, "sampled")]
    for seed in sample.seeds:
        program += [
            Instruction(_LD_MEM, _FLOW),
            Instruction(_XOR, seed),
            *_finish(),
            Instruction(_JGE, sample.threshold, "", "sampled"),
        ]
    # A jump that is not conditional reaches further than 255 instructions.
    return [*program, Instruction(_JA, 0, "drop")]


def _endpoint(port: int, words_at: Sequence[int], prefix: int) -> list[Instruction]:
    """Mix an address, whose first words came to `prefix`, and a port into A."""
    program = [Instruction(_LD_IMM, prefix), Instruction(_ST, _MIXED)]
    for word in words_at:
        program += [
            Instruction(_LD_ABS_W, word),
            Instruction(_LDX_MEM, _MIXED),
            Instruction(_XOR_X),
            *_multiplied(MIX_1),
            *_shifted(15),
            Instruction(_ST, _MIXED),
        ]
    return [
        *program,
        Instruction(_LD_MEM, port),
        *_multiplied(PORT),
        Instruction(_LDX_MEM, _MIXED),
        Instruction(_XOR_X),
        *_finish(),
    ]


def _finish() -> list[Instruction]:
    return [
        *_shifted(16),
        *_multiplied(MIX_1),
        *_shifted(13),
        *_multiplied(MIX_2),
        *_shifted(16),
    ]


def _shifted(bits: int) -> list[Instruction]:
    """A ^= A >> bits."""
    return [Instruction(_TAX), Instruction(_RSH, bits), Instruction(_XOR_X)]


def _multiplied(factor: int) -> list[Instruction]:
    return [Instruction(_MUL, factor)]


def _begun_like_a_request() -> list[Instruction]:
    """Keep A, where the payload begins less the link's header; drop what is no request.

    A load behind the end of the packet ends the program, and drops it: it has no payload. Where
    Ethernet padded it, zeros are read.
    """
    words = [int.from_bytes(word, "big") for word in (*REQUEST_WORDS, PREFACE_WORD)]
    return [
        Instruction(_TAX),
        Instruction(_LD_IND_W, _ETHERNET),
        *(Instruction(_JEQ, word, "request", "") for word in words),
        Instruction(_JEQ, 0, "drop", ""),
        Instruction(_JSET, 0xFF000000, "drop", ""),
        Instruction(_AND, 0xFF),
        Instruction(_JGT, FRAME_TYPE_MAX, "drop", ""),
        Instruction(_TXA, label="request"),
    ]


def _outgoing_only() -> list[Instruction]:
    return [
        Instruction(_LD_ABS_H, _PACKET_TYPE),
        Instruction(_JEQ, _PACKET_OUTGOING, "", "drop"),
    ]


def _port_checks(ports: Sequence[int], exclude_ports: Sequence[int]) -> list[Instruction]:
    checks = []
    for port_set, target in ((exclude_ports, "drop"), (ports, "keep")):
        for end in (_SOURCE, _DESTINATION):
            if port_set:
                checks.append(Instruction(_LD_MEM, end))
            checks += [Instruction(_JEQ, port, target, "") for port in sorted(set(port_set))]
    if ports:
        # A jump that is not conditional reaches further than 255 instructions.
        checks.append(Instruction(_JA, 0, "drop"))
    return checks
