"""I/O: delays a service's decisions by registered experiments; needs OpenTelemetry alone.

    injector = DelayInjector("http://127.0.0.1:8050")
    with instrument.begin("offer", region="eu-west") as decision:
        ...
        injector.delay(decision, unit=customer_id)  # or: await injector.delay_async(...)

It asks Millworth once a second which experiments run. Everything that goes wrong ends in no delay:
an answer that cannot be read, a service that does not answer for as long as its last answer holds,
a delay over the cap that this service sets itself. Where none runs a call costs one comparison.

Who is delayed is a hash of experiment, unit and minute: the same everywhere, without a memory. A
unit is drawn anew each minute, because a minute is what the estimate takes for one independent
piece of evidence. The decision carries what was drawn from, so that the draw can be recomputed: a
delay that Millworth did not draw counts for nothing (`attribution.sensitivity`).
"""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import ssl
import threading
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from collector.core.assignment import arm_ends, draw, unit_digest
from collector.core.clock import AnchoredClock
from collector.core.times import NS_PER_MINUTE, NS_PER_MS, NS_PER_S
from collector.instrument.decision import Decision
from collector.instrument.forks import after_fork

ACTIVE_PATH: Final = "/api/v1/experiments/active"
ASK_EVERY_S: Final = 1.0
# However long the service says that its answer holds.
HOLDS_S_MAX: Final = 10.0
_ANSWER_BYTES_MAX: Final = 1 << 20
# A delay in flight that is called off ends within this.
_STEP_S: Final = 0.02
_TARGETS: Final = ("region", "cohort", "channel", "offer_type")

_LOG: Final = logging.getLogger(__name__)

_NEVER: Final = threading.Event()  # ends the wait of who need not wait


@dataclass(frozen=True, slots=True)
class ActiveArm:
    """One arm; the shares of an experiment's arms sum to 1."""

    name: str
    share: float
    delay_ns: int  # 0 for the control


@dataclass(frozen=True, slots=True)
class ActiveExperiment:
    """An experiment that runs now, for decisions that match every target that is not empty."""

    name: str
    to_ns: int
    arms: tuple[ActiveArm, ...]
    actions: frozenset[str]
    targets: tuple[tuple[str, frozenset[str]], ...]  # field of the decision, values

    def takes(self, action: str, fields: Mapping[str, Any]) -> bool:
        """Return whether a decision is part of it."""
        if self.actions and action not in self.actions:
            return False
        return all(fields.get(name, "") in values for name, values in self.targets)

    def arm(self, unit: str, minute: int) -> ActiveArm:
        """Return the arm of a unit, a `unit_digest`, in one minute since the Unix epoch."""
        ends = arm_ends([arm.share for arm in self.arms])
        return self.arms[bisect_right(ends, draw(self.name, minute, unit))]


def parse_active(body: bytes, delay_ms_max: float) -> tuple[list[ActiveExperiment], int, float]:
    """Read what the service answers.

    Args:
        body: JSON of `/api/v1/experiments/active`.
        delay_ms_max: an experiment with a longer delay is left out as a whole, since a shortened
            arm would not be the one that was registered.

    Returns:
        The experiments, how many were left out, and how long in seconds the answer holds.

    Raises:
        ValueError: it is not such an answer.
    """
    try:
        answer = json.loads(body)
        experiments = [_experiment(each) for each in answer["experiments"]]
        holds_s = min(float(answer["holds_s"]), HOLDS_S_MAX)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"no list of experiments: {type(error).__name__}: {error}") from error
    limit_ns = round(delay_ms_max * NS_PER_MS)
    kept = [each for each in experiments if all(0 <= arm.delay_ns <= limit_ns for arm in each.arms)]
    return kept, len(experiments) - len(kept), holds_s


class DelayInjector:
    """Delays decisions by the experiments that run.

    Args:
        url: of Millworth's dashboard, such as `http://127.0.0.1:8050`.
        token: with the role viewer, where one is asked for.
        delay_ms_max: no decision is ever delayed for longer, whatever is registered.
        in_flight_max: while so many decisions are being delayed, further ones are in no experiment.
        ask_every_s: how often it asks; a kill takes at most so long, and an answer.
        tls: for https, where certificates of one's own are needed.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        delay_ms_max: float = 100.0,
        in_flight_max: int = 100,
        ask_every_s: float = ASK_EVERY_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url {url!r} is not http://HOST:PORT, or https")
        self.enrolled = 0  # decisions in an experiment, the control included
        self.delayed = 0
        self.crowded = 0  # in none, because too many were being delayed
        self.refused = 0  # experiments of the last answer with a delay over the cap
        self.failed_asks = 0
        self._parts = parts
        self._path = f"{parts.path.rstrip('/')}{ACTIVE_PATH}"
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._delay_ms_max = delay_ms_max
        self._in_flight_max = in_flight_max
        self._ask_every_s = ask_every_s
        self._tls = tls
        self._clock = AnchoredClock()
        # With what ends the delays of each that are in flight. Replaced, never changed.
        self._active: Mapping[ActiveExperiment, threading.Event] = {}
        self._holds_until_ns = 0
        self._is_stopped = False
        self._start()
        after_fork(self._restart)

    @property
    def active(self) -> Sequence[str]:
        """Return the names of the experiments that decisions are delayed by now."""
        return [each.name for each in self._active]

    def delay(self, decision: Decision, unit: str | UUID = "") -> None:
        """Put a decision into an experiment, and wait where its arm says so.

        Args:
            decision: in flight; its region, cohort, channel and offer type are set already.
            unit: who must not be treated in two ways within a minute, such as a customer; by
                default the decision itself.
        """
        if not self._active:
            return
        delay_s, called_off = self._enrol(decision, unit)
        if delay_s:
            try:
                called_off.wait(delay_s)
            finally:
                self._leave()

    async def delay_async(self, decision: Decision, unit: str | UUID = "") -> None:
        """Do the same without holding the event loop."""
        if not self._active:
            return
        delay_s, called_off = self._enrol(decision, unit)
        if delay_s:
            ends_ns = self._clock.monotonic_ns() + round(delay_s * NS_PER_S)
            try:
                while not called_off.is_set():
                    left_ns = ends_ns - self._clock.monotonic_ns()
                    if left_ns <= 0:
                        break
                    await asyncio.sleep(min(left_ns / NS_PER_S, _STEP_S))
            finally:
                self._leave()

    def refresh(self) -> bool:
        """Ask now, and return whether that was answered; its thread does it by itself."""
        with self._asking:
            asked_ns = self._clock.monotonic_ns()
            try:
                self._take(self._ask(), asked_ns)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.failed_asks += 1
                _LOG.debug("experiments are not known: %s", error)
                if self._active and self._clock.monotonic_ns() >= self._holds_until_ns:
                    self._call_off()
                return False
            return True

    def stop(self) -> None:
        """Delay nothing from now on, and end the delays in flight: the switch at hand."""
        self._is_stopped = True
        self._call_off()
        self._wake.set()

    def shutdown(self) -> None:
        """Stop, and wait for the thread."""
        self.stop()
        self._thread.join()

    def _enrol(self, decision: Decision, unit: str | UUID) -> tuple[float, threading.Event]:
        """Return how long a decision has to wait, in seconds, and what ends the wait."""
        fields = decision.fields
        if self._is_stopped or self._clock.monotonic_ns() >= self._holds_until_ns:
            self._call_off()  # or nobody said for too long that it still runs
            return 0.0, _NEVER
        now_ns = self._clock.now_ns()
        for each, called_off in self._active.items():
            if now_ns < each.to_ns and each.takes(decision.action, fields):
                with self._counting:
                    # Before the draw, so that who is left out has nothing to do with the arms.
                    if self._in_flight >= self._in_flight_max:
                        self.crowded += 1
                        return 0.0, called_off
                    drawn = unit_digest(each.name, str(unit or decision.id))
                    arm = each.arm(drawn, decision.ingress_ns // NS_PER_MINUTE)
                    self.enrolled += 1
                    if arm.delay_ns:
                        self.delayed += 1
                        self._in_flight += 1
                decision.set(
                    experiment=each.name,
                    arm=arm.name,
                    unit=drawn,
                    injected_delay_ns=arm.delay_ns,
                )
                return arm.delay_ns / NS_PER_S, called_off
        return 0.0, _NEVER

    def _leave(self) -> None:
        with self._counting:
            self._in_flight -= 1

    def _call_off(self) -> None:
        self._run_only({})

    def _run_only(self, active: Mapping[ActiveExperiment, threading.Event]) -> None:
        """Delay by these alone; who waits for one that is gone need not wait any longer."""
        before, self._active = self._active, active
        for each, called_off in before.items():
            if each not in active:
                called_off.set()

    def _start(self) -> None:
        self._asking, self._counting = threading.Lock(), threading.Lock()
        self._wake = threading.Event()
        self._in_flight = 0
        self._thread = threading.Thread(target=self._run, name="experiments", daemon=True)
        self._thread.start()

    def _restart(self) -> None:
        """Begin anew in a forked child: threads stay behind."""
        self._active = {}
        self.enrolled = self.delayed = self.crowded = self.refused = self.failed_asks = 0
        self._start()

    def _run(self) -> None:
        while not self._is_stopped:
            self.refresh()
            self._wake.wait(self._ask_every_s)

    def _take(self, body: bytes, asked_ns: int) -> None:
        experiments, self.refused, holds_s = parse_active(body, self._delay_ms_max)
        self._holds_until_ns = asked_ns + round(holds_s * NS_PER_S)
        self._run_only({each: self._active.get(each) or threading.Event() for each in experiments})

    def _ask(self) -> bytes:
        host, port = self._parts.hostname or "", self._parts.port
        timeout_s = max(self._ask_every_s, 1.0)
        connection = (
            http.client.HTTPSConnection(host, port, timeout=timeout_s, context=self._tls)
            if self._parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=timeout_s)
        )
        try:
            connection.request("GET", self._path, headers=self._headers)
            answer = connection.getresponse()
            body = answer.read(_ANSWER_BYTES_MAX)
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise ValueError(f"HTTP {answer.status}")
        return body


def _experiment(fields: Mapping[str, Any]) -> ActiveExperiment:
    arms = tuple(
        ActiveArm(str(arm["name"]), float(arm["share"]), int(arm["delay_ns"]))
        for arm in fields["arms"]
    )
    if not all(arm.share > 0 for arm in arms) or abs(sum(arm.share for arm in arms) - 1) > 1e-6:
        raise ValueError("the shares of the arms do not sum to 1")
    targets = [(name, frozenset(map(str, fields.get(name, ())))) for name in _TARGETS]
    return ActiveExperiment(
        name=str(fields["name"]),
        to_ns=int(fields["to_ns"]),
        arms=arms,
        actions=frozenset(map(str, fields.get("action", ()))),
        targets=tuple((name, values) for name, values in targets if values),
    )
