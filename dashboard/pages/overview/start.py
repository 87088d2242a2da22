"""I/O: what an empty store shows: how to send, and what came of which nothing is a decision."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from dash import html

from collector.core.times import NS_PER_HOUR
from dashboard.pages.context import PageContext
from dashboard.pages.parts import Component, panel
from dashboard.settings.config import SenderDoor

OUTPUTS: Final = (
    "overview-start.hidden",
    "overview-start-said.children",
    "overview-start-code.children",
)
_ROOTS_NS: Final = NS_PER_HOUR
_SEND: Final = """\
export OTEL_EXPORTER_OTLP_ENDPOINT={url}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
{variables}# Python: opentelemetry-instrument python app.py
# Node:   node --require @opentelemetry/auto-instrumentations-node/register app.js
# Java:   java -javaagent:opentelemetry-javaagent.jar -jar app.jar

"""
# A shell of any system has these; ids and times are of the moment, as a decision is counted once.
_TEST: Final = """\
# a test trace, without an SDK:
hex() {{ od -An -N"$1" -tx1 /dev/urandom | tr -d ' \\n'; }}
now=$(date +%s)
curl -sS {options}{url}/v1/traces -H 'content-type: application/json' -d @- <<END
{{"resourceSpans": [{{"resource": {{"attributes": [{{"key": "service.name", "value":
  {{"stringValue": "test"}}}}]}}, "scopeSpans": [{{"spans": [{{"name": "GET /test", "kind": 2,
  "traceId": "$(hex 16)", "spanId": "$(hex 8)",
  "startTimeUnixNano": "${{now}}000000000", "endTimeUnixNano": "${{now}}025000000"}}]}}]}}]}}
END

"""
_IMPORT: Final = (
    "millworth import otlp FILE    # OTLP, Jaeger or Zipkin: traces that you have already\n"
)


@dataclass(frozen=True, slots=True)
class Root:
    """Traces of one kind of root, none of which is a decision."""

    service: str
    span_name: str
    kind: str
    attribute: str  # that says what a method alone does not, "" for none
    value: str  # of that
    traces: int


@dataclass(frozen=True, slots=True)
class Start:
    """What is there of a store without a decision; None in its place where there is one."""

    door: SenderDoor
    spans: int  # of the last hour
    roots: list[Root]


def layout(context: PageContext) -> Component:
    """Return the panel as it stands before the first reading: hidden, but for a store known empty.

    It asks the store nothing: pages are laid out where every request is answered.
    """
    shown = show(Start(context.door, 0, []) if context.found.get("is_empty") else None)
    return html.Div(
        panel(
            "overview-start",
            "Send your first trace",
            html.Div(shown["overview-start-said.children"], id="overview-start-said"),
            html.Pre(shown["overview-start-code.children"], id="overview-start-code"),
        ),
        id="overview-start",
        hidden=bool(shown["overview-start.hidden"]),
    )


def read(context: PageContext, in_window: int = 0) -> Start | None:
    """Read what came, None where a decision did.

    Args:
        context: of the page.
        in_window: decisions that are known already; with any there is nothing to ask.
    """
    reader = context.reader
    if in_window or reader.ask("any_decision", __file__, {})[0]["is_there"]:
        context.found["is_empty"] = False
        return None
    context.found["is_empty"] = True
    now_ns = context.clock.now_ns()
    window = {"from_ns": now_ns - _ROOTS_NS, "to_ns": now_ns + _ROOTS_NS}
    (came,) = reader.ask("spans_of_hour", __file__, window)
    roots = [Root(**row) for row in reader.ask("roots_of_hour", __file__, window)]
    return Start(context.door, int(came["spans"]), roots)


def show(start: Start | None) -> dict[str, object]:
    """Return a value for each of OUTPUTS."""
    if start is None:
        return dict(zip(OUTPUTS, (True, "", ""), strict=True))
    if not start.spans:
        hint = (
            "No decision is stored yet. Any OpenTelemetry SDK or collector sends here by its "
            "standard variables; each root span of a server is a decision of its route until you "
            "declare what a decision is. This page shows it as it comes."
        )
        variables, options = _asked(start.door)
        code = (_SEND + _TEST).format(
            url=start.door.url,
            variables="".join(f"export OTEL_EXPORTER_OTLP_{line}\n" for line in variables),
            options="".join(f"{option} " for option in options),
        )
        code += _IMPORT
        return dict(zip(OUTPUTS, (False, hint, code), strict=True))
    hint = f"{start.spans:,} spans came in the last hour, and none of them is a decision yet. "
    if not start.roots:
        return dict(zip(OUTPUTS, (False, hint + "None of them is a root.", ""), strict=True))
    hint += (
        "Attribution takes some seconds; if nothing shows, these lines of millworth.toml make "
        "decisions of the roots that came most:"
    )
    return dict(zip(OUTPUTS, (False, hint, "\n".join(map(_rule, start.roots))), strict=True))


def _asked(door: SenderDoor) -> tuple[list[str], list[str]]:
    """Return the variables of an SDK and the options of curl for what the receiver asks."""
    variables, options = [], []
    if door.needs_token:
        variables.append("HEADERS='authorization=Bearer%20TOKEN'    # of this sender")
        options.append("-H 'authorization: Bearer TOKEN'")
    if door.is_tls:
        variables.append("CERTIFICATE=ca.pem    # the authority of the receiver's certificate")
        options.append("--cacert ca.pem")
    if door.needs_certificate:
        variables += ["CLIENT_CERTIFICATE=client.pem    # of this sender", "CLIENT_KEY=client.key"]
        options.append("--cert client.pem --key client.key")
    return variables, options


def _rule(root: Root) -> str:
    of_route = ""
    if root.attribute:
        of_route = (
            f"attributes = {{ {_quoted(root.attribute)} = {_quoted(root.value)} }}\n"
            f"action = {_quoted(f'{root.span_name} {root.value}')}\n"
        )
    return (
        f"[[decisions.match]]        # {root.traces:,} traces\n"
        f"service = {_quoted(root.service)}\n"
        f"span_name = {_quoted(root.span_name)}\n"
        f'kind = "{root.kind.lower()}"\n' + of_route
    )


def _quoted(text: str) -> str:
    """Return a text as TOML has it: as JSON does, but for what it has no short name for."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
