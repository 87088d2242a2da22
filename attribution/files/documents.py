"""Pure: the JSON documents of a file -> its spans, in whatever format each is.

A file may hold one document, a list of them, or one after the other, such as one a line. What
cannot be used costs no more than itself: a span, a list, a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeAlias

from attribution.files import jaeger, otlp, zipkin
from attribution.files.span import FileSpan, Json, Origin, as_text, value_text
from attribution.files.text import BrokenError, Malformed, Pending, Text
from collector.core.errors import DecodeError

OTLP, JAEGER, ZIPKIN = "OTLP JSON", "Jaeger JSON", "Zipkin JSON v2"
# Lists in lists: a Zipkin answer is a list of traces, and such lists may stand a line each.
_DEPTH_MAX = 3
# What the others need, where an object is parsed already.
_FIRST = ("resource", "processes", "traceID", *otlp.SCOPE)

# Parsed, or a list or object that is still to be read.
_Node: TypeAlias = Any
_ReadSpan: TypeAlias = Callable[[Json], FileSpan | None]  # None: read it later


class Sink(Protocol):
    """Takes what is read."""

    @property
    def add(self) -> Callable[[FileSpan], None]:
        """Return what takes one span."""

    def refuse(
        self, why: str, traces: Iterable[str] = (), *, is_span: bool = True, line: int = 0
    ) -> None:
        """Take the reason why something cannot be used; 0 is the line that was read last."""

    def note_format(self, format_: str) -> None:
        """Take the format of a document."""


class Documents:
    """Reads the documents of one text."""

    def __init__(self, text: Text, sink: Sink) -> None:
        """Read from this text into this sink."""
        self._text = text
        self._sink = sink

    def read(self) -> int:
        """Read all of them; return how many there were."""
        count = 0
        while self._text.peek():
            count += 1
            line = self._text.line
            try:
                part = self._text.part()
                self._document(part, 0)
                if isinstance(part, Pending):
                    part.skip()
            except BrokenError as error:
                self._broken(line, str(error), error.traces)
            except RecursionError:
                self._broken(line, "not JSON: nested too deeply", ())
        return count

    def _broken(self, line: int, why: str, traces: Iterable[str]) -> None:
        """Name the rest of a document, and go on with the next line that begins one."""
        self._sink.refuse(f"{why}; the rest of its document is not read", traces, is_span=False)
        self._text.resume(line)

    def _document(self, node: _Node, depth: int) -> None:
        if _is_list(node) and depth < _DEPTH_MAX:
            for each in _elements(node):
                self._document(each, depth + 1)
        elif isinstance(node, dict):
            self._object(node)
        elif isinstance(node, Pending) and not node.is_list:
            self._fields(node)
        else:
            self._none(node)

    def _none(self, node: _Node) -> None:
        name = "a list in lists" if _is_list(node) else value_text(node)
        if isinstance(node, dict):
            name = f"an object of {', '.join(map(value_text, list(node)[:5])) or 'nothing'}"
        self._sink.refuse(f"JSON, and none of the formats: {name}", is_span=False)

    def _object(self, document: Json) -> None:
        """Read an object that is parsed, by what is in it."""
        inner = document.get("data")
        if otlp.is_request(document):
            self._fields(document)
        elif zipkin.is_span(document):
            self._sink.note_format(ZIPKIN)
            self._span(document, zipkin.span_of)
        elif jaeger.is_span(document):
            self._lone(document)
        elif isinstance(inner, dict) and jaeger.is_span(inner):
            self._lone(inner)
        elif (
            any(isinstance(document.get(each), dict) for each in otlp.WRAPPERS)
            or isinstance(document.get("spans"), list)
            or isinstance(inner, list)
        ):
            self._fields(document)
        elif isinstance(inner, dict) and "spans" in inner:
            self._fields(inner)
        elif document.get("spans") is not None:
            self._fields(document)
        else:
            self._none(document)

    def _fields(self, node: _Node, depth: int = 0) -> None:
        """Read an object that holds a request, an answer or a trace, field by field."""
        processes = jaeger.Processes()
        try:
            self._fields_of(node, processes, depth)
        finally:
            processes.close()

    def _fields_of(self, node: _Node, processes: jaeger.Processes, depth: int) -> None:
        rest: Json = {}
        was_read = False
        # Lines and spans that need the id of their trace, which stands behind them.
        late: list[tuple[int, Json]] = []
        trace_id: object = None
        for name, child in _fields(node):
            if name in otlp.RESOURCES:
                self._sink.note_format(OTLP)
                self._resources(child, name)
            elif name == "spans":
                self._sink.note_format(JAEGER)
                self._jaeger_spans(child, trace_id, processes, late)
            elif name in ("data", *otlp.WRAPPERS) and _is_inner(child) and depth < _DEPTH_MAX:
                self._inner(child, name, depth + 1)
            elif name == "processes":
                if child is not None and self._has_type(child, name, "object"):
                    self._processes(child, processes)
            else:
                rest[name] = child.whole() if isinstance(child, Pending) else child
                trace_id = rest.get("traceID")
                continue
            was_read = True
        for line, span in late:
            self._jaeger_spans([span], trace_id or "", processes, [], line)
        if not was_read:
            self._object(rest) if isinstance(node, Pending) else self._none(rest)

    def _inner(self, child: _Node, name: str, depth: int) -> None:
        if not _is_list(child):
            self._fields(child, depth)
            return
        for index, each in enumerate(_elements(child)):
            if isinstance(each, dict) and jaeger.is_span(each) and "spans" not in each:
                self._lone(each)
            elif isinstance(each, dict | Pending) and not _is_list(each):
                self._fields(each, depth)
            else:
                self._refuse_type(f"{name}[{index}]", each, "object")

    def _lone(self, span: Json) -> None:
        self._sink.note_format(JAEGER)
        processes = jaeger.Processes()
        self._span(span, lambda raw: jaeger.span_of(raw, None, processes))
        processes.close()

    def _jaeger_spans(
        self,
        node: _Node,
        trace_id: object,
        processes: jaeger.Processes,
        late: list[tuple[int, Json]],
        line: int = 0,
    ) -> None:
        def read(span: Json) -> FileSpan | None:
            if trace_id is None and not span.get("traceID"):
                late.append((self._text.line, span))
                return None
            return jaeger.span_of(span, trace_id, processes)

        self._spans(node, read, "spans", as_text(trace_id), line)

    def _processes(self, node: _Node, processes: jaeger.Processes) -> None:
        for name, process in _fields(node):
            process_fields = process.whole() if isinstance(process, Pending) else process
            if not isinstance(process_fields, dict):
                self._refuse_type(f"process {value_text(name)}", process_fields, "object")
                continue
            try:
                processes.state(name, process_fields)
            except DecodeError as error:
                self._sink.refuse(f"process {value_text(name)}: {error}", is_span=False)

    def _resources(self, node: _Node, name: str) -> None:
        if not self._has_type(node, name, "list"):
            return
        is_snake = "_" in name
        for index, each in enumerate(_elements(node)):
            if is_snake and isinstance(each, dict):
                each = otlp.camelled(each)
            if self._has_type(each, f"{name}[{index}]", "object"):
                self._resource_spans(each, is_snake=is_snake)

    def _resource_spans(self, node: _Node, *, is_snake: bool) -> None:
        origin = Origin()
        try:
            self._resource_fields(node, origin, is_snake=is_snake)
        finally:
            origin.close()

    def _resource_fields(self, node: _Node, origin: Origin, *, is_snake: bool) -> None:
        for name, child in _fields(node):
            if name == "resource":
                resource = child.whole() if isinstance(child, Pending) else child
                self._resource(otlp.camelled(resource) if is_snake else resource, origin)
            elif otlp_name(name) in otlp.SCOPES and self._has_type(child, name, "list"):
                for index, scope in enumerate(_elements(child)):
                    if self._has_type(scope, f"{name}[{index}]", "object"):
                        self._scope(scope, origin, is_snake=is_snake)

    def _scope(self, node: _Node, origin: Origin, *, is_snake: bool) -> None:
        scope: Json = {}

        def read(span: Json) -> FileSpan:
            return otlp.span_of(otlp.camelled(span) if is_snake else span, origin, scope)  # type: ignore[arg-type]  # an object stays one

        for name, child in _fields(node):
            if name == "spans":
                self._spans(child, read, name, "")
                continue
            fields = child.whole() if isinstance(child, Pending) else child
            if otlp_name(name) in otlp.SCOPE and isinstance(fields, dict):
                scope.update(otlp.camelled(fields) if is_snake else fields)  # type: ignore[call-overload]  # an object stays one

    def _resource(self, resource: object, origin: Origin) -> None:
        try:
            if resource is not None and self._has_type(resource, "resource", "object"):
                otlp.state_resource(origin, resource)  # type: ignore[arg-type]  # as just judged
        except DecodeError as error:
            self._sink.refuse(f"resource: {error}", is_span=False)

    def _spans(self, node: _Node, read: _ReadSpan, name: str, trace_id: str, line: int = 0) -> None:
        if node is None:
            return
        if not _is_list(node):
            self._refuse_type(name, node, "list")
            return
        add = self._sink.add
        for each in node.leaves() if isinstance(node, Pending) else node:
            if each.__class__ is dict:
                try:
                    if (span := read(each)) is not None:
                        add(span)
                except (DecodeError, RecursionError) as error:
                    why = str(error) if isinstance(error, DecodeError) else "nested too deeply"
                    self._sink.refuse(why, (_trace_of(each) or trace_id,), line=line)
            elif isinstance(each, Malformed):
                self._sink.refuse(each.why, each.traces or (trace_id,))
            else:
                self._sink.refuse(f"{name} holds {value_text(each)}, not an object", (trace_id,))

    def _span(self, span: Json, read: _ReadSpan) -> None:
        self._spans([span], read, "spans", "")

    def _has_type(self, node: _Node, name: str, type_name: str) -> bool:
        """Return whether a node is a list or object, as wanted; a list may be absent."""
        if type_name == "list" and node is None:
            return False
        is_right = _is_list(node) if type_name == "list" else _is_object(node)
        if not is_right:
            self._refuse_type(name, node, type_name)
        return is_right

    def _refuse_type(self, name: str, node: _Node, type_name: str) -> None:
        article = "an" if type_name == "object" else "a"
        value = (
            ("a list" if node.is_list else "an object")
            if isinstance(node, Pending)
            else value_text(node)
        )
        self._sink.refuse(f"{name} is {value}, not {article} {type_name}", is_span=False)


def otlp_name(name: str) -> str:
    """Return the name of a field of OTLP in camelCase."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _is_list(node: _Node) -> bool:
    return node.is_list if isinstance(node, Pending) else isinstance(node, list)


def _is_object(node: _Node) -> bool:
    return not node.is_list if isinstance(node, Pending) else isinstance(node, dict)


def _is_inner(node: _Node) -> bool:
    return isinstance(node, Pending | dict | list)


def _elements(node: _Node) -> Iterator[_Node]:
    return node.elements() if isinstance(node, Pending) else iter(node)


def _fields(node: _Node) -> Iterable[tuple[str, _Node]]:
    """Yield the fields of an object, of one that is parsed what the others need first."""
    if isinstance(node, Pending):
        return node.fields()
    first = [name for name in _FIRST if name in node]
    return [(name, node[name]) for name in (*first, *(each for each in node if each not in first))]


def _trace_of(span: Json) -> str:
    """Return the trace that a refused span names, as the others of it are spelled."""
    trace_id = span.get("traceId", span.get("traceID", span.get("trace_id")))
    text = trace_id if isinstance(trace_id, str) else ""
    return text.lower() if "traceID" not in span and "id" not in span else text
