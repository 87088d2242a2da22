"""I/O: `millworth drill`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Final

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from collector.core import log
from collector.core.errors import InputError
from collector.core.times import NS_PER_MS
from dashboard.cli.console import OUT, print_table
from dashboard.cli.json_output import print_json
from dashboard.cli.options import JsonOption, finite
from dashboard.demo.drill_report import Drill, Phase
from dashboard.demo.drill_report import as_json as drill_json
from packet.lab.network import Impairment


class Fault(StrEnum):
    """What can be put on the path."""

    DELAY = "delay"
    JITTER = "jitter"
    LOSS = "loss"
    REORDER = "reorder"


_DELAY_NS: Final = NS_PER_MS // 5  # of the sound path, each way
_AMOUNTS: Final = {Fault.DELAY: 5.0, Fault.JITTER: 2.0, Fault.LOSS: 0.02, Fault.REORDER: 0.2}
_LATE_NS: Final = 5 * NS_PER_MS  # how much later a packet comes that is overtaken
_MS_MAX, _RATIO_MAX = 500.0, 0.3


def drill(
    fault: Annotated[Fault, typer.Argument(help="What is done to the path.")] = Fault.DELAY,
    amount: Annotated[
        float | None,
        typer.Option(
            "--amount",
            callback=finite,
            help="Of delay (each way) and jitter in ms, by default 5 and 2; of loss and reorder "
            "as a share of the packets, by default 0.02 and 0.2.",
        ),
    ] = None,
    decisions: Annotated[
        int,
        typer.Option(min=10, max=2_000, help="Made without the fault, and as many with it."),
    ] = 60,
    seed: Annotated[int, typer.Option(help="Of each packet's lot.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Rehearse a fault of the network, and see whether Millworth names it. Needs root.

    Two network namespaces are made and removed again; nothing that was there is touched, no running
    service is asked, and no settings are read: none of your receivers hears of it. A small decision
    path calls over a path that delays, jitters, loses or reorders packets and logs what it did to
    each. The whole service records and attributes it; then what it said (segment, network time,
    what the packets prove) is put beside that log. Takes half a minute. Exit 0 where they agree,
    1 where they do not, 2 where no drill can be held here or too little of it was attributed.
    """
    from dashboard.demo.drill import run_drill

    log.configure("warning")
    # What would end this process at once would leave the namespaces and the store of the drill.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    impairment = impairment_of(fault, amount, seed)
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    with _steps(console) as progress:
        outcome = run_drill(impairment, decisions, progress)
    if as_json:
        document = {
            "drill": fault.value,
            "amount": amount or _AMOUNTS[fault],
            **drill_json(outcome),
        }
        print_json(document)
    else:
        _show(outcome)
    raise typer.Exit(1 if outcome.misses else 0)


def impairment_of(fault: Fault, amount: float | None, seed: int) -> Impairment:
    """Return what the path is told.

    Raises:
        InputError: the amount is none of that fault.
    """
    chosen = _AMOUNTS[fault] if amount is None else amount
    is_time = fault in (Fault.DELAY, Fault.JITTER)
    most = _MS_MAX if is_time else _RATIO_MAX
    if not 0 < chosen <= most:
        unit = "ms" if is_time else "as a share of the packets"
        raise InputError(
            f"drill {fault}: --amount is {chosen:g}; expected more than 0, {most:g} {unit} at most"
        )
    ns = round(chosen * NS_PER_MS)
    if fault is Fault.DELAY:
        return Impairment(delay_ns=_DELAY_NS + ns, seed=seed)
    if fault is Fault.JITTER:
        # Around three deviations, so that hardly a packet would have to be early.
        return Impairment(delay_ns=_DELAY_NS + 3 * ns, jitter_ns=ns, seed=seed)
    if fault is Fault.LOSS:
        return Impairment(delay_ns=_DELAY_NS, loss_ratio=chosen, seed=seed)
    return Impairment(delay_ns=_DELAY_NS, reorder_ratio=chosen, reorder_ns=_LATE_NS, seed=seed)


@contextmanager
def _steps(console: Console) -> Iterator[Callable[[str], None]]:
    """Show the step at hand on a terminal, and a line for each elsewhere."""
    if not console.is_terminal:
        yield lambda text: console.print(f"drill: {text}")
        return
    with console.status("drill: the service starts") as status:
        yield lambda text: status.update(f"drill: {text}")


def _show(outcome: Drill) -> None:
    rows = Table(box=box.SIMPLE)
    for heading in ("mean of a decision", "sound", "fault", "added"):
        rows.add_column(heading, justify="left" if heading.startswith("mean") else "right")
    for name, sound, fault in _figures(outcome.sound, outcome.fault):
        rows.add_row(name, f"{sound:.3f} ms", f"{fault:.3f} ms", f"{fault - sound:+.3f} ms")
    print_table(OUT, rows)
    half = outcome.fault
    OUT.print(
        f"the path's log: of {half.packets} packets with payload {half.lost} were lost and "
        f"{half.overtaken} overtaken"
    )
    methods = ", ".join(f"{number} {method}" for method, number in outcome.methods.items())
    OUT.print(
        f"Millworth: {outcome.blamed} grew most; packets were linked to "
        f"{outcome.sound.linked + half.linked} of "
        f"{outcome.sound.decisions + half.decisions} decisions ({methods or 'none'})"
    )
    p50_ms, p99_ms = outcome.error_p50_ns / NS_PER_MS, outcome.error_p99_ns / NS_PER_MS
    OUT.print(
        f"network time of a decision: off from the log by {p50_ms:.3f} ms at the median, "
        f"{p99_ms:.3f} ms at p99"
    )
    for miss in outcome.misses:
        OUT.print(f"missed: {miss}")
    if not outcome.misses:
        OUT.print("as it should be")


def _figures(sound: Phase, fault: Phase) -> Iterator[tuple[str, float, float]]:
    """Yield what both halves say, in ms."""
    pairs = [
        ("network, by the path's log", sound.true_network_ns, fault.true_network_ns),
        ("network, said", sound.said_network_ns, fault.said_network_ns),
    ]
    for title, name in (("segment", "segments_ns"), ("proved", "proved_ns")):
        of_sound, of_fault = getattr(sound, name), getattr(fault, name)
        pairs += [
            (f"{title} {key}", of_sound.get(key, 0.0), of_fault.get(key, 0.0))
            for key in dict.fromkeys([*of_sound, *of_fault])
            if of_sound.get(key) or of_fault.get(key)
        ]
    for text, sound_value, faulty in pairs:
        yield text, sound_value / NS_PER_MS, faulty / NS_PER_MS
