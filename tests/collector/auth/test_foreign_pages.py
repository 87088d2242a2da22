"""A page in a browser on this machine reaches loopback; it must not send, change or query."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.auth.foreign_pages import LOOPBACK_HOSTS, page_refusal
from tests.support.builders import span, trace_request
from tests.support.collector.clients import WAIT_S

HOST = "127.0.0.1:8050"


def refusal(*headers: tuple[str, str], host: str = HOST, public_url: str = "") -> str | None:
    """Judge a request that would change something."""
    told = [("host", host), *headers] if host else list(headers)
    raw = [(name.encode(), value.encode()) for name, value in told]
    return page_refusal(raw, LOOPBACK_HOSTS, public_url=public_url)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("origin", "http://127.0.0.1:8050")],
        [("origin", "http://127.0.0.1:8050"), ("sec-fetch-site", "same-origin")],
        [("sec-fetch-site", "none")],
    ],
)
def test_own_pages_and_programs_are_let_in(headers: list[tuple[str, str]]) -> None:
    """A program sends none of these headers; our page names itself."""
    assert refusal(*headers) is None


@pytest.mark.parametrize(
    "host", ["localhost.:8050", "LOCALHOST", "127.0.0.2:8050", "[::1]:8050", "[0:0:0:0:0:0:0:1]"]
)
def test_every_name_of_the_loopback_is_ours(host: str) -> None:
    """No page has one of these for its own."""
    assert refusal(host=host) is None


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([("origin", "https://evil.example")], "origin"),
        ([("origin", "null")], "origin"),
        ([("origin", "")], "origin"),
        ([("origin", "http://127.0.0.1:9999")], "origin"),
        ([("origin", "http://127.0.0.1")], "origin"),
        ([("origin", "http://localhost:8050")], "origin"),
        ([("origin", "http://127.0.0.1:8050.evil.example")], "origin"),
        ([("origin", "http://127.0.0.1:8050@evil.example")], "origin"),
        ([("origin", "http://[::1")], "origin"),
        ([("origin", "http://127.0.0.1:x")], "origin"),
        ([("origin", "http://127.0.0.1:8050"), ("origin", "https://evil.example")], "two origin"),
        ([("origin", "https://evil.example"), ("origin", "http://127.0.0.1:8050")], "two origin"),
        ([("host", "evil.example")], "two host"),
        ([("sec-fetch-site", "cross-site")], "another site"),
        ([("sec-fetch-site", "same-site")], "another site"),
        ([("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")], "two sec-fetch-site"),
    ],
)
def test_a_foreign_page_is_refused(headers: list[tuple[str, str]], reason: str) -> None:
    """Another port of the loopback is another program, and the first of two headers is no proof."""
    assert reason in str(refusal(*headers))


@pytest.mark.parametrize(
    ("site", "dest", "is_let_in"),
    [
        ("cross-site", "document", True),
        ("same-site", "document", True),
        ("same-origin", "empty", True),
        ("none", "document", True),
        ("cross-site", "image", False),
        ("same-site", "script", False),
        ("cross-site", "iframe", False),
        ("cross-site", "empty", False),
    ],
)
def test_a_foreign_page_may_link_and_not_load(site: str, dest: str, is_let_in: bool) -> None:
    """Thirty pictures of a day of decisions are thirty questions to the store."""
    told = [("host", HOST), ("sec-fetch-site", site), ("sec-fetch-dest", dest)]
    raw = [(name.encode(), value.encode()) for name, value in told]
    assert (page_refusal(raw, LOOPBACK_HOSTS, reads=True) is None) == is_let_in


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8050", "", "127.0.0.1.evil", "[::2]"]
)
def test_a_name_that_is_not_ours_is_refused(host: str) -> None:
    """DNS rebinding makes a foreign page same-origin."""
    assert "is not served here" in str(refusal(host=host))


@pytest.mark.parametrize(
    "origin",
    ["https://millworth.example", "https://millworth.example:443", "https://MILLWORTH.example"],
)
def test_the_page_of_the_named_proxy_is_ours(origin: str) -> None:
    """The proxy is asked for its own name, and asks us by ours."""
    assert refusal(("origin", origin), public_url="https://millworth.example/dash") is None
    assert refusal(("origin", origin), public_url="https://millworth.example:444")


def test_page_of_our_name_without_tls_is_not_ours_where_browsers_come_by_it() -> None:
    """Whoever is on the way may serve it."""
    host = "millworth.example"
    raw = [(b"host", host.encode()), (b"origin", b"http://millworth.example")]
    assert page_refusal(raw, {host}, public_url="https://millworth.example:8443")
    assert page_refusal(raw, {host}, public_url="http://millworth.example") is None


@given(st.text(), st.text(), st.text())
def test_any_headers_are_let_in_or_refused(host: str, origin: str, site: str) -> None:
    """Rubbish in a header is an answer of 403 and not of 500."""
    headers = [("host", host), ("origin", origin), ("sec-fetch-site", site)]
    raw = [(name.encode(), value.encode("utf-8", "replace")) for name, value in headers]
    assert page_refusal(raw, LOOPBACK_HOSTS) is not None or origin.lower().startswith("http")


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    ],
)
def test_no_page_can_send_decisions(http: httpx.Client, headers: dict[str, str]) -> None:
    """What a page sent would be money that nobody earned."""
    body = trace_request(span()).SerializeToString()
    content = {"content-type": "application/x-protobuf"}
    answer = http.post("/v1/traces", content=body, headers=content | headers, timeout=WAIT_S)
    assert answer.status_code == 403
    assert http.post("/v1/traces", content=body, headers=content, timeout=WAIT_S).status_code == 200
