"""docs/operate/proxy.md: its fragments, in front of a real service, by every way in."""

from __future__ import annotations

import re
import ssl
import threading
import tomllib
from collections.abc import Callable
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import httpx
import pytest

from collector.auth.tokens import hash_text
from collector.core.clock import SystemClock
from dashboard.settings.settings import Settings
from tests.support.builders import span, trace_request
from tests.support.certificates import Authority
from tests.support.collector.clients import TRACES
from tests.support.docs.pages import blocks
from tests.support.programs import free_port, program, running
from tests.support.service import RunningService

pytestmark = pytest.mark.integration

PAGE = "docs/operate/proxy.md"
NAME = "millworth.example.com"
TOKEN = "mwt_" + "a" * 43


def behind(fragment: str, service: RunningService, port: int, files: dict[str, Path]) -> str:
    """Return a fragment with the ports of the test and the certificate's files in it."""
    # In one pass: a port that is free may begin as a usual one does (43171).
    ports = {"4317": "grpc_port", "4318": "http_port", "8050": "dashboard_port"}
    usual_port = re.compile(r"(?<=127\.0\.0\.1:)(?:4317|4318|8050)\b")
    assert set(usual_port.findall(fragment)) == set(ports)
    fragment = usual_port.sub(lambda match: str(service.ready[ports[match[0]]]), fragment)
    for usual, path in files.items():
        assert usual in fragment
        fragment = fragment.replace(usual, str(path))
    fragment = fragment.replace("listen 443 ", f"listen 127.0.0.1:{port} ")
    return fragment.replace(f"{NAME} {{", f"localhost:{port} {{").replace(NAME, "localhost")


def nginx(fragment: str, here: Path) -> list[str]:
    """Return the command that runs nginx with a fragment, all of its files in one directory."""
    paths = "".join(
        f"{kind}_temp_path {here}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (here / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {here}/nginx.pid;\nerror_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{paths}{fragment}\n}}\n"
    )
    return [program("nginx"), "-c", str(here / "nginx.conf"), "-p", str(here), "-e", "stderr"]


def caddy(fragment: str, here: Path) -> list[str]:
    """Return the command that runs Caddy with a fragment, without its port for administration."""
    (here / "Caddyfile").write_text(
        f"{{\n\tadmin off\n\tauto_https disable_redirects\n\tstorage file_system {here}/caddy\n}}\n"
        f"{fragment}\n"
    )
    run = [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(here / "Caddyfile")]
    return ["env", f"HOME={here}", *run]


@pytest.mark.parametrize(("language", "start"), [("nginx", nginx), ("caddy", caddy)])
def test_every_way_in_goes_through(
    language: str, start: Callable[[str, Path], list[str]], tmp_path: Path
) -> None:
    """OTLP over gRPC and HTTP, the pages and the API, by one name, with a token or not at all."""
    authority = Authority(tmp_path)
    files = authority.issue("server")
    (tmp_path / "millworth.toml").write_text(
        blocks(PAGE, "toml")[0]
        + f'[[access.tokens]]\nname = "all"\nhash = "{hash_text(TOKEN)}"\n'
        + 'scopes = ["traces", "read"]\n'
    )
    port = free_port()
    with RunningService(tmp_path, wrapper=("env", "-C", str(tmp_path))) as service:
        fragment = behind(
            blocks(PAGE, language)[0],
            service,
            port,
            {"/etc/millworth/server.pem": files.cert, "/etc/millworth/server.key": files.key},
        )
        with running(start(fragment, tmp_path), port, tmp_path / "proxy.log"):
            assert_ways_in(f"localhost:{port}", authority.ca)


class SignIn(BaseHTTPRequestHandler):
    """Answers as oauth2-proxy does: who is signed in, and where to go to do so."""

    def do_GET(self) -> None:
        """Say who a cookie stands for."""
        name = SimpleCookie(self.headers.get("cookie", "")).get("_oauth2_proxy")
        if not self.path.startswith("/oauth2/auth"):
            self.send_response(200)
        elif name is None:
            self.send_response(401)
        else:
            self.send_response(202)
            self.send_header("X-Auth-Request-User", name.value)
            self.send_header("X-Auth-Request-Groups", GROUPS.get(name.value, ""))
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


HOLD = {
    "name": "h-1", "tables": ["*"], "from_ns": 0, "to_ns": 1, "reason": "why",
    "actor": "olga's cat",
}  # fmt: skip
GROUPS = {"anna": "shop,sre on call", "olga": "owners"}


def test_people_sign_in_at_the_proxy(tmp_path: Path) -> None:
    """What nginx is told of the one who is signed in counts, and what a browser writes does not."""
    signing, entrance = blocks(PAGE, "toml")[1], blocks(PAGE, "nginx")[1]
    (tmp_path / "millworth.toml").write_text(
        signing + f'[[access.tokens]]\nname = "all"\nhash = "{hash_text(TOKEN)}"\nrole = "viewer"\n'
    )
    port = free_port()
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), SignIn) as sign_in,
        RunningService(tmp_path, wrapper=("env", "-C", str(tmp_path))) as service,
    ):
        threading.Thread(target=sign_in.serve_forever, daemon=True).start()
        entrance = entrance.replace("127.0.0.1:4180", f"127.0.0.1:{sign_in.server_port}")
        entrance = entrance.replace(
            "127.0.0.1:8050", f"127.0.0.1:{service.ready['dashboard_port']}"
        )
        fragment = f"server {{ listen 127.0.0.1:{port}; proxy_http_version 1.1;\n{entrance}}}\n"
        url = f"http://127.0.0.1:{port}"
        with (
            running(nginx(fragment, tmp_path), port, tmp_path / "proxy.log"),
            httpx.Client(base_url=url, trust_env=False, timeout=60) as client,
        ):
            forged = {"X-Forwarded-User": "olga", "X-Forwarded-Groups": "owners"}
            assert client.get("/api/v1/health", headers=forged).content == b""  # where to sign in
            for name, headers, status in (
                ("anna", {}, 403),
                ("anna", forged, 403),
                ("olga", {}, 200),
                ("stranger", forged, 403),
            ):
                sent = {"cookie": f"_oauth2_proxy={name}", **headers}
                assert client.get("/api/v1/holds", headers=sent).status_code == 200
                made = client.post("/api/v1/holds", json=HOLD, headers=sent)
                assert made.status_code == status, made.text
            found = client.get("/api/v1/audit", headers=sent).json()["rows"]
            actors = [row["actor"] for row in found if row["action"] == "hold_added"]
            assert actors == ["olga's cat (user olga)"]
            sign_in.shutdown()


def assert_ways_in(place: str, ca: Path) -> None:
    """Assert that each way in takes a token, and refuses a request without one."""
    body = trace_request(span(start_ns=SystemClock().now_ns())).SerializeToString()
    bearer = {"authorization": f"Bearer {TOKEN}"}
    kind = {"content-type": "application/x-protobuf"}
    trusting = ssl.create_default_context(cafile=str(ca))
    url = f"https://{place}"
    with httpx.Client(verify=trusting, trust_env=False, timeout=60) as client:
        sent = client.post(f"{url}/v1/traces", content=body, headers={**kind, **bearer})
        assert sent.status_code == 200, sent.text
        assert client.post(f"{url}/v1/traces", content=body, headers=kind).status_code == 401
        late = client.post(f"{url}/v1/traces", content=bytes(15_000_000), headers=kind)
        assert late.status_code == 401, "a proxy that is reset while it sends says 502"
        assert client.get(url).status_code == 401
        assert "Millworth" in client.get(url, headers=bearer).text
        assert client.get(f"{url}/api/v1/health", headers=bearer).status_code == 200
        assert client.get(f"{url}/readyz").status_code == 200
    credentials = grpc.ssl_channel_credentials(ca.read_bytes())
    with grpc.secure_channel(place, credentials) as channel:
        export = channel.unary_unary(TRACES, None, None)
        export(body, metadata=tuple(bearer.items()), timeout=60)
        with pytest.raises(grpc.RpcError) as refused:
            export(body, timeout=60)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_public_url_of_the_page_is_taken() -> None:
    """Browsers send that name, and any other is refused."""
    settings = Settings.model_validate(tomllib.loads(blocks(PAGE, "toml")[0]))
    assert settings.dashboard.public_url == f"https://{NAME}"


def test_each_location_of_nginx_names_the_host() -> None:
    """One that sets any header inherits none of the server's; the cookie depends on this one."""
    for fragment in blocks(PAGE, "nginx"):
        locations = re.findall(r"location [^{]+\{[^}]+\}", fragment)
        to_pages = [text for text in locations if "proxy_pass http" in text]
        assert to_pages
        for text in to_pages:
            assert "proxy_set_header Host $host;" in text, text


def test_what_is_the_readers_is_marked() -> None:
    """Names and files are replaced, nothing else."""
    for line in blocks(PAGE, "nginx")[0].splitlines():
        assert ("# yours" in line) == bool(re.search(r"server_name|ssl_certificate", line)), line
