"""Pure: `millworth bench identifiers`: what is taken for personal data, and what is overlooked.

Values of seeded random go through the rules as requests do. One that is nobody's and comes out
changed is a false find; a card, an address or a telephone number that comes out as it went in is
one that was missed. Ids that pass for cards have a card's prefix, its length and its check digit:
nothing but their place tells them apart.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.bench.harness import Progress
from collector.core.key_files import Key
from collector.otlp.check import Signal
from collector.privacy.pseudonyms import Tokeniser
from collector.privacy.redact import Identifiers
from collector.privacy.rules import IdentifiersConfig

VALUES: Final = 60_000  # of a class of others' values in a run
CARDS: Final = 4_000  # of a class of personal values
_BATCH: Final = 1_000
_NOW_NS: Final = 1_764_196_325_000_000_000

Value = str | int | float
_IDS: Final = ("campaign.id", "order.id", "session.ref", "x", "decision.campaign", "span.ref")
_NETWORKS: Final = (
    ("4", (16, 16, 19, 13)), ("51", (16,)), ("55", (16,)), ("2221", (16,)), ("2720", (16,)),
    ("34", (15,)), ("37", (15,)), ("36", (14,)), ("305", (14,)), ("6011", (16,)), ("65", (16, 19)),
    ("3528", (16,)), ("62", (16, 19)), ("6759", (16, 19)),
)  # fmt: skip
_GROUPS: Final = {14: (4, 6, 4), 15: (4, 6, 5), 16: (4, 4, 4, 4), 19: (4, 4, 4, 4, 3)}


@dataclass(frozen=True, slots=True)
class Kind:
    """One class of values: attributes, what is drawn, and the texts that it stands in."""

    names: tuple[str, ...]
    draw: Callable[[random.Random], Value]
    forms: tuple[str, ...] = ()  # {} is what was drawn; none: it alone, as it was drawn

    def value(self, source: random.Random) -> tuple[str, Value]:
        """Return the name of an attribute and its value."""
        name, drawn = source.choice(self.names), self.draw(source)
        return name, source.choice(self.forms).format(drawn) if self.forms else drawn


def card(source: random.Random) -> str:
    """Return a card number of a network: its prefix, one of its lengths, its check digit."""
    prefix, sizes = source.choice(_NETWORKS)
    size = source.choice(sizes)
    head = prefix + "".join(source.choices("0123456789", k=size - 1 - len(prefix)))
    shares = (int(d) * (2 - index % 2) for index, d in enumerate(reversed(head)))
    total = sum(share - 9 * (share > 9) for share in shares)
    return head + str(-total % 10)


def grouped_card(source: random.Random) -> str:
    """Return a card number in the groups of its network."""
    number = card(source)
    while len(number) not in _GROUPS:  # 13 digits are written in one
        number = card(source)
    is_six = len(number) == 19 and number.startswith("62")
    sizes = (6, 13) if is_six else _GROUPS[len(number)]
    return _grouped(number, sizes, source.choice(" -." if len(sizes) > 3 else " -"))


def _grouped(number: str, sizes: Sequence[int], sign: str) -> str:
    starts = [sum(sizes[:at]) for at in range(len(sizes))]
    return sign.join(number[at : at + size] for at, size in zip(starts, sizes, strict=True))


def _digits(source: random.Random, low: int = 13, high: int = 19) -> str:
    size = source.randint(low, high)
    return str(source.randrange(10 ** (size - 1), 10**size))


# What is nobody's, and has to stay.
OTHERS: Final = {
    "ids": Kind(_IDS, _digits),
    "ids_like_cards": Kind(_IDS, card),
    "ids_as_numbers": Kind(_IDS, lambda r: min(int(card(r)), 2**63 - 1)),
    "ids_joined": Kind(
        ("detail",),
        card,
        ("GET /orders/{}/items", "order_id={} shipped", 'sent {{"orderId": "{}"}} on',
         "of order#{} x", "order-{} is late", "https://shop.example/o/{}?a=1", "trace:{} done",
         "of {}.5 in all"),
    ),
    "hex": Kind(("session.ref",), lambda r: f"{r.getrandbits(64):016x}"),
    "trace_ids": Kind(
        ("detail",),
        lambda r: f"{r.getrandbits(128):032x} {uuid.UUID(int=r.getrandbits(128))}",
        ("of {}", "{}"),
    ),
    "prices": Kind(("price",), lambda r: r.random() * 9_000),
    "prices_as_text": Kind(
        ("detail",), lambda r: repr(r.random() * 9_000), ("{}", "{} EUR", "costs {} in all")
    ),
    "times": Kind(
        ("at", "note"), lambda r: str(_NOW_NS + r.randrange(10**17))[: r.choice((13, 16, 19))]
    ),
    "durations": Kind(
        ("detail",), lambda r: _digits(r, 9, 16), ("took {} ns", "took {}us", "{} ms", "read {} B")
    ),
    "versions": Kind(
        ("service.version",),
        lambda r: f"{r.randrange(99)}.{r.randrange(99)}.{r.randrange(9999)}-{_digits(r, 8, 16)}",
    ),
    "producers": Kind(
        ("provenance.producer",), lambda r: r.randrange(999), ("shop-{}@eu.example.com",)
    ),
}  # fmt: skip
# Ids that nothing tells from a card where they stand: what that costs is said, not hidden.
UNTOLD: Final = {
    "ids_in_prose": Kind(("detail",), lambda r: _digits(r, 16, 16), ("order {} shipped",)),
    "ids_in_groups": Kind(
        ("order.id",), lambda r: _grouped(_digits(r, 16, 16), _GROUPS[16], "-")
    ),
}  # fmt: skip
# What is somebody's, and has to go.
PERSONAL: Final = {
    "cards_in_groups": Kind(("detail", "order.id"), grouped_card, ("{}", "paid by {}, thanks")),
    "cards_in_prose": Kind(
        ("detail",), card, ("paid with {} now", "{} is mine", "'{}' was typed", "no. {}, ok")
    ),
    "cards_under_their_name": Kind(
        ("card", "payment.cardNo", "x.pan", "cc", "note", "log.message"), card
    ),
    "cards_joined_to_their_name": Kind(
        ("detail",), card, ("card={}", 'got {{"cardNumber": "{}"}}', "/cards/{}", "pan: {}")
    ),
    "addresses": Kind(("detail",), lambda r: r.randrange(10**6), ("to u{}.x@mail.example.com",)),
    "phones": Kind(("detail",), lambda r: r.randrange(10**6, 10**7), ("call +49 170 {}",)),
}  # fmt: skip
# A card that nothing tells from an id where it stands.
MISSED: Final = {"cards_under_another_name": Kind(("ref",), card)}


def run_identifiers(runs: int, progress: Progress) -> dict[str, float]:
    """Return finds by class: false ones of a million, and the share of the personal that goes."""
    rules = Identifiers(IdentifiersConfig(), Tokeniser((Key("b1", b"b" * 32),), 30), {})
    figures: dict[str, float] = {}
    false = 0
    for name, kind in (OTHERS | UNTOLD).items():
        shares = [changed(rules, kind, run, VALUES) for run in range(runs)]
        false += sum(shares) if name in OTHERS else 0
        figures[f"{name}_false_per_million"] = 1e6 * sum(shares) / (VALUES * runs)
        progress(f"{name}: {sum(shares)} of {VALUES * runs} changed")
    for name, kind in (PERSONAL | MISSED).items():
        shares = [changed(rules, kind, run, CARDS) for run in range(runs)]
        figures[f"{name}_found_share"] = min(shares) / CARDS
        progress(f"{name}: {sum(shares)} of {CARDS * runs} found")
    figures["worst_false_per_million"] = max(
        figures[f"{name}_false_per_million"] for name in OTHERS
    )
    # Of none in n, fewer than 3 / n with 95%; of more, by Poisson's spread about.
    drawn = len(OTHERS) * VALUES * runs
    figures["false_per_million_at_most"] = 1e6 * (false + 3 + 1.7 * false**0.5) / drawn
    figures["worst_found_share"] = min(figures[f"{name}_found_share"] for name in PERSONAL)
    return figures


def changed(rules: Identifiers, kind: Kind, seed: int, count: int) -> int:
    """Return how many values of a class come out as others than they went in."""
    source, changes = random.Random(seed), 0  # noqa: S311 - repeatable, not a secret
    for _ in range(count // _BATCH):
        request = _request([kind.value(source) for _ in range(_BATCH)])
        body = request.SerializeToString()
        rewritten = rules.rewrite(Signal.LOGS, body, _NOW_NS)
        if rewritten != body:
            left = ExportLogsServiceRequest.FromString(rewritten)
            changes += sum(a != b for a, b in zip(_values(request), _values(left), strict=True))
    return changes


def _request(values: list[tuple[str, Value]]) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.extend(
        LogRecord(attributes=[KeyValue(key=name, value=_any(value))]) for name, value in values
    )
    return request


def _any(value: Value) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(double_value=value)


def _values(request: ExportLogsServiceRequest) -> Iterator[AnyValue]:
    for record in request.resource_logs[0].scope_logs[0].log_records:
        yield record.attributes[0].value
