"""docs/operate/credentials.md: its commands, against a service with certificates."""

from __future__ import annotations

import re
import shutil
import ssl
import tomllib
from pathlib import Path

import httpx
import pytest

from collector.auth.gate import load_tokens
from dashboard.settings.settings import Settings
from tests.support.docs.pages import PageShell, blocks
from tests.support.service import RunningService

pytestmark = pytest.mark.integration

PAGE = "docs/operate/credentials.md"
TOKEN, ISSUE, TRY, RENEW = blocks(PAGE, "sh")
NAMES = "openssl x509 -in server.pem -noout -ext subjectAltName"
FIVE_MINUTES, CURL, *_ = blocks("docs/operate/security.md", "sh")


@pytest.fixture
def shell(tmp_path: Path) -> PageShell:
    """Return a shell in a directory with the authority and the certificate of security.md."""
    there = PageShell(tmp_path)
    there.run(FIVE_MINUTES)
    return there


def test_token_of_the_page_is_let_in_for_its_time(tmp_path: Path) -> None:
    """The entry is copied as it is printed."""
    printed = PageShell(tmp_path).run(TOKEN)
    entry = printed[printed.index("[[access.tokens]]") :]
    settings = Settings.model_validate(tomllib.loads(entry))

    [token] = load_tokens(settings.access)
    assert token.name == "shop-2"
    assert re.search(r"^mwt_\S+|\bmwt_\S+", printed)
    assert settings.access.tokens[0].expires is not None


def test_client_certificate_of_the_page_opens_the_door(shell: PageShell) -> None:
    """With it a request is taken, without it there is no handshake; a renewal needs no restart."""
    here = shell.directory
    shell.run(ISSUE, NAME="shop")
    with RunningService(
        here,
        MILLWORTH__COLLECTOR__TLS__CERT_FILE=str(here / "server.pem"),
        MILLWORTH__COLLECTOR__TLS__KEY_FILE=str(here / "server.key"),
        MILLWORTH__COLLECTOR__TLS__CLIENT_CA_FILE=str(here / "ca.pem"),
    ) as service:
        otlp = f"https://localhost:{service.ready['http_port']}"
        shell.run(TRY, NAME="shop", OTLP=otlp)
        trusting = ssl.create_default_context(cafile=str(here / "ca.pem"))
        with (
            httpx.Client(verify=trusting, trust_env=False) as stranger,
            pytest.raises(httpx.TransportError),
        ):
            stranger.post(f"{otlp}/v1/traces", json={})
        before = _serial(service.ready["http_port"], here)
        names = shell.run(NAMES)
        shell.run(RENEW, NAME="server")
        assert shell.run(NAMES) == names
        assert "DNS:millworth.example.com" in names
        shell.run(TRY, NAME="shop", OTLP=otlp)
        assert _serial(service.ready["http_port"], here) != before


def test_five_minutes_of_security_end_with_a_request_that_is_taken(tmp_path: Path) -> None:
    """Authority, certificate, tokens, entries and the request, one after another.

    The certificate is one that strict clients take too, as Python is from 3.13 on.
    """
    shell = PageShell(tmp_path)
    printed = shell.run(FIVE_MINUTES)
    token = re.findall(r"\bmwt_[\w-]+", printed)[0]
    entries = re.findall(r"^\[\[access.tokens\]\]\n(?:\w+ = .*\n)+", printed, re.MULTILINE)
    assert len(entries) == 2
    (tmp_path / "millworth.toml").write_text(
        f'[collector.tls]\ncert_file = "{tmp_path}/server.pem"\n'
        f'key_file = "{tmp_path}/server.key"\n' + "".join(entries)
    )
    with RunningService(tmp_path, wrapper=("env", "-C", str(tmp_path))) as service:
        trying = CURL.replace(":4318", f":{service.ready['http_port']}")
        assert shell.run(f"export TOKEN={token}\n{trying}") == "{}"
        strict = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        strict.verify_flags |= ssl.VERIFY_X509_STRICT
        with httpx.Client(verify=strict, trust_env=False) as client:
            answer = client.get(f"https://localhost:{service.ready['http_port']}/")
        assert answer.status_code in (401, 404)


def _serial(port: int, here: Path) -> str:
    """Return the serial number of the certificate that is served."""
    openssl = PageShell(here)
    return openssl.run(
        f"openssl s_client -connect localhost:{port} -cert shop.pem -key shop.key </dev/null "
        "2>/dev/null | openssl x509 -noout -serial"
    )


def test_openssl_is_there() -> None:
    """The pages need it, and so do these tests."""
    assert shutil.which("openssl")
