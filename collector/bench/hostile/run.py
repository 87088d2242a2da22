"""I/O: `millworth bench hostile`: broken requests by the thousand, and good ones beside them.

A collector in a process of its own gets mutants (`collector.bench.hostile.mutations`) over both
transports. All the while a neighbour sends good requests on connections of its own, in every signal
and encoding. The collector has to answer everyone, refuse with a reason, never end, and store every
item of the neighbour that it has answered OK with the values that were sent, once.
"""

from __future__ import annotations

import http.client
import itertools
import json
import multiprocessing
import random
import statistics
import subprocess
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message

from collector.bench.harness import Progress, heard, module_process, own_directory
from collector.bench.hostile.mutations import Mutant, mutate
from collector.bench.hostile.requests import Neighbour, make_neighbour, make_victim, to_json
from collector.core.clock import SystemClock
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.otlp.check import Signal

_CHILD = "collector.bench.hostile.child"
MUTANTS_PER_RUN = 20_000  # five runs, the default, are a hundred thousand
_SLICE = 500
_WORKERS = 2
_ANSWER_S_MAX = 60.0
_PAUSE_S = 0.02
_EVERY_WAY = 9  # three signals over gRPC, in JSON and in Protobuf
_UNEXPECTED_KEPT = 20
_SERVICES = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
_TYPES = {True: "application/json", False: "application/x-protobuf"}
_YES = frozenset({"OK", "200"})
# Too large after decompression is 413 and RESOURCE_EXHAUSTED.
_NO = frozenset({"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "400", "413"})


@dataclass(slots=True)
class Answers:
    """What mutants were answered."""

    codes: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)

    def add(self, other: Answers) -> None:
        """Take another's answers too."""
        self.codes += other.codes
        self.unexpected += other.unexpected


@dataclass(slots=True)
class NeighbourAnswers:
    """What the neighbour was answered."""

    acked: dict[tuple[str, str], list[object]] = field(default_factory=dict)  # rows by key
    refused: list[str] = field(default_factory=list)
    ack_ms: list[float] = field(default_factory=list)


class Client:
    """One connection to each receiver."""

    def __init__(self, ports: dict[str, int]) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{ports['grpc']}")
        self._port = ports["http"]
        self._http = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_S_MAX)

    def close(self) -> None:
        """Close both."""
        self._channel.close()
        self._http.close()

    def call(self, signal: Signal, body: bytes) -> str:
        """Send over gRPC; return the name of the status."""
        export = self._channel.unary_unary(_SERVICES[signal], None, None)
        try:
            export(body, timeout=_ANSWER_S_MAX)
        except grpc.RpcError as error:
            return str(error.code().name)
        return "OK"

    def post(self, signal: Signal, body: bytes, *, is_json: bool, encoding: str = "") -> str:
        """Send over HTTP; return the status code, or the name of what went wrong instead."""
        headers = {"content-type": _TYPES[is_json]}
        if encoding:
            headers["content-encoding"] = encoding
        try:
            self._http.request("POST", f"/v1/{signal}", body, headers)
            answer = self._http.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._http.close()  # the next request connects again
            return type(error).__name__
        return str(answer.status)


def run_hostile(runs: int, progress: Progress) -> dict[str, float]:
    """Send 20,000 mutants a run, and return the results of them and of their neighbour.

    Keys: `mutants`, of which `accepted` (in whole or in part) and `refused`; `unexpected` (any
    other answer, none within a minute included), `crashes`, `unaccounted` (items that were answered
    OK and are neither stored nor quarantined), `quarantined`; `neighbours` (answered OK),
    `neighbours_refused`, `neighbours_lost` (not stored as sent), `neighbours_twice`,
    `neighbour_ack_p50_ms`, `_p99_ms`, `_max_ms`; `drained_s` (from the last answer until all is
    stored) and `rss_mib_before`, `rss_mib_peak`, `rss_mib_after` of the collector.
    """
    spawn = multiprocessing.get_context("spawn")
    with (
        own_directory() as scratch,
        ProcessPoolExecutor(_WORKERS, mp_context=spawn) as pool,
    ):
        return hostile(scratch, range(runs * MUTANTS_PER_RUN), pool, progress)


def hostile(directory: Path, seeds: range, pool: Executor, progress: Progress) -> dict[str, float]:
    """Send a mutant a seed to a collector over a directory, from a pool of workers."""
    clock = SystemClock()
    answers = Answers()
    with module_process(_CHILD, str(directory)) as child:
        hello = heard(child)
        assert hello is not None, "the collector did not start"
        neighbour = NeighbourSender(hello)
        neighbour.start()
        try:
            futures = [
                pool.submit(send_mutants, hello, seeds[index : index + _SLICE], clock.now_ns())
                for index in range(0, len(seeds), _SLICE)
            ]
            for count, future in enumerate(as_completed(futures), 1):
                answers.add(future.result())
                if count * 20 % len(futures) < 20:
                    progress(
                        f"{answers.codes.total()} of {len(seeds)} mutants, "
                        f"{len(answers.unexpected)} answered as none should be"
                    )
        finally:
            beside = neighbour.stop()
        progress("waiting until everything is stored")
        ended_ns = clock.monotonic_ns()
        report = _asked(child)
        drained_s = (clock.monotonic_ns() - ended_ns) / NS_PER_S
    crashes = int(report is None)
    if report is None:
        progress("the collector ended; what it left is stored by another")
        with module_process(_CHILD, str(directory)) as child:
            heard(child)
            report = _asked(child)
        assert report is not None, "a collector that nobody sends to ended"
    for line in answers.unexpected[:_UNEXPECTED_KEPT]:
        progress(line)
    memory = {name: report[name] for name in ("rss_mib_peak", "rss_mib_after")}
    memory["rss_mib_before"] = hello["rss_mib"]
    figures = {"crashes": crashes, "drained_s": drained_s, **memory}
    return {**_of_mutants(answers), **_of_neighbour(beside, report), **figures}


def send_mutants(ports: dict[str, int], seeds: Sequence[int], now_ns: int) -> Answers:
    """Send one mutant a seed, one after another, and note the answers."""
    answers = Answers()
    client = Client(ports)
    for seed in seeds:
        draw = random.Random(seed)  # noqa: S311  a repeatable mutation, not a secret
        signal = draw.choice(list(Signal))
        mutant = make_mutant(draw, signal, now_ns)
        if mutant.is_json or mutant.encoding or draw.random() < 0.5:
            code = client.post(
                signal, mutant.body, is_json=mutant.is_json, encoding=mutant.encoding
            )
        else:
            code = client.call(signal, mutant.body)
        answers.codes[code] += 1
        if code not in _YES | _NO:
            answers.unexpected.append(
                f"seed {seed}, {signal}, {mutant.name}: {code}; {mutant.body[:60].hex()}"
            )
    client.close()
    return answers


def make_mutant(draw: random.Random, signal: Signal, now_ns: int) -> Mutant:
    """Return the mutant of a draw; its times alone are of the day."""
    victim = make_victim(draw, signal, now_ns)
    return mutate(draw, victim.SerializeToString(), to_json(victim))


class NeighbourSender:
    """Sends good requests, in every signal and encoding in turn, on connections of its own."""

    def __init__(self, ports: dict[str, int]) -> None:
        self._ports = ports
        self._beside = NeighbourAnswers()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="neighbour")

    def start(self) -> None:
        """Start to send."""
        self._thread.start()

    def stop(self) -> NeighbourAnswers:
        """Send no more, and return what was answered."""
        self._stop.set()
        self._thread.join()
        return self._beside

    def _run(self) -> None:
        clock = SystemClock()
        client = Client(self._ports)
        for number in itertools.count():
            neighbour = make_neighbour(number, clock.now_ns())
            sent_ns = clock.monotonic_ns()
            code = _send_neighbour(client, neighbour, number // len(Signal) % 3)
            self._beside.ack_ms.append((clock.monotonic_ns() - sent_ns) / NS_PER_MS)
            if code in _YES:
                self._beside.acked[neighbour.signal, neighbour.id] = neighbour.row
            else:
                self._beside.refused.append(code)
            if number + 1 >= _EVERY_WAY and self._stop.wait(_PAUSE_S):
                break
        client.close()


def _send_neighbour(client: Client, neighbour: Neighbour, way: int) -> str:
    message: Message = neighbour.message
    if way == 0:
        return client.call(neighbour.signal, message.SerializeToString())
    is_json = way == 1
    body = json.dumps(to_json(message)).encode() if is_json else message.SerializeToString()
    return client.post(neighbour.signal, body, is_json=is_json)


def _of_mutants(answers: Answers) -> dict[str, float]:
    return {
        "mutants": answers.codes.total(),
        "accepted": sum(answers.codes[code] for code in _YES),
        "refused": sum(answers.codes[code] for code in _NO),
        "unexpected": len(answers.unexpected),
    }


def _of_neighbour(beside: NeighbourAnswers, report: dict[str, Any]) -> dict[str, float]:
    stored = Counter((signal, key) for signal, key, *_ in report["rows"])
    rows = {(row[0], row[1]): row for row in report["rows"]}
    status = report["status"]
    unaccounted = sum(
        status[f"{items}_acked"] - status[f"{items}_stored"] - status[f"{items}_quarantined"]
        for items in ("spans", "logs", "points")
    )
    cuts = statistics.quantiles(beside.ack_ms, n=100)
    return {
        "unaccounted": unaccounted if report["drained"] else float("nan"),
        "quarantined": sum(status[f"{items}_quarantined"] for items in ("spans", "logs", "points")),
        "neighbours": len(beside.acked),
        "neighbours_refused": len(beside.refused),
        "neighbours_lost": sum(rows.get(key) != row for key, row in beside.acked.items()),
        "neighbours_twice": sum(count > 1 for count in stored.values()),
        "neighbour_ack_p50_ms": cuts[49],
        "neighbour_ack_p99_ms": cuts[98],
        "neighbour_ack_max_ms": max(beside.ack_ms),
    }


def _asked(child: subprocess.Popen[str]) -> dict[str, Any] | None:
    """Return what is stored once everything is, None where the collector has ended."""
    assert child.stdin is not None
    try:
        child.stdin.write("\n")
        child.stdin.flush()
    except BrokenPipeError:
        return None
    return heard(child)
