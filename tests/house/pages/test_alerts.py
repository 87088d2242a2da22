"""docs/operate/alerts.md: its settings, its arithmetic, its fields, and its receiver."""

from __future__ import annotations

import json
import math
import re
import select
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from alerts.config import WebhookConfig
from alerts.delivery.payload import Details, body
from alerts.delivery.webhook import message_headers
from alerts.evidence.suspect import PathNow
from alerts.rows import Message
from alerts.rules.base import Wording
from alerts.rules.burn_rate import Losses, Window, burn_of, effective_events, lower_bound
from alerts.rules.tiers import TIERS, DollarBurnConfig
from alerts.signature import KEY_BYTES_MIN, key_of
from alerts.state.proposal import Move
from alerts.state.retry import (
    ASIDE_ATTEMPTS,
    BACKOFF_FIRST_S,
    BACKOFF_MAX_S,
    BACKOFF_MIN_S,
    GIVE_UP_NS,
)
from alerts.state.sqlite import PENDING_MAX
from alerts.state.transitions import Phase
from collector.core.clock import SystemClock
from collector.core.times import NS_PER_DAY, NS_PER_S
from dashboard.settings.settings import Settings
from tests.conftest import NOW_NS
from tests.support.alerts.builders import event
from tests.support.builders import span, trace_request
from tests.support.docs.pages import PageShell, blocks, only
from tests.support.programs import free_port
from tests.support.service import RunningService
from tests.support.tree import text

PAGE = "docs/operate/alerts.md"
SETTINGS = Settings.model_validate(tomllib.loads(blocks(PAGE, "toml")[0]))
WAIT_S = 120


def section(heading: str) -> str:
    """Return the text below a heading."""
    return text(PAGE).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def rows(heading: str) -> dict[str, list[str]]:
    """Return the rows of the tables below a heading, by their first cell."""
    lines = [line for line in section(heading).splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0]: row[1:] for row in cells}


def numbers(cell: str) -> list[float]:
    """Return the numbers of a cell."""
    return [float(found.replace(",", "")) for found in re.findall(r"\d[\d,]*\.?\d*", cell)]


def test_worked_example_is_what_the_rule_computes() -> None:
    """A reader checks the arithmetic of their own rule by it."""
    said = rows("When a rule fires")

    def of(name: str) -> float:
        [number] = numbers(said[name][0])
        return number

    [checkout] = SETTINGS.alerts.rules
    assert isinstance(checkout, DollarBurnConfig)
    fast = TIERS[1]
    fast_burn = checkout.model_copy(update={"tiers": (fast,)})
    low, high = numbers(said["at the 5 % sensitivity; at the 95 %"][0])
    decisions, _ = (int(n) for n in numbers(said["loss in the long window"][1]))
    long_loss = Decimal(str(of("loss in the long window")))
    long = Window(
        decisions=decisions,
        unvalued=0,
        loss_usd=long_loss,
        loss_low_usd=Decimal(str(low)),
        loss_high_usd=Decimal(str(high)),
        loss_squared=of("sum of squared losses"),
        basis="margin",
        slope_source="prior",
        newest_ns=NOW_NS,
    )
    short_loss = Decimal(str(of("loss in the short window")))
    short = Window(10, 0, short_loss, short_loss, short_loss, 9.0, "margin", "prior", 1)
    spent = Decimal(str(of("spent of the budget in its 30 days")))

    verdict = burn_of(fast_burn, Losses({3_600: long, 300: short}, spent))

    assert of("threshold of the long window") == float(fast_burn.threshold_usd(fast, 3_600))
    short_usd = fast_burn.threshold_usd(fast, 300)
    assert of("threshold of the short window") == round(float(short_usd), 2)
    assert of("effective events") == effective_events(long)
    assert of("lower bound") == round(float(lower_bound(long, fast_burn.confidence_z)), 2)
    assert said["verdict"][0] == verdict.status.value
    assert of("revenue at risk") == float(verdict.risk_usd_per_h)
    assert of("burn") == round(verdict.burn, 2)
    assert verdict.exhaustion_s is not None
    assert of("budget gone in") == round(verdict.exhaustion_s / 3600)
    by_hand = 640 * math.exp(-1.28 * math.sqrt(1 / 128 + (math.log(2) / 1.644854) ** 2))
    assert of("lower bound") == round(by_hand, 2)


def test_tiers_are_the_default() -> None:
    """Who reads that a rule pages at 2 % of the budget in an hour relies on it."""
    said = [row for row in rows("When a rule fires").values() if row[-1] in ("page", "ticket")]
    seconds = {"min": 60, "h": 3_600, "d": 86_400}

    def length(cell: str) -> int:
        number, unit = cell.split()
        return int(number) * seconds[unit]

    assert [(float(r[0].rstrip(" %")) / 100, length(r[1]), length(r[2]), r[3]) for r in said] == [
        (t.budget_share, t.long_window_s, t.short_window_s, t.severity or "page") for t in TIERS
    ]


def test_states_are_those_of_the_machine() -> None:
    """A state that is not explained is asked for at night."""
    assert [name.strip("`") for name in rows("States") if name.startswith("`")] == [
        phase.value
        for phase in (
            Phase.INACTIVE, Phase.PENDING, Phase.FIRING, Phase.COOLING, Phase.RESOLVED,
            Phase.UNKNOWN,
        )
    ]  # fmt: skip
    assert len(Phase) == 6


def fields(prefix: str, value: Any) -> Iterator[str]:  # noqa: ANN401  # any JSON
    """Yield the names of what is no object, with the objects around them."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from fields(f"{prefix}.{name}" if prefix else name, inner)
    else:
        yield prefix


def test_every_field_and_header_is_explained() -> None:
    """The body is public: a receiver is written from this page."""
    explained = rows("The webhook")
    move = Move("checkout", "eu-west", "tier1-a", "us-east")
    path = PathNow(9, (1e6,) * 4, "before", (1e6,) * 4)
    message = json.loads(
        body("alert.firing", event(), Wording(shorts={60: 6}), Details(move, path=path))
    )
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    endpoint = WebhookConfig(name="router", url="https://r.example.com/h", secret=secret)  # type: ignore[arg-type]  # as from a file
    headers = message_headers(endpoint, Message("id", "router", "e", 1, "alert.firing", b""), 1)

    named = {name for cell in explained for name in re.findall(r"`([\w.-]+)`", cell)}
    assert set(fields("", message)) | {"data.reroute", "data.path"} | set(headers) == named


def message(kind: str, seq: int, move: Move | None, **changes: object) -> dict[str, Any]:
    """Return a message of an episode, as it is sent."""
    sent = body(kind, event(seq=seq, **changes), Wording(), Details(move))
    return dict(json.loads(sent))


def test_router_of_the_page_moves_and_takes_back() -> None:
    """Whoever copies it moves nothing twice, nothing for ever, and nothing into trouble."""
    names: dict[str, Any] = {}
    exec(blocks(PAGE, "python")[0], names)
    moves = names["Moves"]()
    soon = datetime.fromtimestamp(NOW_NS // NS_PER_S + 60, UTC)
    late = soon + timedelta(hours=1)

    def at(now: datetime) -> str:
        return str(moves.region("checkout", "eu-west", now))

    proposed = Move("checkout", "eu-west", "tier1-a", "us-east")
    firing = message("alert.firing", 1, proposed)
    assert at(soon) == "eu-west"
    moves.take(firing)
    moves.take(firing)
    assert (at(soon), at(late)) == ("us-east", "eu-west")
    assert moves.region("checkout", "us-east", soon) == "us-east"
    assert moves.region("search", "eu-west", soon) == "eu-west"
    moves.take(message("alert.firing", 2, replace(proposed, to_region="us-west")))
    moves.take(firing)  # late
    assert at(soon) == "us-west"
    other = {"episode_id": "b" * 32, "region": "us-west"}
    moves.take(message("alert.firing", 1, None, **other))
    assert at(soon) == "eu-west"
    moves.take(message("alert.resolved", 2, None, **other))
    assert at(soon) == "us-west"
    moves.take(message("alert.resolved", 3, None))
    assert at(soon) == "eu-west"
    anew, shadow = names["Moves"](), message("alert.firing", 1, None, **other)
    alerts = [{**firing["data"], "is_shadow": False}, {**shadow["data"], "is_shadow": True}]
    anew.restore({"alerts": alerts})
    assert anew.region("checkout", "eu-west", soon) == "us-east"
    anew.take(message("alert.resolved", 3, None))
    assert anew.region("checkout", "eu-west", soon) == "eu-west"


def test_retries_are_those_of_the_page() -> None:
    """An operator plans an outage of a receiver by them."""
    said = " ".join(section("Answers and retries").split())
    assert (
        f"between {BACKOFF_MIN_S} s and a maximum that doubles with each failure, "
        f"from {BACKOFF_FIRST_S} s to {BACKOFF_MAX_S // 60} min"
    ) in said
    assert f"({ASIDE_ATTEMPTS} attempts)" in said
    assert f"the first failure after {GIVE_UP_NS // NS_PER_DAY} days" in said
    assert f"more than {PENDING_MAX:,} wait" in said


def test_secret_of_the_page_is_usable(tmp_path: Path) -> None:
    """One that is too short would stop the start."""
    [line] = PageShell(tmp_path).run(only(PAGE, "sh")).splitlines()
    name, _, secret = line.partition("=")
    assert name == "MILLWORTH__ALERTS__WEBHOOKS__0__SECRET"
    assert len(key_of(secret)) >= KEY_BYTES_MIN


def status_for_length(port: int, length: str) -> int:
    """Return what is answered to whoever says that so much will come, and sends nothing."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as connection:
        connection.sendall(f"POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n".encode())
        return int(connection.makefile().readline().split()[1])


@pytest.mark.integration
def test_receiver_of_the_page_takes_a_real_delivery(tmp_path: Path) -> None:
    """A service whose data stopped sends `dead-man`, and the receiver verifies it."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    port = free_port()
    (tmp_path / "millworth.toml").write_text(
        "[alerts]\ndead_man_seconds = 1.0\ninterval_s = 0.5\nallowed_hosts = ['127.0.0.1']\n"
        f"[[alerts.webhooks]]\nname = 'router'\nurl = 'http://127.0.0.1:{port}/'\n"
    )
    receiver = subprocess.Popen(
        [
            "env",
            f"WEBHOOK_SECRET={secret}",
            f"PORT={port}",
            sys.executable,
            "-c",
            blocks(PAGE, "python")[1],
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with RunningService(
            tmp_path,
            wrapper=("env", "-C", str(tmp_path)),
            MILLWORTH__ALERTS__WEBHOOKS__0__SECRET=secret,
        ) as service:
            httpx.post(
                f"http://127.0.0.1:{service.ready['http_port']}/v1/traces",
                content=trace_request(span(start_ns=SystemClock().now_ns())).SerializeToString(),
                headers={"content-type": "application/x-protobuf"},
            ).raise_for_status()
            assert receiver.stdout is not None
            readable, _, _ = select.select([receiver.stdout], [], [], WAIT_S)
            assert readable, "nothing was delivered"
            webhook_id, kind = receiver.stdout.readline().split()
        signed = {
            "webhook-id": webhook_id, "webhook-timestamp": "1", "webhook-signature": "v1,AAAA",
        }  # fmt: skip
        strange = [
            {**signed},
            {**signed, "webhook-timestamp": "soon"},
            {**signed, "webhook-signature": "v1,\xe9"},
            {"webhook-id": webhook_id},
            {},
        ]
        # Somebody looks at the port, and says nothing.
        with socket.create_connection(("127.0.0.1", port)):
            answers = [
                httpx.post(
                    f"http://127.0.0.1:{port}/",
                    content=b"{}",
                    headers=[(k.encode(), v.encode("latin-1")) for k, v in each.items()],
                ).status_code
                for each in strange
            ]
            sizes = [
                status_for_length(port, each)
                for each in ("abc", "-1", "", "9" * 12, "000000001000001", "1000001")
            ]
    finally:
        receiver.terminate()
        receiver.communicate(timeout=WAIT_S)

    assert kind == "alert.firing"
    assert webhook_id.endswith("-router")
    assert answers == [401] * len(strange)
    assert sizes == [400, 400, 400, 413, 413, 413]
