"""Who may see the pages and ask the API: tokens, certificates, hosts; over real sockets."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.types import ASGIApp

from collector.auth.gate import Gate, load_tokens
from collector.auth.proxied import ProxyConfig
from collector.auth.roles import Role
from collector.auth.tokens import AccessConfig, TokenConfig, hash_text
from collector.core.clock import SystemClock
from collector.core.config import StoreConfig, TlsConfig
from collector.core.counters import Counters
from collector.core.errors import ConfigError, InputError
from collector.store.connect import Connections
from dashboard.api.caller import caller
from dashboard.api.context import AppContext
from dashboard.cli.admin.doctor import examine
from dashboard.cli.client import ApiClient, answers, readiness, service_url, trust
from dashboard.health.items import NoHealth
from dashboard.settings.config import DashboardConfig
from dashboard.settings.settings import Settings
from dashboard.web.app import create_app
from dashboard.web.security import RequestGuard
from dashboard.web.server import DashboardServer
from tests.support.certificates import Authority
from tests.support.dashboard.app import Behind

pytestmark = pytest.mark.integration

WAIT_S = 30


def entry(name: str, *scopes: str, **more: object) -> TokenConfig:
    """Return the settings of a token that is `mwt_` and its name."""
    values = {"name": name, "hash": hash_text(f"mwt_{name}"), "scopes": scopes, **more}
    return TokenConfig.model_validate(values)


TOKENS = (
    entry("ops", "read"),  # as a token of an earlier release
    entry("oncall", role="responder"),
    entry("till", "outcomes"),
    entry("boss", role="admin"),
    entry("slow", "read", requests_per_s=1),
)


class Pages:
    """Says what the guards of the real application let through to its routes."""

    def __init__(self) -> None:
        echo = FastAPI()

        @echo.api_route("/{path:path}", methods=["GET", "POST", "DELETE"])
        async def did(request: Request) -> dict[str, str]:
            return {"did": f"{request.method} {request.url.path} for {caller()}"}

        # No store is opened: what is judged by is its routes.
        real = create_app(AppContext(Connections(StoreConfig()), NoHealth(), Counters())).server
        self.server: ASGIApp = RequestGuard(Behind(real, echo))


@contextmanager
def serving(
    config: DashboardConfig,
    tokens: tuple[TokenConfig, ...] = (),
    proxy: ProxyConfig | None = None,
) -> Iterator[tuple[int, Counters]]:
    """Yield the port of a dashboard that asks for these tokens."""
    counters, clock = Counters(), SystemClock()
    gate = Gate(load_tokens(AccessConfig(tokens=tokens)), counters, clock, proxy)
    server = DashboardServer(Pages().server, config, gate, counters, clock)
    server.start()
    try:
        yield server.port, counters
    finally:
        server.stop()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Yield the port of a dashboard that asks for tokens."""
    with serving(DashboardConfig(port=0), TOKENS) as (port, _):
        yield port


def ask(port: int, path: str, *, method: str = "GET", **headers: str) -> httpx.Response:
    """Send one request."""
    url = f"http://127.0.0.1:{port}{path}"
    return httpx.request(method, url, headers=headers, trust_env=False, timeout=WAIT_S)


@pytest.mark.parametrize(
    ("method", "path", "token", "status"),
    [
        ("GET", "/", "ops", 200),
        ("GET", "/metrics", "ops", 200),
        ("POST", "/api/v1/query", "ops", 200),
        ("POST", "/_dash-update-component", "ops", 200),
        ("POST", "/api/v1/import/outcomes", "ops", 403),
        ("POST", "/api/v1/import/outcomes", "till", 200),
        ("GET", "/", "till", 403),
        ("POST", "/api/v1/silences", "ops", 403),
        ("POST", "/api/v1/silences", "oncall", 200),
        ("POST", "/api/v1/holds", "oncall", 403),
        ("POST", "/api/v1/holds", "boss", 200),
        ("GET", "/", "boss", 200),
        ("GET", "/", "nobody", 401),
        ("GET", "/api/v1/openapi.json", "nobody", 401),
    ],
)
def test_scope_says_what_a_token_may(
    port: int, method: str, path: str, token: str, status: int
) -> None:
    """What is not known to only read is closed to a reader, also an action of tomorrow."""
    answer = ask(port, path, method=method, authorization=f"Bearer mwt_{token}")
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"did": f"{method} {path} for token {token}"}


def test_password_of_a_login_may_be_the_token(port: int) -> None:
    """`curl -u` and bookmarks of an earlier release work; nobody is asked in that way any more."""
    assert ask(port, "/").headers.get_list("www-authenticate") == ['Bearer realm="millworth"']
    url = f"http://127.0.0.1:{port}/"
    answer = httpx.get(url, auth=("anyone", "mwt_ops"), trust_env=False)
    assert answer.json() == {"did": "GET / for token ops"}


def test_page_elsewhere_cannot_use_what_the_browser_remembers(port: int) -> None:
    """A browser sends the password by itself, so where it comes from still matters."""
    basic = httpx.BasicAuth("anyone", "mwt_boss")
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"origin": "https://elsewhere.example"},
        {"host": "elsewhere.example"},
    ):
        answer = httpx.post(
            f"http://127.0.0.1:{port}/api/v1/holds", headers=headers, auth=basic, trust_env=False
        )
        assert answer.status_code == 403


def test_address_of_a_peer_is_that_of_its_connection() -> None:
    """Else a stranger would name the proxy's in a header, and be trusted as the proxy."""
    proxy = ProxyConfig(addresses=("127.0.0.2",), default_role=Role.ADMIN)
    named = {"x-forwarded-user": "anna", "x-forwarded-for": "127.0.0.2"}
    with serving(DashboardConfig(port=0), TOKENS, proxy) as (port, counters):
        assert ask(port, "/", **named).status_code == 401
        assert counters.proxy_headers_ignored.labels("dashboard")._value.get() == 1
        transport = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}") as client:
            assert client.get("/", headers=named).json() == {"did": "GET / for user anna"}
            foreign = {**named, "sec-fetch-site": "cross-site", "authorization": "Bearer mwt_boss"}
            # A browser sends the proxy's own cookie by itself, so where it comes from matters.
            assert client.post("/api/v1/holds", headers=foreign).status_code == 403
            assert client.post("/api/v1/holds", headers=named).status_code == 200
            twice = [*named.items(), ("x-forwarded-user", "boss")]
            refused = client.get("/", headers=twice)
            assert (refused.status_code, "two x-forwarded-user" in refused.text) == (401, True)
            unknown = {"x-forwarded-user": "", "authorization": "Bearer mwt_ops"}
            assert client.get("/", headers=unknown).json() == {"did": "GET / for token ops"}


def test_person_without_a_role_reads_why_and_a_program_too() -> None:
    """Each in the form that it can show."""
    proxy = ProxyConfig.model_validate({"addresses": ["127.0.0.1"], "roles": {"sre": "viewer"}})
    with serving(DashboardConfig(port=0), (), proxy) as (port, _):
        headers = {"x-forwarded-user": "<anna>", "x-forwarded-groups": "sales"}
        page = ask(port, "/", accept="text/html", **headers)
        assert (page.status_code, page.headers["content-type"][:9]) == (403, "text/html")
        assert "user &lt;anna&gt; has no role, and this needs the role viewer" in page.text
        answer = ask(port, "/api/v1/health", accept="text/html", **headers)
        assert answer.json()["detail"].startswith("user <anna> has no role")
        assert ask(port, "/", accept="text/html").status_code == 303


def test_bearer_may_come_by_any_name(port: int) -> None:
    """A scraper in another container knows the service by a name of its network."""
    headers = {"authorization": "Bearer mwt_ops", "host": "millworth.monitoring.svc:8050"}
    assert ask(port, "/metrics", **headers).status_code == 200
    assert ask(port, "/metrics", **{**headers, "authorization": "Bearer x"}).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_need_no_token_and_no_name(port: int, path: str) -> None:
    """A kubelet asks by the pod's address."""
    assert ask(port, path, host="10.1.2.3:8050").status_code == 200


def test_reader_over_its_limit_is_told_when_to_come_back(port: int) -> None:
    """A dashboard on a wall that polls too often slows itself alone."""
    answers_ = [ask(port, "/", authorization="Bearer mwt_slow") for _ in range(3)]
    refused = [answer for answer in answers_ if answer.status_code == 429]
    assert refused
    assert all(answer.headers["retry-after"] == "1" for answer in refused)


def test_dashboard_does_not_open_its_door_to_the_network() -> None:
    """Neither an address of all, nor one of a network; nothing is bound."""
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        with (
            pytest.raises(ConfigError, match=r"^dashboard\.host: the dashboard would listen on "),
            serving(DashboardConfig(host=host, port=0)),
        ):
            pass


def test_settings_refuse_an_open_door_before_anything_starts() -> None:
    """`config check` finds it too; each listener by itself."""
    for section in ("collector", "dashboard"):
        settings = Settings.model_validate({section: {"host": "0.0.0.0"}})
        with pytest.raises(ConfigError, match=rf"^{section}\.host: .*for everybody"):
            settings.require_secrets()
        closed = settings.model_copy(update={"access": AccessConfig(tokens=TOKENS)})
        closed.require_secrets()


def test_proxy_opens_the_door_of_pages_and_no_other() -> None:
    """It says who looks. What is sent it does not see."""
    proxy = {"proxy": {"addresses": ["10.0.0.1"], "default_role": "viewer"}}
    behind = Settings.model_validate({"dashboard": {"host": "0.0.0.0"}, "access": proxy})
    behind.require_secrets()
    both = Settings.model_validate({"collector": {"host": "0.0.0.0"}, "access": proxy})
    with pytest.raises(ConfigError, match=r"^collector\.host: .*for everybody"):
        both.require_secrets()


def test_half_a_head_does_not_keep_a_connection_of_the_dashboard() -> None:
    """The dashboard's server has the limits of the receivers."""
    config = DashboardConfig(port=0, connections_max=1)
    with serving(config) as (port, counters):
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as first:
            first.sendall(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            assert first.recv(12) == b"HTTP/1.1 200"
            with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as second:
                assert second.recv(12) == b"HTTP/1.1 503"
        refused = counters.connections_refused.labels("dashboard", "too_many")._value.get()
        assert refused == 1


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return an authority of the test's own."""
    return Authority(tmp_path)


def settings_of(port: int, tls: TlsConfig, **access: object) -> Settings:
    """Return the settings that a command beside the service has."""
    return Settings.model_validate(
        {"dashboard": {"port": port, "tls": tls.model_dump()}, "access": access}
    )


def test_command_finds_the_service_behind_tls_and_token(authority: Authority) -> None:
    """By the settings of the service, an authority and a token in its environment."""
    server = authority.issue("server")
    tls = TlsConfig(cert_file=server.cert, key_file=server.key)
    with serving(DashboardConfig(port=0, tls=tls), TOKENS) as (port, _):
        settings = settings_of(port, tls, ca_file=authority.ca, token="mwt_ops")
        assert service_url(settings) == f"https://127.0.0.1:{port}"
        assert readiness(settings, None)[0]
        with ApiClient.open(settings, None) as api:
            assert api.get("/api/v1/health") == {"did": "GET /api/v1/health for token ops"}
        stranger = settings_of(port, tls, ca_file=authority.ca)
        with (
            ApiClient.open(stranger, None) as api,
            pytest.raises(InputError, match=r"wants a token .*MILLWORTH__ACCESS__TOKEN"),
        ):
            api.get("/api/v1/health")


def test_command_says_whose_certificate_it_does_not_trust(authority: Authority) -> None:
    """Not `no service answers`: it does, and what is missing is a setting."""
    server = authority.issue("server")
    tls = TlsConfig(cert_file=server.cert, key_file=server.key)
    with serving(DashboardConfig(port=0, tls=tls)) as (port, _):
        with pytest.raises(ConfigError, match=r"is not trusted: .*access\.ca_file"):
            answers(service_url(settings_of(port, tls)))
        missing = settings_of(port, tls, ca_file="/nowhere/ca.pem")
        with pytest.raises(ConfigError, match=r"^access: /nowhere/ca\.pem cannot be used: No such"):
            trust(missing, service_url(missing))


def test_doctor_says_who_is_let_in_and_what_is_wrong_with_it(
    authority: Authority, store_path: Path
) -> None:
    """Beside a service whose certificate this shell does not trust, and where none runs."""
    server = authority.issue("server")
    tls = TlsConfig(cert_file=server.cert, key_file=server.key)
    proxy = ProxyConfig(addresses=("10.0.0.1",), default_role=Role.VIEWER)
    with serving(DashboardConfig(port=0, tls=tls)) as (port, _):
        settings = settings_of(port, tls, tokens=list(TOKENS), proxy=proxy)
        found = {one.check: one for one in examine(settings)}
        # It answers, and not what was asked: that ended the command with one line.
        asked = settings_of(port, tls, tokens=list(TOKENS), ca_file=authority.ca)
        found_by_asking = {one.check: one for one in examine(asked)}
    assert not found_by_asking["service"].ok
    assert {"disk", "memory", "access", "spans"} <= found_by_asking.keys()
    assert (found["service"].ok, found["access"].ok) == (False, True)
    assert "access.ca_file" in found["service"].detail
    assert found["access"].detail == (
        "5 tokens; users of the proxy at 10.0.0.1; TLS on the dashboard"
    )
    server.key.unlink()
    broken = settings_of(port, tls, ca_file=authority.ca)
    store = StoreConfig(url=f"chdb://{store_path}")
    found = {one.check: one for one in examine(broken.model_copy(update={"store": store}))}
    assert not found["access"].ok
    assert found["access"].detail.startswith(f"dashboard.tls.key_file: {server.key} cannot be read")


def test_client_certificate_opens_the_dashboard(authority: Authority) -> None:
    """Mutual TLS is authentication: no token is asked for, and nobody else gets in."""
    server, own = authority.issue("server"), authority.issue("ops")
    tls = TlsConfig(cert_file=server.cert, key_file=server.key, client_ca_file=authority.ca)
    with serving(DashboardConfig(port=0, tls=tls)) as (port, _):
        known = settings_of(
            port,
            tls,
            ca_file=authority.ca,
            client_cert_file=own.cert,
            client_key_file=own.key,
        )
        assert readiness(known, None)[0]
        context = ssl.create_default_context(cafile=authority.ca)
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"https://127.0.0.1:{port}/healthz", verify=context, trust_env=False)


def test_every_address_is_asked_at_this_machine() -> None:
    """0.0.0.0 is no name in a certificate."""
    for host, url in (("0.0.0.0", "http://127.0.0.1:8050"), ("::", "http://[::1]:8050")):
        assert service_url(Settings.model_validate({"dashboard": {"host": host}})) == url
