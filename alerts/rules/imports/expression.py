"""Pure: the tree of a PromQL expression, evaluated to what it says of requests."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Final

import promql_parser as tree

from alerts.rules.imports.found import UnmappableError
from alerts.rules.imports.outcomes import is_negative, is_pattern
from alerts.rules.imports.promql import parse_expression
from alerts.rules.imports.selection import PLACES, SERVICES, Selection, select
from alerts.rules.imports.values import (
    Conditions,
    EnoughRequests,
    Number,
    Quantile,
    Rate,
    Share,
    Value,
    divided,
    reached,
    scaled,
    too_many,
    too_slow,
)

_DEPTH_MAX: Final = 60
_ALTERNATIVES_MAX: Final = 32
_RATES: Final = ("rate", "increase", "irate")
_SAME: Final = ("label_replace", "label_join", "sort", "sort_desc")
_FLIPPED: Final = {">": "<", "<": ">", ">=": "<=", "<=": ">="}


@dataclass(frozen=True, slots=True)
class Record:
    """A recording rule."""

    name: str
    labels: Mapping[str, str]
    says: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How expressions of one file are read.

    Args:
        records: its recording rules.
        service: of selectors that name none.
        counters: a selector without a rate stands for one, as in OpenSLO.
    """

    records: Sequence[Record] = ()
    service: str = ""
    counters: bool = False
    seen: tuple[str, ...] = field(default=())

    def value(self, text: str) -> Value:
        """Return what an expression is worth.

        Raises:
            UnmappableError: it is not PromQL, or says something that spans have no counterpart of.
        """
        try:
            parsed = parse_expression(text)
        except ValueError as error:
            raise UnmappableError(str(error)) from error
        return self._of(parsed, 0)

    def _of(self, node: Any, depth: int) -> Value:  # noqa: ANN401  a node of the parser
        if depth > _DEPTH_MAX:
            raise UnmappableError(f"it is nested more than {_DEPTH_MAX} deep")
        readers: dict[type, Callable[[Any, int], Value]] = {
            tree.ParenExpr: lambda each, at: self._of(each.expr, at),
            tree.NumberLiteral: lambda each, _: _number(each.val),
            tree.UnaryExpr: lambda each, at: scaled(self._of(each.expr, at), -1.0),
            tree.BinaryExpr: self._binary,
            tree.AggregateExpr: self._aggregate,
            tree.Call: self._call,
            tree.VectorSelector: self._vector,
        }
        reader = readers.get(type(node))
        if reader is None:
            name = {"SubqueryExpr": "a subquery", "StringLiteral": "a text"}.get(
                type(node).__name__, "a range without a rate"
            )
            raise UnmappableError(f"it holds {name}, which no rule of kind slo states")
        return reader(node, depth + 1)

    def _vector(self, node: Any, depth: int) -> Value:  # noqa: ANN401  a node of the parser
        _refuse_shifted(node)
        records = [each for each in self.records if each.name == node.name]
        if records:
            return self._recorded(node, records, depth)
        if not self.counters:
            raise UnmappableError(
                f"{node.name or 'it'} is compared as it is, without a rate: only shares of "
                "requests in a window are mapped"
            )
        return Rate(self._selected(node))

    def _recorded(self, node: Any, records: Sequence[Record], depth: int) -> Value:  # noqa: ANN401  a node of the parser
        matchers = node.matchers.matchers
        fitting = [
            each
            for each in records
            if all(
                matcher.value == each.labels[matcher.name]
                for matcher in matchers
                if matcher.name in each.labels and not (is_negative(matcher) or is_pattern(matcher))
            )
        ]
        if len({each.says for each in fitting}) != 1:
            raise UnmappableError(
                f"{node.name} is recorded by {len(fitting)} rules of the file; its labels have to "
                "name one"
            )
        [record, *_] = fitting
        key = f"{record.name} {record.says}"
        if key in self.seen or len(self.seen) > 10:
            raise UnmappableError(f"{record.name} is recorded from itself")
        inner = replace(self, seen=(*self.seen, key)).value(record.says)
        asked = [each for each in matchers if each.name not in record.labels]
        return _of_services(inner, [each for each in asked if not is_negative(each)])

    def _selected(self, node: Any) -> Selection:  # noqa: ANN401  a node of the parser
        _refuse_shifted(node)
        if node.matchers.or_matchers:
            raise UnmappableError("its labels are joined by `or`")
        matchers = node.matchers.matchers
        name = node.name
        if not name:
            named = [each for each in matchers if each.name == "__name__"]
            if len(named) != 1 or is_negative(named[0]) or is_pattern(named[0]):
                raise UnmappableError("it names no metric")
            name = named[0].value
        return select(str(name), matchers, self.service)

    def _call(self, node: Any, depth: int) -> Value:  # noqa: ANN401  a node of the parser
        name, arguments = node.func.name, node.args
        if name in _RATES and isinstance(arguments[0], tree.MatrixSelector):
            return self._rate(name, arguments[0])
        if name == "histogram_quantile":
            q, of = self._of(arguments[0], depth), self._of(arguments[1], depth)
            if not isinstance(q, Number) or not isinstance(of, Rate) or of.less is not None:
                raise UnmappableError("its quantile is not one of the durations of requests")
            return _quantile(q.value, of)
        if name in ("vector", "scalar"):
            return self._of(arguments[0], depth)
        if name in _SAME:
            return self._of(arguments[0], depth)
        raise UnmappableError(f"{name}() has no counterpart in shares of spans")

    def _rate(self, name: str, matrix: Any) -> Rate:  # noqa: ANN401  a node of the parser
        window_s = round(matrix.range.total_seconds())
        if window_s < 1:
            raise UnmappableError("its window is shorter than a second")
        selected = replace(self._selected(matrix.vector_selector), window_s=window_s)
        selected = selected.with_remark("it compares each series by itself: here each service")
        if name == "irate":
            selected = selected.with_remark("irate sees two samples of its window: here all count")
        return Rate(selected, per_s=float(window_s) if name == "increase" else 1.0)

    def _aggregate(self, node: Any, depth: int) -> Value:  # noqa: ANN401  a node of the parser
        op, inner = str(node.op), self._of(node.expr, depth)
        if isinstance(inner, Conditions | Number) and op in ("max", "min", "sum", "avg", "group"):
            return inner
        if isinstance(inner, Share | Quantile) and op in ("max", "min", "avg"):
            # Of one series that is the series itself; of several it is another figure.
            return _remarked(inner, f"{op}() of several series: here each is compared by itself")
        if not isinstance(inner, Rate) or op != "sum":
            raise UnmappableError(f"{op}() of requests is not a share of them")
        return _grouped(inner, node.modifier)

    def _binary(self, node: Any, depth: int) -> Value:  # noqa: ANN401  a node of the parser
        op = str(node.op)
        if op == "unless":
            raise UnmappableError("`unless` takes alerts away, which no rule of kind slo does")
        left, right = self._of(node.lhs, depth), self._of(node.rhs, depth)
        if op in ("and", "or"):
            return _joined(op, left, right)
        if op in (">", "<", ">=", "<=", "==", "!="):
            if node.modifier is not None and node.modifier.return_bool:
                raise UnmappableError(
                    "`bool` gives a value whether or not it holds: it always fires"
                )
            return _compared(op, left, right)
        return _computed(op, left, right)


def _number(value: float) -> Number:
    if not math.isfinite(value):
        raise UnmappableError(f"{value} is not a number that can be compared with a share")
    return Number(value)


def _refuse_shifted(node: Any) -> None:  # noqa: ANN401  a node of the parser
    if node.offset is not None:
        raise UnmappableError("`offset` compares with another time, which no rule of kind slo does")
    if node.at is not None:
        raise UnmappableError("`@` evaluates at one instant, which no rule of kind slo does")


def _quantile(q: float, of: Rate) -> Quantile:
    if of.of.unit_ms is None:
        raise UnmappableError(f"{of.of.metric} does not say the unit of its durations")
    return Quantile(q, of.of, of.of.unit_ms)


def _grouped(rate: Rate, modifier: Any) -> Rate:  # noqa: ANN401  of the parser
    """Return a sum by labels: of all services, or by service."""
    unsaid = "it compares each series by itself: here each service"
    found = replace(
        rate.of,
        remarks=tuple(each for each in rate.of.remarks if each != unsaid),
        per_service=False,
    )
    if modifier is None:
        return replace(rate, of=found, less=_alike(rate.less, found))
    labels = list(modifier.labels)
    if modifier.type == tree.AggModifierType.Without:
        if labels:
            found = replace(found, per_service=True).with_remark(
                f"without ({', '.join(labels)}): here by service"
            )
        return replace(rate, of=found, less=_alike(rate.less, found))
    places = [each for each in labels if each in PLACES]
    fixed = {"span_name": found.span, "grpc_service": found.span, "method": found.method}
    others = [
        each
        for each in labels
        if each not in PLACES and each not in SERVICES and each != "le" and not fixed.get(each)
    ]
    if others:
        raise UnmappableError(
            f"it is grouped by {', '.join(others)}; a rule of kind slo compares each service, "
            "or one span name that it states"
        )
    if places:
        found = found.with_remark(f"by ({', '.join(places)}): here by service")
    per_service = bool(places) or any(each in SERVICES for each in labels)
    found = replace(found, per_service=per_service)
    return replace(rate, of=found, less=_alike(rate.less, found))


def _alike(less: Selection | None, found: Selection) -> Selection | None:
    return None if less is None else replace(less, per_service=found.per_service)


def _joined(op: str, left: Value, right: Value) -> Value:
    if op == "or" and not isinstance(left, Conditions) and isinstance(right, Number):
        return left  # what is left out where there is no series
    if not isinstance(left, Conditions) or not isinstance(right, Conditions):
        raise UnmappableError(f"`{op}` joins something that is not a comparison")
    if op == "or":
        found = (*left.alternatives, *right.alternatives)
    else:
        found = tuple(
            (*one, *other) for one, other in product(left.alternatives, right.alternatives)
        )
    if len(found) > _ALTERNATIVES_MAX:
        raise UnmappableError(f"it has more than {_ALTERNATIVES_MAX} alternatives")
    return Conditions(found)


def _compared(op: str, left: Value, right: Value) -> Value:
    if isinstance(left, Number) and not isinstance(right, Number):
        return _compared(_FLIPPED.get(op, op), right, left)
    if not isinstance(right, Number):
        raise UnmappableError("it compares two series with each other, not one with a number")
    limit = right.value
    if isinstance(left, Rate) and op in (">", ">=", "!=") and left.less is None:
        if op == "!=" and limit != 0:
            raise UnmappableError("`!=` is not a limit")
        return Conditions(((EnoughRequests(left.of, limit / left.per_s),),))
    if op not in _FLIPPED:
        raise UnmappableError(f"`{op}` is not a limit")
    above = op in (">", ">=")
    if isinstance(left, Share):
        found = too_many(left, limit, above=above)
        return Conditions(((found if op in (">", "<") else reached(found),),))
    if isinstance(left, Quantile) and above:
        return Conditions(((too_slow(left, limit),),))
    if isinstance(left, Rate):
        raise UnmappableError("it fires where there are few requests; see the rule kind threshold")
    raise UnmappableError("it compares something that is not a share of requests")


def _computed(op: str, left: Value, right: Value) -> Value:
    left, right = _unconditional(left), _unconditional(right)
    if isinstance(left, Number) and isinstance(right, Number):
        return _arithmetic(op, left.value, right.value)
    if op == "*" and isinstance(right, Number):
        return scaled(left, right.value)
    if op == "*" and isinstance(left, Number):
        return scaled(right, left.value)
    if op == "/" and isinstance(right, Number) and right.value != 0:
        return scaled(left, 1 / right.value)
    if op == "/" and isinstance(left, Rate) and isinstance(right, Rate):
        return divided(left, right)
    if op == "-" and isinstance(left, Rate) and isinstance(right, Rate):
        if left.less is None and right.less is None and left.per_s == right.per_s:
            return replace(left, less=right.of)
    elif op in ("-", "+") and isinstance(right, Number) and isinstance(left, Share):
        return replace(left, offset=left.offset + (right.value if op == "+" else -right.value))
    elif op in ("-", "+") and isinstance(left, Number) and isinstance(right, Share):
        turned = right if op == "+" else scaled(right, -1.0)
        assert isinstance(turned, Share)
        return replace(turned, offset=turned.offset + left.value)
    raise UnmappableError(f"`{op}` of these makes no share of requests")


def _unconditional(value: Value) -> Value:
    """Return the rate of `(rate > 0)`: what it leaves out are divisions by nothing."""
    if isinstance(value, Conditions) and len(value.alternatives) == 1:
        [atoms] = value.alternatives
        if len(atoms) == 1 and isinstance(atoms[0], EnoughRequests) and atoms[0].per_s == 0:
            return Rate(atoms[0].of)
    return value


def _arithmetic(op: str, left: float, right: float) -> Number:
    try:
        found = {
            "+": lambda: left + right,
            "-": lambda: left - right,
            "*": lambda: left * right,
            "/": lambda: left / right,
            "^": lambda: math.pow(left, right),
            "%": lambda: math.fmod(left, right),
        }[op]()
    except (KeyError, ArithmeticError, ValueError) as error:
        raise UnmappableError(f"{left:g} {op} {right:g} is not a number to compare with") from error
    return _number(found)


def _of_services(value: Value, matchers: Sequence[Any]) -> Value:
    """Return a recorded value narrowed to the service that its labels name."""
    service = next((each.value for each in matchers if each.name in SERVICES), "")
    named = [each for each in matchers if each.name in SERVICES and is_pattern(each)]
    if named:
        raise UnmappableError(f"{named[0]} names several services; a rule is of one")

    def narrowed(of: Selection) -> Selection:
        for each in matchers:
            if each.name not in SERVICES:
                of = of.with_remark(f"{each} is left out: what is recorded is not asked for it")
        return replace(of, service=service) if service and not of.service else of

    return _mapped(value, narrowed)


def _remarked(value: Value, remark: str) -> Value:
    return _mapped(value, lambda of: of.with_remark(remark))


def _mapped(value: Value, change: Callable[[Selection], Selection]) -> Value:
    if isinstance(value, Rate):
        less = None if value.less is None else change(value.less)
        return replace(value, of=change(value.of), less=less)
    if isinstance(value, Share):
        return replace(value, part=change(value.part), whole=change(value.whole))
    if isinstance(value, Quantile):
        return replace(value, of=change(value.of))
    return value
