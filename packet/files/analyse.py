"""I/O: a capture file -> its packets analysed, or its connections, in memory that has a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Final

from packet.files.reader import PACKETS_A_BLOCK, CaptureFile, FileReport, PacketBlock
from packet.files.selection import Chosen
from packet.tcp.analysis import TcpAnalysis, analyse_packets
from packet.tcp.connections import WireFlow, flows_of
from packet.tcp.streaming import BlockAnalysis, Spans

_ALL: Final = Chosen()


def analysed_blocks(
    path: Path,
    report: FileReport,
    progress: Callable[[int], None] = lambda _: None,
    packets_max: int = PACKETS_A_BLOCK,
    chosen: Chosen = _ALL,
) -> Iterator[tuple[PacketBlock, TcpAnalysis]]:
    """Read a file block by block, each with what its TCP packets are.

    All of the file is analysed, whatever is asked for: what a packet is rests on those before it.

    A file of more than one block is read twice, and `progress` begins anew for the second time.

    Args:
        path: of the file.
        report: an empty one, complete when the file has been read.
        progress: is told the bytes read so far.
        packets_max: of a block, about.
        chosen: what is asked for.

    Raises:
        InputError: the file cannot be read.
        DecodeError: it is no capture file.
    """
    for block, analysis in _analysed(path, report, progress, packets_max):
        yield (block, analysis) if chosen.is_all else _narrowed(block, analysis, chosen)


def _narrowed(
    block: PacketBlock, analysis: TcpAnalysis, chosen: Chosen
) -> tuple[PacketBlock, TcpAnalysis]:
    is_chosen = chosen.among(block.columns)
    return (
        PacketBlock(
            block.columns.take(is_chosen), block.numbers[is_chosen], block.is_partial[is_chosen]
        ),
        TcpAnalysis(*(getattr(analysis, each.name)[is_chosen] for each in fields(analysis))),
    )


def _analysed(
    path: Path, report: FileReport, progress: Callable[[int], None], packets_max: int
) -> Iterator[tuple[PacketBlock, TcpAnalysis]]:
    file = CaptureFile(path)
    blocks = file.blocks(report, progress, packets_max)
    first = next(blocks, None)
    if first is None:
        return
    second = next(blocks, None)
    if second is None:
        yield first, analyse_packets(first.columns, first.is_partial)
        return
    spans = Spans()
    spans.add(first.columns)
    spans.add(second.columns)
    del first, second
    for block in blocks:
        spans.add(block.columns)
    analysis = BlockAnalysis(spans)
    for block in file.blocks(FileReport(), progress, packets_max):
        yield block, analysis.analyse(block.columns, block.is_partial)


def flows_of_file(
    path: Path,
    report: FileReport,
    progress: Callable[[int], None] = lambda _: None,
    packets_max: int = PACKETS_A_BLOCK,
    chosen: Chosen = _ALL,
) -> list[WireFlow]:
    """Return the connections in a file, in the order in which they began.

    The arguments and errors are those of `analysed_blocks`.
    """
    flows: dict[tuple[int, int], WireFlow] = {}
    for block, analysis in analysed_blocks(path, report, progress, packets_max, chosen):
        for flow in flows_of(block.columns, analysis):
            flow_before = flows.setdefault((flow.flow_hash, flow.connection), flow)
            if flow_before is not flow:
                flow_before.join(flow)
    return sorted(flows.values(), key=lambda flow: (flow.first_ns, flow.flow_hash))
