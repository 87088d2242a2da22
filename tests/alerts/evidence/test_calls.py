"""Which call is behind a slow segment, or behind failures: named where one is, and only there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alerts.evidence.calls import (
    BEFORE_FIRST,
    NO_ONE_CALL,
    CallFinding,
    FailedSpan,
    Path,
    first_to_fail,
    slower_call,
)
from attribution.core.segments import COMPUTE, DECISION, INGRESS, NETWORK, STORE, UNTRACED
from collector.core.times import NS_PER_MS

SHOP, PRICE, PAY = "shop: POST /buy", "pricing: SELECT price", "payments: INSERT charge"
SENT_DECISION = (DECISION + 1) << 2


def ms(*spans: int) -> list[tuple[int, int]]:
    """Return sections between milliseconds, two of them each."""
    pairs = zip(spans[::2], spans[1::2], strict=True)
    return [(begin * NS_PER_MS, end * NS_PER_MS) for begin, end in pairs]


# Ingress 0 to 10 ms, and decision from there: the root waits for pricing's store, then for that of
# payments, which a service between them calls.
PATH = Path(
    bounds_ns=[0, 10 * NS_PER_MS, 10 * NS_PER_MS, 90 * NS_PER_MS, 100 * NS_PER_MS],
    root_ns=2 * NS_PER_MS,
    base_ns=0,
    parents=[0, 0, 0, 2, 3],
    services=["shop", "pricing", "shop", "payments", "payments"],
    names=["POST /buy", "SELECT price", "POST /pay", "POST /pay", "INSERT charge"],
    traits=[COMPUTE, STORE, NETWORK, COMPUTE | SENT_DECISION, STORE],
    sections=[ms(2, 20, 30, 35, 85, 100), ms(20, 30), ms(35, 40), ms(40, 50), ms(50, 85)],
    span_ids=[1, 2, 3, 4, 5],
)


def test_time_of_a_segment_is_told_apart_by_calls() -> None:
    """Services may have equal stores, of which one is slow; a gap is of whose span it lies in."""
    of_store = PATH.times_in(DECISION, STORE)
    assert of_store == {PRICE: 10 * NS_PER_MS, PAY: 35 * NS_PER_MS}
    own = PATH.times_in(DECISION, COMPUTE)
    assert own == {SHOP: 20 * NS_PER_MS, "payments: POST /pay": 10 * NS_PER_MS}
    assert PATH.times_in(INGRESS, COMPUTE) == {SHOP: 8 * NS_PER_MS}
    assert PATH.times_in(INGRESS, UNTRACED) == {BEFORE_FIRST: 2 * NS_PER_MS}


def slow(times: int, **of: int) -> list[dict[str, int]]:
    """Return so many decisions with milliseconds by call."""
    names = {"shop": SHOP, "price": PRICE, "pay": PAY}
    return [{names.get(key, key): value * NS_PER_MS for key, value in of.items()}] * times


@pytest.mark.parametrize(
    ("during", "expected"),
    [
        pytest.param(slow(30, price=10, pay=405),
                     f"slower is {PAY}, +400 ms in 30 of 30 decisions", id="of two stores"),
        pytest.param(slow(20, price=10, pay=405) + slow(10, price=10, pay=5),
                     f"slower is {PAY}, +400 ms in 20 of 30 decisions", id="in most of them"),
        pytest.param(slow(4, price=10, pay=405) + slow(26, price=10, pay=5),
                     "", id="in a few: that may be chance"),
        pytest.param(slow(30, price=10, pay=405) + slow(70, price=10, pay=5),
                     f"slower is {PAY}, +400 ms in 30 of 100 decisions", id="in three of ten"),
        pytest.param(slow(15, price=10, pay=405) + slow(15, price=410, pay=5),
                     f"slower is no one call: {PRICE} +200 ms, {PAY} +200 ms in 30 decisions",
                     id="each in half: none by chance"),
        pytest.param(slow(9, price=10, pay=5, a=9, b=8, c=7, d=6),
                     "slower is no one call: a +9.0 ms, b +8.0 ms and 2 more in 9 decisions",
                     id="many, each a bit"),
        pytest.param(slow(18, price=10, pay=30) + slow(2, price=260, pay=30),
                     f"slower is {PAY}, +25 ms in 20 of 20 decisions", id="one in ten, as ever"),
        pytest.param(slow(30, price=0, stock=12, pay=45), f"slower is {PAY}, +40 ms in 30 of 30 "
                     "decisions", id="a little in place of another"),
        pytest.param(slow(30, stock=112, pay=45), "", id="more in place of another"),
        pytest.param(slow(30, charge=5, price=10), "", id="another name"),
        pytest.param(slow(2, price=10, pay=405), "", id="two are chance"),
        pytest.param(slow(30, price=10, pay=5), "", id="nothing is slower"),
        pytest.param([], "", id="no spans"),
    ],
)  # fmt: skip
def test_call_is_named_where_one_carries_most(during: list[dict[str, int]], expected: str) -> None:
    """And by how many of the decisions that were looked at it is so."""
    usual = slow(8, price=10, pay=5)
    if any(each.get(PRICE) == 260 * NS_PER_MS for each in during):
        usual = slow(18, price=10, pay=5) + slow(2, price=260, pay=5)
    if any("stock" in each and each["stock"] == 112 * NS_PER_MS for each in during):
        usual = slow(8, price=110, pay=5)
    assert text(slower_call(during, usual)) == expected
    assert slower_call(during, usual[:7]) is None, "too few to know what is usual"


def text(finding: CallFinding | None) -> str:
    """Return a finding in words, "" for none."""
    return finding.text if finding else ""


def failed(*spans: list[FailedSpan]) -> list[tuple[Path, list[FailedSpan]]]:
    """Return decisions of one path, each with its spans that failed."""
    return [(PATH, each) for each in spans]


def test_first_to_fail_is_where_failures_come_from() -> None:
    """Whoever called it failed too, and is named by every other tool."""
    up = [FailedSpan(1, 0, 100), FailedSpan(3, 1, 85), FailedSpan(4, 3, 84), FailedSpan(5, 4, 80)]
    first = CallFinding(PAY, f"first to fail is {PAY}, in 3 of 4 failed decisions")
    assert first_to_fail(failed(up, up, up, []), []) == first
    apart = [*up, FailedSpan(2, 1, 30)]
    three = text(first_to_fail(failed(apart, apart, apart), []))
    assert three.startswith(f"first to fail is {PRICE}, in 3 of 3")
    alien = [FailedSpan(99, 1, 5)]
    assert first_to_fail(failed(up, up, alien, []), []) is None, "of half the spans are not there"
    other = [up[0], apart[-1]]
    both = first_to_fail(failed(up, up, other, other), [])
    several = f"first to fail is no one call: {PAY} in 2, {PRICE} in 2 of 4 failed decisions"
    assert both == CallFinding(NO_ONE_CALL, several)


def test_failure_that_is_handled_is_no_first_one() -> None:
    """A lookup that finds nothing is an error in every decision, and a first attempt in some."""
    up = [FailedSpan(1, 0, 100), FailedSpan(3, 1, 85), FailedSpan(4, 3, 84), FailedSpan(5, 4, 80)]
    lookup = FailedSpan(2, 1, 30)
    first = f"first to fail is {PAY}, in 3 of 3 failed decisions"
    usual = failed([lookup], [lookup], [])
    assert text(first_to_fail(failed(*[[*up, lookup]] * 3), usual)) == first
    rarely = failed(*[[]] * 9, [lookup])
    assert text(first_to_fail(failed(*[[*up, lookup]] * 3), rarely)) != first
    # The call above it did not fail: what it called was tried again, or did not matter.
    swallowed = [up[0], FailedSpan(2, 1, 90), FailedSpan(5, 4, 80)]
    finding = text(first_to_fail(failed(*[swallowed] * 3), []))
    assert finding.startswith(f"first to fail is {PRICE}, in 3")


def test_stage_is_that_of_the_next_span_above_that_says_one() -> None:
    """Of a chain of ten thousand spans, and of one that leads into itself."""
    size = 10_000
    deep = replace(
        PATH,
        parents=[0, *range(size - 1)],
        services=["a"] * size,
        names=["b"] * size,
        traits=[STORE | SENT_DECISION, *[STORE] * (size - 1)],
        sections=[ms(0, 1)] * size,
    )
    assert deep.times_in(DECISION, STORE) == {"a: b": size * NS_PER_MS}
    assert deep.times_in(INGRESS, STORE) == {}
    ring = replace(PATH, parents=[0, 2, 1, 4, 3])
    assert ring.times_in(DECISION, STORE) == PATH.times_in(DECISION, STORE)


def test_name_of_a_sender_is_one_line_that_is_not_too_long() -> None:
    """A name may be of any length, and of any characters."""
    odd = replace(PATH, names=["x"] * 4 + ["a, +9 ms; 50% of its decisions fail; b\n" + "c" * 90])
    slower = slower_call([odd.times_in(DECISION, STORE)] * 3, slow(8, price=10))
    first = first_to_fail([(odd, [FailedSpan(5, 0, 1)])] * 3, [])
    assert slower is not None
    assert first is not None
    assert slower.call == first.call == odd.call(4)
    assert len(slower.call) == 60
    assert "\n" not in slower.call
