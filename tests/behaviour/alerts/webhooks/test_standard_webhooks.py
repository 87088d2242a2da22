"""A receiver written from the public specification alone, behind everything that goes wrong.

Source: Standard Webhooks 1.0.0. Of ours it knows the secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import threading
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import standardwebhooks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.config import WebhookConfig
from alerts.delivery.outbox import Outbox
from alerts.delivery.pinned import PinnedClient
from alerts.delivery.webhook import WebhookSender
from alerts.rows import Message
from alerts.state.retry import BACKOFF_MAX_S, Reply
from alerts.state.sqlite import AlertStore, Update
from alerts.state.subject import Subject
from alerts.state.transitions import first_state
from collector.core.clock import SystemClock
from collector.core.times import NS_PER_S
from tests.support.alerts.builders import SECRET, endpoint, event, message
from tests.support.collector.clients import WAIT_S
from tests.support.examples import examples

STATE = first_state("burn", Subject("checkout", "eu-west"), 1)
TIMEOUT_S = 0.2
# What a receiver may do with one request, beside taking it.
FAULTS = ("taken", "500", "429", "hangs", "slow", "no answer", "killed", "restart")
_FILES = itertools.count()


class Receiver:
    """Verifies, drops what it has seen, and keeps the rest in the order in which it came."""

    def __init__(self, secret: str) -> None:
        self.faults: deque[str] = deque()
        self.taken: list[str] = []
        self.forged: list[str] = []
        self.attempts = 0
        self._key = base64.b64decode(secret.removeprefix("whsec_"))
        self._oracle = standardwebhooks.Webhook(secret)
        self._lock = threading.Lock()
        self.gone_on = threading.Event()  # ends what hangs
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.receive(self, dict(self.headers.items()), body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def receive(
        self, request: BaseHTTPRequestHandler, headers: dict[str, str], body: bytes
    ) -> None:
        """Answer one request as the script says."""
        with self._lock:
            self.attempts += 1
            fault = self.faults.popleft() if self.faults else "taken"
        if fault == "no answer":
            request.connection.close()
            return
        if fault == "hangs":
            self.gone_on.wait(30)
            return
        if fault in ("500", "429"):
            request.send_response(int(fault))
            request.end_headers()
            return
        lower = {name.lower(): value for name, value in headers.items()}
        with self._lock:
            genuine = self._is_genuine(lower, body)
            webhook_id = lower["webhook-id"]
            if not genuine:
                self.forged.append(webhook_id)
            elif webhook_id not in self.taken:
                self.taken.append(webhook_id)
        if fault == "slow":
            # It has taken the message, and answers when nobody listens any more.
            self.gone_on.wait(2 * TIMEOUT_S)
            return
        request.send_response(204 if genuine else 401)
        request.end_headers()

    def _is_genuine(self, headers: dict[str, str], body: bytes) -> bool:
        try:
            self._oracle.verify(body, headers)
        except standardwebhooks.WebhookVerificationError:
            return False
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        mac = base64.b64encode(hmac.new(self._key, signed, hashlib.sha256).digest()).decode()
        return f"v1,{mac}" in headers["webhook-signature"].split(" ")

    def stop(self) -> None:
        """Stop listening."""
        self.gone_on.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Killed(Exception):  # noqa: N818  not an error of the product: the end of its process
    """The process is gone, between an answer and its record."""


class DyingSender:
    """Sends, and then takes the process with it where the script says so.

    It gives up soon on what will not answer, and on nothing else: a busy machine may be slow.
    """

    def __init__(self, sender: WebhookSender, receiver: Receiver) -> None:
        self.dies = False
        self._sender = sender
        self._receiver = receiver

    def send(self, endpoint: WebhookConfig, message: Message, now_ns: int) -> Reply:
        """Make one attempt."""
        is_silent = self._receiver.faults and self._receiver.faults[0] in ("hangs", "slow")
        timed = endpoint.model_copy(update={"timeout_s": TIMEOUT_S if is_silent else WAIT_S})
        reply = self._sender.send(timed, message, now_ns)
        if self.dies:
            raise Killed
        return reply


def transitions() -> list[Message]:
    """Return what three incidents send, woven together as they happened."""
    told = [("a", 1), ("b", 1), ("a", 3), ("c", 1), ("c", 4), ("b", 5), ("d", 1), ("d", 2)]
    return [
        message(
            seq=seq,
            episode_id=episode,
            webhook_id=f"{episode}-{seq}",
            kind="alert.firing" if seq == 1 else "alert.resolved",
        )
        for episode, seq in told
    ]


@pytest.fixture(scope="module")
def client() -> Iterator[PinnedClient]:
    """One client for all."""
    client = PinnedClient(("127.0.0.1",))
    yield client
    client.close()


@settings(
    max_examples=examples(6),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.sampled_from(FAULTS), max_size=9))
def test_each_transition_is_seen_once_and_in_order(
    client: PinnedClient, tmp_path: Path, faults: list[str]
) -> None:
    """Through 500s, timeouts, slow answers, cut connections, kills and restarts."""
    path = tmp_path / f"{next(_FILES)}.sqlite"
    receiver = Receiver(SECRET)
    receiver.faults.extend(fault for fault in faults if fault not in ("killed", "restart"))
    ours = iter(fault for fault in faults if fault in ("killed", "restart"))
    wanted = transitions()
    memory = AlertStore(path)
    now_ns = SystemClock().now_ns()  # by which the oracle judges
    memory.record([Update(STATE, event(recorded_ns=now_ns), tuple(wanted))])
    for _ in range(60):
        sender = DyingSender(WebhookSender(client), receiver)
        sender.dies = next(ours, "") == "killed"
        outbox = Outbox(memory, [endpoint(receiver.url)], sender)
        _until_killed(outbox, now_ns)
        outbox.close()
        memory.close()
        memory = AlertStore(path)
        if memory.backlog().deliveries.get("pending", 0) == 0:
            break
        _rest_over(memory)
    receiver.stop()
    memory.close()

    assert receiver.forged == []
    assert receiver.taken == [each.webhook_id for each in wanted]
    assert receiver.attempts <= len(wanted) + len(faults)


def _until_killed(outbox: Outbox, now_ns: int) -> None:
    try:
        outbox.deliver_due(now_ns)
    except Killed:
        return


def _rest_over(memory: AlertStore) -> None:
    """Let the receiver's rest pass: signatures are of the machine's time, which does not move."""
    with memory.transaction() as db:
        db.execute(
            "UPDATE circuits SET rests_until_ns = rests_until_ns - ?", (BACKOFF_MAX_S * NS_PER_S,)
        )
