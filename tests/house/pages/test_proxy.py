"""docs/operate/proxy.md: its fragments, in front of a real service, by every way in."""

from __future__ import annotations

import re
import ssl
import tomllib
from collections.abc import Callable
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
from tests.support.docs.pages import only
from tests.support.programs import free_port, program, running
from tests.support.service import RunningService

pytestmark = pytest.mark.integration

PAGE = "docs/operate/proxy.md"
NAME = "millworth.example.com"
TOKEN = "mwt_" + "a" * 43


def behind(fragment: str, service: RunningService, port: int, files: dict[str, Path]) -> str:
    """Return a fragment with the ports of the test and the certificate's files in it."""
    for usual, name in (("4317", "grpc_port"), ("4318", "http_port"), ("8050", "dashboard_port")):
        assert f"127.0.0.1:{usual}" in fragment
        fragment = fragment.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{service.ready[name]}")
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
        only(PAGE, "toml")
        + f'[[access.tokens]]\nname = "all"\nhash = "{hash_text(TOKEN)}"\n'
        + 'scopes = ["traces", "read"]\n'
    )
    port = free_port()
    with RunningService(tmp_path, wrapper=("env", "-C", str(tmp_path))) as service:
        fragment = behind(
            only(PAGE, language),
            service,
            port,
            {"/etc/millworth/server.pem": files.cert, "/etc/millworth/server.key": files.key},
        )
        with running(start(fragment, tmp_path), port, tmp_path / "proxy.log"):
            assert_ways_in(f"localhost:{port}", authority.ca)


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
    settings = Settings.model_validate(tomllib.loads(only(PAGE, "toml")))
    assert settings.dashboard.public_url == f"https://{NAME}"


def test_what_is_the_readers_is_marked() -> None:
    """Names and files are replaced, nothing else."""
    for line in only(PAGE, "nginx").splitlines():
        assert ("# yours" in line) == bool(re.search(r"server_name|ssl_certificate", line)), line
