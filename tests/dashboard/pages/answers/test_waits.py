"""What the Network page says of packets, of the kernel's figures, and of neither."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dashboard.pages.answers.waits import (
    answer_sentence,
    bursts_empty,
    missing,
    pairs_lines,
    waits_table,
)
from dashboard.read.network.rows import Network, Pair, Waited, Wire
from tests.support.dashboard.seed import TODAY_NS

NOTHING = Wire(0, 0, 0, 0, 0, None, None, 0, 0, 0, 0, 0, 0)
SEEN = Wire(60, 1, 20_000, 2_000_000, 40, 0.0015, 0.0027, 0, 0, 0, 2_000_000, 1_000, 0)
STORE = Waited(
    "store", "packets", 10, 20, 0, 1_000, 20, 0, 10, 0, 0, 50, 900, 20
)  # of 1000 ns 30 on the wire
KERNEL = replace(STORE, method="tcp_info", rtt_ns=5, transfer_ns=0, think_ns=0, host_queue_ns=0,
                 unexplained_ns=995)  # fmt: skip
LOSSY = replace(STORE, retransmission_ns=400, think_ns=500)


def found(*waited: Waited, wire: Wire = SEEN) -> Network:
    """Return a range with these waits."""
    return Network(0, TODAY_NS, list(waited), wire, [], [])


@pytest.mark.parametrize(
    ("of", "words"),
    [
        pytest.param(
            found(STORE),
            "It is not the network: of the waiting that packets show, 3.0 % was on the wire, "
            "90.0 % was the answering service at work.",
            id="the store thinks",
        ),
        pytest.param(found(LOSSY), "Look at the network: ", id="losses"),
        pytest.param(found(KERNEL), "By what the kernel knew, at least 0.5 %", id="no packets"),
        pytest.param(found(), "On the wire 0.20 % of 20,000 packets were sent again", id="no link"),
        pytest.param(found(wire=NOTHING), "Nobody can say: no packets are recorded. Run as root.",
                     id="recorder off"),
    ],
)  # fmt: skip
def test_sentence_claims_no_more_than_is_proven(of: Network, words: str) -> None:
    """Without packets nobody can say that it is not the network."""
    assert answer_sentence(of, "run as root").startswith(words)


def test_what_the_kernel_cannot_see_is_not_known() -> None:
    """Its figures have round trips alone: `0.00 ms` would be a claim about the rest."""
    drawn = json.loads(getattr(waits_table([KERNEL, STORE]), "data-table"))
    assert drawn["headings"] == ["Waited for", "store, by packets", "store, by tcp_info"]
    think = next(row for row in drawn["rows"] if row[0] == "the answering service at work")
    assert think[1:] == ["under 0.01 ms · 90.0 %", "not known"]
    assert drawn["rows"][-1] == ["decisions, waits", "10, 20", "10, 20"]


def test_pair_has_the_interval_of_its_losses_and_an_exchange_to_look_at() -> None:
    """None of ten packets lost is not the same as none of ten thousand."""
    of = Pair("10.0.0.1", "10.0.0.2", 6379, 2, 10, 900, 0, 0.0, 0.2775, 0, 0, None, 3, 0, None,
              None, "d-1")  # fmt: skip
    row: dict[str, Any] = pairs_lines([of])[0]
    assert (row["again"], row["interval"]) == ("0.00 %", "95 %: 0.00 to 27.75 %, n 10")
    assert (row["rtt"], row["rtt_of"]) == ("unknown", "no round trip seen")
    assert (row["connect"], row["href"]) == ("unknown", "/decision?id=d-1")


def test_no_burst_is_said_with_its_reason() -> None:
    """An empty table of bursts that nobody looked for would be a good mark."""
    assert "nobody looked" in bursts_empty(NOTHING)
    assert "packet.link_mbit" in bursts_empty(SEEN)
    assert bursts_empty(replace(SEEN, judged_seconds=60)).startswith("No burst in 60 s")


def test_packets_without_room_make_the_page_partial() -> None:
    """What was let go is in no figure."""
    assert missing(found(STORE)) == ""
    assert "no room for 2.0 KiB" in missing(found(wire=replace(SEEN, refused_bytes=2048)))
    assert "3 waits disagree" in missing(found(replace(STORE, outside_spans=3)))
