"""Whatever is changed of an event is found, or docs/reference/provenance.md says not."""

from __future__ import annotations

import random
from pathlib import Path

from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.core.config import AttributesConfig
from collector.core.event_schema import HEX_DIGITS, SIGNED
from collector.otlp.check import Signal, check, limits_at
from collector.provenance.event import Sealer
from dashboard.read.sealed.store import SealedStore
from tests.conftest import NOW_NS
from tests.support.builders import decision_span, key_values, store_request, trace_request
from tests.support.collector.provenance_scene import KEY, Scene, at, fields_of, span_of

TRIALS = 400
LATER_NS = at(3_600)
PAGE = (Path(__file__).parents[4] / "docs" / "reference" / "provenance.md").read_text()
# What may be changed unseen, with the words that say so.
SENT_LIMITS = {
    "decision.id": "`decision.id`, `outcome.key` | no",
    "outcome.key": "`decision.id`, `outcome.key` | no",
    "decision.stage": "such as `decision.stage` | no",
    "http.route": "other attributes of the span",
    "name": "name, kind, parent, service",
    "kind": "name, kind, parent, service",
    "parent_span_id": "name, kind, parent, service",
}
STORED_LIMITS = {
    "ParentSpanId": "name, kind, parent, service",
    "TraceState": "other attributes of the span",
    "SpanName": "name, kind, parent, service",
    "SpanKind": "name, kind, parent, service",
    "ScopeName": "other attributes of the span",
    "ScopeVersion": "other attributes of the span",
    "StatusMessage": "other attributes of the span",
}
OTHER = {
    "Timestamp": "Timestamp + toIntervalNanosecond(1)",
    "Duration": "Duration + 1",
    "StatusCode": "'Error'",
    "TraceId": "concat(substring(TraceId, 1, 31), if(endsWith(TraceId, '0'), '1', '0'))",
    "SpanId": "concat(substring(SpanId, 1, 15), if(endsWith(SpanId, '0'), '1', '0'))",
}
# Of the values that a row's times are known by no trial is made: when it came is ours to say.
NOT_SENT = {"received_ns", "ResourceAttributes", "ScopeAttributes"}


def sealed_span(number: int) -> Span:
    """Return the one decision of a chain of its own, with a value in every signed field."""
    fields = fields_of(decision_span(region="eu", start_ns=NOW_NS + number))
    filled = [
        text or ("1" if name.endswith(("_ns", "_usd")) else "x")
        for name, text in zip(SIGNED, fields, strict=True)
    ]
    filled[SIGNED.index("decision.schema")] = "1"
    made = span_of(Sealer(KEY, f"shop/{number}").seal(filled))
    made.attributes.extend(
        key_values({"decision.id": f"d{number}", "outcome.key": "k", "http.route": "/"})
    )
    return made


def changed(made: Span, dice: random.Random) -> str:
    """Change one thing of a span as it is sent; return what."""
    own = ["trace_id", "span_id", "start", "end", "status", "name", "kind", "parent_span_id"]
    names = [pair.key for pair in made.attributes]
    what = dice.choice([*own, *names, "decision.stage"])
    if what == "decision.stage":
        made.attributes.extend(key_values({what: "egress"}))
    elif what in ("trace_id", "span_id"):
        before = bytearray(getattr(made, what))
        before[dice.randrange(len(before))] ^= 1 << dice.randrange(8)
        setattr(made, what, bytes(before))
    elif what == "start":
        made.start_time_unix_nano -= dice.choice((1, 10**6))
    elif what == "end":
        made.end_time_unix_nano += dice.choice((1, 10**6))
    elif what == "status":
        made.status.code = dice.choice((Status.STATUS_CODE_OK, Status.STATUS_CODE_ERROR))
    elif what == "name":
        made.name += "x"
    elif what == "kind":
        made.kind = Span.SPAN_KIND_CLIENT
    elif what == "parent_span_id":
        made.parent_span_id = dice.randbytes(8)
    else:
        _change_text(next(pair for pair in made.attributes if pair.key == what), dice)
    return what


def _change_text(pair: KeyValue, dice: random.Random) -> None:
    text = pair.value.string_value or str(pair.value.int_value)
    at_letter = dice.randrange(len(text))
    digits = (
        "0123456789abcdef" if pair.key in HEX_DIGITS else "0123456789" if text.isdigit() else "xyz"
    )
    other = dice.choice([letter for letter in digits if letter != text[at_letter]])
    changes = [text[:at_letter] + other + text[at_letter + 1 :], "", text[:-1]]
    if not pair.key.startswith("decision.ts"):
        changes += [text + other, text + " "]
    pair.value.string_value = dice.choice([each for each in changes if each != text])


def test_what_is_changed_of_an_event_on_its_way_is_found_or_is_a_limit(proof: Scene) -> None:
    """One change an event, anywhere in it: as a service says it that judges what arrives."""
    dice = random.Random(11)
    trials: dict[str, str] = {}
    sent: list[Span] = []
    for number in range(TRIALS):
        made = sealed_span(number)
        trials[f"shop/{number}"] = changed(made, dice)
        request = trace_request(made).SerializeToString()
        # What the receiver refuses is found as well: the sender is told, and its number is missing.
        if not check(Signal.TRACES, request, limits_at(at(1), 30, AttributesConfig())).message:
            sent.append(made)
    store_request(proof.store, trace_request(*sent), received_ns=at(1))
    proof.run(2)
    rows = proof.store.client().query("SELECT producer, verdict FROM provenance_events FINAL")
    ok = {str(producer) for producer, verdict in rows.result_rows if verdict == "ok"}
    unseen = {what for producer, what in trials.items() if producer in ok}
    assert unseen <= SENT_LIMITS.keys()
    assert all(producer in ok for producer, what in trials.items() if what in SENT_LIMITS)
    assert all(words in PAGE for words in SENT_LIMITS.values())
    assert len(set(trials.values())) > len(SIGNED)


def test_what_is_changed_of_a_stored_span_is_found_or_is_a_limit(proof: Scene) -> None:
    """Column by column, each in a row of its own: by its seal, or by the row that it made."""
    sql = (
        "SELECT name FROM system.columns WHERE table = 'otel_traces'"
        " AND database = currentDatabase() AND name NOT LIKE 'Events%'"
        " AND name NOT LIKE 'Links%' AND name != 'SpanAttributes'"
    )
    names = {str(name) for (name,) in proof.store.client().query(sql).result_rows}
    columns = sorted(names - NOT_SENT)
    for number in range(len(columns)):
        store_request(proof.store, trace_request(sealed_span(number)), received_ns=at(1))
    client = proof.store.client()
    for number, column in enumerate(columns):
        where = f"SpanAttributes['provenance.producer'] = 'shop/{number}'"
        change = OTHER.get(column, f"concat({column}, 'x')")
        client.command(
            "CREATE OR REPLACE TABLE taken ENGINE = Memory AS "
            f"SELECT * FROM otel_traces WHERE {where}"
        )
        client.command(f"DELETE FROM otel_traces WHERE {where}")
        # As who has SQL would: past the views.
        client.command("DETACH TABLE decisions_mv")
        client.command(f"INSERT INTO otel_traces SELECT * REPLACE({change} AS {column}) FROM taken")
        client.command("ATTACH TABLE decisions_mv")
    proof.run(2)
    rows = client.query("SELECT producer, verdict FROM provenance_events FINAL").result_rows
    ok = {str(producer) for producer, verdict in rows if verdict == "ok"}
    named = {row.id for row in SealedStore(proof.store).rows(0, LATER_NS).changed}
    unseen = {
        column
        for number, column in enumerate(columns)
        if f"shop/{number}" in ok and f"d{number}" not in named
    }
    assert unseen == STORED_LIMITS.keys()
    assert all(words in PAGE for words in STORED_LIMITS.values())
