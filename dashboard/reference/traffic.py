"""I/O: the open-loop generator: customers arrive when they arrive, however slow the path is.

Latency counts from the instant at which a customer meant to ask, so that a stall of the path
cannot hide behind requests that were never sent. A generator that is itself late measures nothing:
its lateness is watched, and beyond a bound the run is void and says so, as it is where the path
fails requests.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from opentelemetry._logs import Logger

from collector.instrument import outcome
from dashboard.reference.child import HOST, NS_PER_S, Child, run, say
from dashboard.reference.telemetry import logger_provider
from dashboard.reference.world import Visit, World

SERVICE: Final = "checkout"
OUTCOME_AFTER_S: Final = 0.5
LATENESS_P99_MS_MAX: Final = 25.0  # a third of the 80 ms that decisions are judged by
ERRORS_RATIO_MAX: Final = 0.01
REQUEST_S_MAX: Final = 10.0
_TICKS_PER_MS: Final = 10  # latencies are counted in tenths of a millisecond


def arrivals(seed: int, rate_per_s: float, duration_s: float | None) -> Iterator[int]:
    """Yield intended start times in ns from the start of the traffic, as a Poisson process."""
    draw = random.Random(seed)  # noqa: S311  # a world that can be run again, not a secret
    at_s = 0.0
    while True:
        at_s += draw.expovariate(rate_per_s)
        if duration_s is not None and at_s >= duration_s:
            return
        yield round(at_s * NS_PER_S)


class Latencies:
    """Counts of latencies; bounded by their range, however long the run is."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, duration_ns: int) -> None:
        """Count one."""
        self._counts[duration_ns * _TICKS_PER_MS // 1_000_000] += 1

    def quantile_ms(self, share: float) -> float | None:
        """Return the smallest latency that this share does not exceed; None without any."""
        rank = math.ceil(share * self._counts.total())
        for tick in sorted(self._counts):
            rank -= self._counts[tick]
            if rank <= 0:
                return tick / _TICKS_PER_MS
        return None


@dataclass(slots=True)
class Answer:
    """What the path said, and when the request went out and the answer came in."""

    status: int
    body: bytes
    sent_ns: int
    answered_ns: int


class Connections:
    """A keep-alive HTTP/1.1 client with the little that the generator needs."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def get(self, target: str) -> Answer:
        """Ask once. Raises OSError or EOFError where the connection fails."""
        if self._idle:
            reader, writer = self._idle.pop()
        else:
            reader, writer = await asyncio.open_connection(HOST, self._port)
        try:
            sent_ns = time.monotonic_ns()
            writer.write(f"GET {target} HTTP/1.1\r\nHost: {HOST}:{self._port}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            answered_ns = time.monotonic_ns()
            status_line, *lines = head.decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines if line)
            body = await reader.readexactly(int(headers["content-length"]))
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer))
        return Answer(int(status_line.split(" ", 2)[1]), body, sent_ns, answered_ns)

    def close(self) -> None:
        """Close what is idle."""
        for _, writer in self._idle:
            writer.close()


class Traffic:
    """One run: who asks when, what they were answered, and what they bought."""

    def __init__(self, child: Child, logger: Logger) -> None:
        scenario = child.settings.scenario
        self._child = child
        self._scenario = scenario
        self._world = World(scenario.seed, scenario.regions)
        self._logger = logger
        self._connections = Connections(child.settings.ports["path"])
        self._latencies = Latencies()
        self._lateness = Latencies()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sent = self._ok = self._errors = self._outcomes = 0

    async def run(self) -> None:
        """Send until the scenario ends or the child is stopped, then wait for every answer."""
        scenario = self._scenario
        due = arrivals(scenario.seed, scenario.rate_per_s, scenario.duration_s)
        for number, after_ns in enumerate(due):
            intended_ns = self._child.start_ns + after_ns
            if await self._stopped_before(intended_ns):
                break
            task = asyncio.create_task(self._ask(number, intended_ns))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._connections.close()

    async def _stopped_before(self, intended_ns: int) -> bool:
        wait_s = (intended_ns - time.monotonic_ns()) / NS_PER_S
        if wait_s <= 0:
            return self._child.stopping.is_set()
        try:
            await asyncio.wait_for(self._child.stopping.wait(), wait_s)
        except TimeoutError:
            return False
        return True

    async def _ask(self, number: int, intended_ns: int) -> None:
        self._sent += 1
        visit = self._world.visit(number)
        query = {
            "customer": visit.customer_id,
            "region": visit.region,
            "channel": visit.channel,
        }
        try:
            async with asyncio.timeout(REQUEST_S_MAX):
                answer = await self._connections.get(f"/decide?{urlencode(query)}")
        except (OSError, EOFError):  # TimeoutError is an OSError
            self._errors += 1
            return
        self._lateness.add(max(answer.sent_ns - intended_ns, 0))
        if answer.status != 200:
            self._errors += 1
            return
        self._ok += 1
        latency_ns = answer.answered_ns - intended_ns
        self._latencies.add(latency_ns)
        await self._buy(number, visit, json.loads(answer.body), latency_ns / 1_000_000)

    async def _buy(
        self, number: int, visit: Visit, answer: dict[str, str], latency_ms: float
    ) -> None:
        # A customer thinks for a moment; at the end of a run nobody does.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._child.stopping.wait(), OUTCOME_AFTER_S)
        sale = self._world.sale(number, visit, answer["cohort"], answer["offer_type"], latency_ms)
        outcome(
            self._logger,
            outcome_id=f"order-{answer['decision_id']}",
            decision_id=answer["decision_id"],
            converted=sale.converted,
            revenue=sale.revenue_usd,
            margin=sale.margin_usd,
            currency="USD",
            channel=visit.channel,
        )
        self._outcomes += 1

    def summary(self) -> dict[str, object]:
        """Return the figures of the run; a void run says why, and its latencies mean nothing."""
        lateness_ms = self._lateness.quantile_ms(0.99)
        reason = void_reason(self._sent, self._errors, lateness_ms)
        return {
            "sent": self._sent,
            "ok": self._ok,
            "errors": self._errors,
            "outcomes": self._outcomes,
            "lateness_p99_ms": lateness_ms,
            "p50_ms": self._latencies.quantile_ms(0.50),
            "p99_ms": self._latencies.quantile_ms(0.99),
            "void": reason is not None,
            "void_reason": reason,
        }


def void_reason(sent: int, errors: int, lateness_ms: float | None) -> str | None:
    """Return why a run measures nothing, None where it does.

    Args:
        sent: requests.
        errors: of them without a good answer; a script delays decisions and fails none.
        lateness_ms: of the generator at the 99th percentile, None where nothing was answered.
    """
    if lateness_ms is None:
        return "no request was answered"
    if lateness_ms > LATENESS_P99_MS_MAX:
        return (
            f"the generator was late by {lateness_ms} ms at the 99th percentile, "
            f"at most {LATENESS_P99_MS_MAX} ms are allowed"
        )
    if errors > ERRORS_RATIO_MAX * sent:
        return (
            f"{errors} of {sent} requests failed, at most {ERRORS_RATIO_MAX:.0%} may: "
            "the path could not keep up"
        )
    return None


async def main(child: Child) -> None:
    """Wait for the start, run the traffic, export what is left, print the summary."""
    provider, logger = logger_provider(SERVICE, child.settings.otlp_endpoint)
    traffic = Traffic(child, logger)
    child.ready()
    waits = [asyncio.create_task(event.wait()) for event in (child.started, child.stopping)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    if child.started.is_set():
        await traffic.run()
    for wait in waits:
        wait.cancel()
    provider.shutdown()
    say(summary=traffic.summary())


if __name__ == "__main__":
    run(main)
