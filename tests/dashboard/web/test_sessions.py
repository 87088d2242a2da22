"""Signing in with a token: the cookie, its end, and who cannot use it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from collector.auth.gate import Gate, load_tokens
from collector.auth.proxied import ProxyConfig
from collector.auth.roles import Role
from collector.auth.tokens import AccessConfig, TokenConfig, hash_text
from collector.core.counters import Counters
from collector.core.log import configure
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.settings.config import DashboardConfig
from dashboard.web.security import AccessGuard
from dashboard.web.sessions import SESSIONS_MAX, Sessions
from dashboard.web.sign_in import local_path
from tests.conftest import NOW_NS, ManualClock
from tests.support.dashboard.app import Api

URL = "http://127.0.0.1:8050"
NAME = "millworth-session"
PAGE = {"accept": "text/html"}
ENDS = datetime.fromtimestamp(NOW_NS // NS_PER_S + 600, UTC)


def token(name: str, **more: object) -> TokenConfig:
    """Return the settings of a token that is `mwt_` and its name."""
    return TokenConfig.model_validate({"name": name, "hash": hash_text(f"mwt_{name}"), **more})


TOKENS = (
    token("anna", role="viewer"),
    token("brief", role="viewer", expires=ENDS),
    token("shop", scopes=["traces"]),
    token("slow", role="viewer", requests_per_s=1),
)


class Browser:
    """A browser before the real application, which asks for tokens."""

    def __init__(self, app: ASGIApp, clock: ManualClock, public_url: str = "") -> None:
        self.counters = Counters()
        self.clock = clock
        proxy = ProxyConfig(addresses=("10.9.9.9",), default_role=Role.VIEWER)
        tokens = load_tokens(AccessConfig(tokens=TOKENS))
        gate = Gate(tokens, self.counters, clock, proxy)
        self.app = AccessGuard(app, gate, Sessions(gate, clock, 12, public_url))

    def run(self, steps: Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]) -> None:
        """Take some steps with one jar of cookies."""

        async def run() -> None:
            transport = httpx.ASGITransport(app=self.app, client=("127.0.0.1", 4711))
            async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
                await steps(client)

        asyncio.run(run())


@pytest.fixture
def browser(api: Api, clock: ManualClock) -> Browser:
    """Return a browser before the whole application."""
    return Browser(api.app.server, clock)


async def sign_in(client: httpx.AsyncClient, name: str, **more: str) -> httpx.Response:
    """Send the form."""
    headers = {"origin": URL, "sec-fetch-site": "same-origin"}
    return await client.post(
        "/login", data={"token": f"mwt_{name}", "next": "/alerts?window=1h", **more},
        headers=headers,
    )  # fmt: skip


def test_person_signs_in_looks_is_refused_and_signs_out(browser: Browser) -> None:
    """The whole way, as a browser goes it."""

    async def steps(client: httpx.AsyncClient) -> None:
        asked = await client.get("/alerts?window=1h", headers=PAGE)
        assert asked.status_code == 303
        assert asked.headers["location"] == "/login?next=%2Falerts%3Fwindow%3D1h"
        form = await client.get(asked.headers["location"], headers=PAGE)
        assert (form.status_code, 'value="/alerts?window=1h"' in form.text) == (200, True)
        assert form.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in form.headers["content-security-policy"]

        done = await sign_in(client, "anna")
        assert (done.status_code, done.headers["location"]) == (303, "/alerts?window=1h")
        [cookie] = SimpleCookie(done.headers["set-cookie"]).values()
        assert (cookie.key, cookie["path"], cookie["max-age"]) == (NAME, "/", "43200")
        assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "Strict", "")
        assert "anna" not in cookie.value

        assert (await client.get("/", headers=PAGE)).status_code == 200
        ack = {"comment": "looking"}
        refused = await client.post("/api/v1/alerts/e-1/ack", json=ack, headers={"origin": URL})
        assert refused.status_code == 403
        assert "token anna has the role viewer, and this needs the role responder" in refused.text
        known = await client.get("/login")
        assert "You are token anna, with the role viewer" in known.text

        out = await client.post("/logout", headers={"origin": URL})
        assert (out.status_code, out.headers["location"]) == (303, "/login")
        # Whoever kept the cookie has nothing of it.
        again = await client.get("/api/v1/rules", headers={"cookie": f"{NAME}={cookie.value}"})
        assert again.status_code == 401
        # To a page that is still open, whose Dash cannot read a 401. A token is told all the same.
        path = "/_dash-update-component"
        page = await client.post(path, json={}, headers={"origin": URL})
        assert (page.status_code, "this token is not known" in page.text) == (403, False)
        stranger = await client.post(path, json={}, headers={"authorization": "Bearer mwt_x"})
        assert stranger.status_code == 401

    browser.run(steps)


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("other", 401, "this token is not known here"),
        ("", 401, "this token is not known here"),
        ("shop", 403, "token shop only sends"),
    ],
)
def test_token_that_cannot_look_signs_nobody_in(
    browser: Browser, name: str, status: int, said: str
) -> None:
    """The form comes again with the reason, and the gate counts it as of any other request."""

    async def steps(client: httpx.AsyncClient) -> None:
        answer = await sign_in(client, name)
        assert (answer.status_code, said in answer.text) == (status, True)
        assert "set-cookie" not in answer.headers
        assert f"mwt_{name}" not in answer.text or not name

    browser.run(steps)
    if status == 401:
        assert browser.counters.denied.labels("dashboard", "", "unknown")._value.get() == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://elsewhere.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"host": "elsewhere.example"},
    ],
)
def test_page_elsewhere_neither_signs_in_nor_acts_nor_signs_out(
    browser: Browser, headers: dict[str, str]
) -> None:
    """SameSite keeps the cookie from such a request, and what came all the same is refused."""

    async def steps(client: httpx.AsyncClient) -> None:
        await sign_in(client, "anna")
        for path in ("/login", "/logout", "/api/v1/query"):
            answer = await client.post(path, data={"token": "mwt_anna"}, headers=headers)
            assert answer.status_code == 403, path
        assert (await client.get("/api/v1/rules")).status_code != 401

    browser.run(steps)


@pytest.mark.parametrize(("name", "seconds"), [("anna", 12 * 3600), ("brief", 600)])
def test_session_ends_with_its_time_or_with_its_token(
    browser: Browser, name: str, seconds: int
) -> None:
    """Whichever is first."""

    async def steps(client: httpx.AsyncClient) -> None:
        done = await sign_in(client, name)
        assert f"Max-Age={seconds};" in done.headers["set-cookie"]
        browser.clock.ns = NOW_NS + seconds * NS_PER_S - 1
        assert (await client.get("/login")).text.count("You are token") == 1
        browser.clock.ns = NOW_NS + seconds * NS_PER_S
        answer = await client.get("/api/v1/rules")
        assert answer.status_code == 401

    browser.run(steps)


@pytest.mark.parametrize(
    "cookie",
    [
        f"{NAME}=",
        f"{NAME}=of-another-start",
        f"{NAME}=mwt_anna",
        f"__Host-{NAME}=x",
        "x=y",
        f"{NAME}=%s; {NAME}=other",
    ],
)
def test_cookie_of_another_start_or_of_somebody_else_is_none(browser: Browser, cookie: str) -> None:
    """A restart ends every session; of two cookies of one name none is believed."""

    async def steps(client: httpx.AsyncClient) -> None:
        await sign_in(client, "anna")
        mine = client.cookies[NAME]
        client.cookies.clear()
        sent = {"cookie": cookie.replace("%s", mine)}
        assert (await client.get("/api/v1/rules", headers=sent)).status_code == 401
        page = await client.get("/", headers={**sent, **PAGE})
        assert page.headers["location"].startswith("/login")

    browser.run(steps)


def test_link_in_a_chat_leads_where_it_says(browser: Browser) -> None:
    """A browser keeps a strict cookie from it; a page of ours asks again, and that has it."""

    async def steps(client: httpx.AsyncClient) -> None:
        headers = {**PAGE, "sec-fetch-site": "cross-site"}
        answer = await client.get("/alerts/e-1?x=%22%3E", headers=headers)
        assert answer.status_code == 401
        assert 'url=/login?next=%2Falerts%2Fe-1%3Fx%3D%2522%253E"' in answer.text
        await sign_in(client, "anna")
        onward = await client.get("/login?next=%2Falerts%2Fe-1", headers=PAGE)
        assert (onward.status_code, onward.headers["location"]) == (303, "/alerts/e-1")

    browser.run(steps)


def test_cookie_is_for_tls_alone_where_there_is_tls(api: Api, clock: ManualClock) -> None:
    """In front of us or with us; a name that pages without TLS cannot set goes with it."""
    app = api.app.server
    public = Browser(app, clock, "https://127.0.0.1:8050")

    async def behind_a_proxy(client: httpx.AsyncClient) -> None:
        done = await sign_in(client, "anna")
        assert done.headers["set-cookie"].startswith(f"__Host-{NAME}=")
        assert done.headers["set-cookie"].endswith("; Secure")

    public.run(behind_a_proxy)

    async def forged(client: httpx.AsyncClient) -> None:
        headers = {"origin": URL, "x-forwarded-proto": "https"}
        done = await client.post("/login", data={"token": "mwt_anna"}, headers=headers)
        assert "Secure" not in done.headers["set-cookie"]

    Browser(app, clock).run(forged)


def test_proxy_that_loses_the_host_is_named_once(
    world: Connections, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """The browser says where it is, and the proxy that we are somewhere else; none without one."""
    configure(json=True)

    async def twice(client: httpx.AsyncClient) -> None:
        for _ in range(2):
            done = await client.post(
                "/login",
                data={"token": "mwt_anna"},
                headers={"origin": "https://millworth.example"},
            )
            assert done.status_code == 303
            assert "Secure" not in done.headers["set-cookie"]

    async def on_the_machine(client: httpx.AsyncClient) -> None:
        assert (await sign_in(client, "anna")).status_code == 303

    app = Api(world, DashboardConfig(public_url="https://millworth.example")).app.server
    browser = Browser(app, clock, "https://millworth.example")
    browser.run(on_the_machine)
    browser.run(twice)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    [said] = [line for line in lines if line["event"] == "proxy_loses_host"]
    assert said["host"] == "127.0.0.1:8050"
    assert "proxy_set_header Host" in said["remedy"]


def test_sign_in_is_limited_as_its_token_is(browser: Browser) -> None:
    """And says when to come back."""

    async def steps(client: httpx.AsyncClient) -> None:
        found = [(await sign_in(client, "slow")).status_code for _ in range(3)]
        assert 429 in found

    browser.run(steps)


def test_there_is_room_for_so_many_sessions(clock: ManualClock) -> None:
    """Signing in again and again does not fill the memory; the oldest is asked again."""
    gate = Gate(load_tokens(AccessConfig(tokens=TOKENS)), Counters(), clock)
    sessions, scope = Sessions(gate, clock, 12), {"type": "http", "scheme": "http", "headers": []}
    sender = gate.sender("dashboard", "Bearer mwt_anna")
    first = sessions.open(sender, scope).partition(";")[0]
    last = [sessions.open(sender, scope) for _ in range(SESSIONS_MAX)][-1].partition(";")[0]
    found = [
        sessions.find({**scope, "headers": [(b"cookie", cookie.encode())]})
        for cookie in (first, last)
    ]
    assert found == [None, sender]


@pytest.mark.parametrize(
    "text",
    ["//elsewhere.example", "/\\elsewhere.example", "https://elsewhere.example", "", "x",
     "/\t/elsewhere.example", "/\r\nset-cookie: a=b", "/a\\b", "/\u2215"],
)  # fmt: skip
def test_signing_in_leads_to_no_other_site(text: str) -> None:
    """A link to the form shall not be a way to somewhere else."""
    assert local_path(text) == "/"
