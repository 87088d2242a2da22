"""I/O: how a command asks for data: the running service, else the store itself.

The embedded store has one owner, so a command speaks to whoever holds it over `/api/v1`. Where
nobody does, the same application is asked inside this process, so the answers cannot differ.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import urlsplit

import httpx

from attribution.core.money import USD, state_in
from collector.core.errors import ConfigError, InputError, StoreUnavailableError
from collector.core.http.address import authority
from collector.core.key_files import read_secret
from dashboard.cli.console import warn
from dashboard.health.items import CURRENCY_HEADER, WARNING_HEADER
from dashboard.health.readiness import PAGES_LOADING, RETRY_S
from dashboard.settings.settings import Settings, load

if TYPE_CHECKING:
    from fastapi import FastAPI


# A query may take `store.query_seconds_max`; an import of a large file takes longer.
TIMEOUT_S = 300.0
# A busy service answers, and its handshake is done, within this; where none is, nobody waits. The
# health check of a container gives up after ten seconds.
_ANSWER_S = 9.0
_PAGES_TRIES = 60  # at a second each; a start takes a few


class _Answer(dict[str, Any]):
    """A JSON object of an answer, at any depth.

    A running service may be of another version than the command that asks it.
    """

    def __missing__(self, key: str) -> Any:  # noqa: ANN401  whatever the key would hold
        raise InputError(
            f"the service answers without {key!r}, which this command reads: the two are of "
            "different versions; restart the service with the version that is installed here, or "
            "run the command of the service's own installation"
        )


class Api(Protocol):
    """What answers; `ApiClient` is one."""

    def get(self, path: str) -> dict[str, Any]:
        """Return the JSON of one resource."""
        ...

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send JSON and return JSON."""
        ...


class ApiClient:
    """One open way to `/api/v1`; a context manager."""

    def __init__(
        self,
        base_url: str,
        local: FastAPI | None,
        opened: ExitStack | None,
        settings: Settings | None = None,
    ) -> None:
        self._base_url = base_url
        token = "" if settings is None else settings.access.token.get_secret_value()
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._verify = True if settings is None else trust(settings, base_url)
        self._local = local
        self._opened = opened

    @classmethod
    def open(cls, settings: Settings, url: str | None) -> Self:
        """Find the service.

        Raises:
            InputError: what was named is no address; or no service answers, and yet another process
                has held the store for long.
            StoreUnavailableError: a service was named and does not answer, one is starting, or
                one hangs.
        """
        base_url = (_checked(url) or service_url(settings)).rstrip("/")
        if answers(base_url, trust(settings, base_url)):
            return cls(base_url, None, None, settings)
        if url is not None:
            raise StoreUnavailableError(
                f"no Millworth answers at {base_url}; start it with `millworth up`, give the "
                "address behind a proxy that wants a sign-in, or leave --url away to read the "
                "store directly"
            )
        # The service's own side takes as long to load as all else that a command does.
        from dashboard.cli.local import open_store

        api, opened = open_store(settings, base_url)
        return cls("http://local", api, opened)

    def get(self, path: str) -> dict[str, Any]:
        """Return the JSON of one resource. Raises InputError with the service's own words."""
        return self._call("GET", path, None)

    def get_bytes(self, path: str) -> bytes:
        """Return one resource as it is. Raises InputError with the service's own words."""
        return self._answer("GET", path, None).content

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send JSON and return JSON. Raises InputError with the service's own words."""
        return self._call("POST", path, {"json": body})

    def import_file(self, kind: str, path: Path, query: dict[str, str]) -> dict[str, Any]:
        """Send one file, of whatever format; return the report.

        Args:
            kind: outcomes, rates, ledger or costs.
            path: of the file.
            query: what the resource takes beside the file.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read: {error.strerror}; correct the path, or its mode"
            ) from error
        return self._call(
            "POST",
            f"/api/v1/import/{kind}",
            {
                "content": content,
                "headers": {"content-type": "application/octet-stream"},
                "params": {"name": str(path), **query},
            },
        )

    def _call(self, method: str, path: str, arguments: dict[str, Any] | None) -> dict[str, Any]:
        response = self._answer(method, path, arguments)
        try:
            answer: dict[str, Any] = response.json(object_hook=_Answer)
        except ValueError as error:
            raise InputError(
                f"{response.url} answers with a page, as a proxy does that wants a sign-in: name "
                "in --url the address of the service itself, or let the proxy pass /api/v1"
            ) from error
        return answer

    def _answer(self, method: str, path: str, arguments: dict[str, Any] | None) -> httpx.Response:
        try:
            response = asyncio.run(self._send(method, path, arguments or {}))
        except httpx.HTTPError as error:
            raise StoreUnavailableError(
                f"{self._base_url} did not answer: {error or type(error).__name__}; "
                "look at its log, and try again"
            ) from error
        state_in(response.headers.get(CURRENCY_HEADER, USD))
        if warning := response.headers.get(WARNING_HEADER):
            warn(warning)
        if response.is_success:
            return response
        raise InputError(_error_text(response))

    async def _send(self, method: str, path: str, arguments: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._local) if self._local is not None else None
        async with httpx.AsyncClient(
            base_url=self._base_url,
            headers=self._headers,
            verify=self._verify,
            transport=transport,
            timeout=TIMEOUT_S,
            trust_env=False,
        ) as client:
            response = await client.request(method, path, **arguments)
            for _ in range(_PAGES_TRIES):
                # A service that has just started answers its probes first.
                if response.status_code != 503 or PAGES_LOADING.strip() not in response.text:
                    break
                await asyncio.sleep(RETRY_S)
                response = await client.request(method, path, **arguments)
            return response

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            self._opened.close()


@contextmanager
def asking(config: Path | None, url: str | None) -> Iterator[ApiClient]:
    """Open the way to `/api/v1` with the settings of a file, or of where the command runs."""
    with ApiClient.open(load(config).settings, url) as api:
        yield api


def asked(path: str, config: Path | None, url: str | None) -> dict[str, Any]:
    """Return the JSON of one resource. Raises InputError with the service's own words."""
    with asking(config, url) as api:
        return api.get(path)


def _checked(url: str | None) -> str:
    """Return the address that was named, "" for none. Raises InputError where it is none."""
    try:
        parts = urlsplit(url or "")
        is_address = bool(parts.scheme in ("http", "https") and parts.hostname and parts.port != 0)
    except ValueError:  # brackets that do not close, a port that is none
        is_address = False
    if url is not None and not is_address:
        raise InputError(f"--url {url!r} is not an address; give one as http://127.0.0.1:8050")
    return url or ""


def service_url(settings: Settings) -> str:
    """Return where the settings say that the pages and `/api/v1` are served."""
    scheme = "https" if settings.dashboard.tls.is_on else "http"
    # Every address is listened on, and this machine's own is the nearest.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(  # noqa: S104  looked for, not bound
        settings.dashboard.host, settings.dashboard.host
    )
    return f"{scheme}://{authority(host, settings.dashboard.port)}"


def trust(settings: Settings, base_url: str) -> ssl.SSLContext | bool:
    """Return whose certificate is believed there, and which is shown.

    Raises:
        ConfigError: one of the files that [access] names cannot be used.
    """
    access = settings.access
    if not base_url.startswith("https:") or (
        access.ca_file is None and access.client_cert_file is None
    ):
        return True
    try:
        context = ssl.create_default_context(cafile=access.ca_file)
        if access.client_cert_file is not None:
            if access.client_key_file is not None:
                read_secret(access.client_key_file, "access.client_key_file", for_group=True)
            context.load_cert_chain(access.client_cert_file, access.client_key_file)
    except OSError as error:
        # An unreadable file, or (ssl.SSLError) one that holds something else.
        named = [access.ca_file, access.client_cert_file, access.client_key_file]
        raise ConfigError(
            f"access: {', '.join(str(path) for path in named if path is not None)} cannot be used: "
            f"{error.strerror or error}; name in access.ca_file, client_cert_file and "
            "client_key_file PEM files that belong together"
        ) from error
    return context


def answers(
    base_url: str, verify: ssl.SSLContext | bool = True, *, within_s: float = _ANSWER_S
) -> bool:
    """Return whether a service answers there; a page of whoever else listens is no answer.

    Raises:
        ConfigError: it does, and its certificate is not one that is trusted here.
        StoreUnavailableError: nothing is said, neither yes nor no.
    """
    try:
        answer = httpx.get(f"{base_url}/healthz", timeout=within_s, verify=verify, trust_env=False)
    except httpx.TimeoutException as error:  # with TLS the handshake is part of connecting
        raise StoreUnavailableError(
            f"{base_url} says nothing for {within_s:g} s: what listens there hangs, is starved or "
            "is behind a firewall; look at its log and its load, go on with it (SIGCONT) if it was "
            "stopped, or restart it"
        ) from error
    except httpx.HTTPError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise ConfigError(
                f"{base_url} is not trusted: {_reason(error)}; name its authority in "
                "access.ca_file (MILLWORTH__ACCESS__CA_FILE), and use a name that is in its "
                "certificate"
            ) from error
        if "CERTIFICATE_REQUIRED" in str(error).upper():
            raise ConfigError(
                f"{base_url} asks for a client certificate; name one in access.client_cert_file "
                "and access.client_key_file"
            ) from error
        return False
    return answer.is_success and not _is_page(answer)


def readiness(settings: Settings, url: str | None) -> tuple[bool, str]:
    """Return whether a service is ready, and what it says of itself."""
    base_url = (url or service_url(settings)).rstrip("/")
    try:
        answer = httpx.get(
            f"{base_url}/readyz",
            timeout=_ANSWER_S,
            verify=trust(settings, base_url),
            trust_env=False,
        )
    except httpx.HTTPError as error:
        return False, f"not ready: {base_url} does not answer: {error or type(error).__name__}"
    return answer.is_success, answer.text.strip()


def _reason(error: httpx.HTTPError) -> str:
    """Return OpenSSL's own words without its codes."""
    return str(error).partition("certificate verify failed: ")[2].partition(" (_ssl")[0]


def _is_page(response: httpx.Response) -> bool:
    """Return whether it is for browsers, as of a proxy, and no answer of a service."""
    return str(response.headers.get("content-type", "")).startswith("text/html")


def _error_text(response: httpx.Response) -> str:
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return (
            f"{response.url.host} wants a token that it knows; set access.token "
            "(MILLWORTH__ACCESS__TOKEN) to one with a role"
        )
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        pass
    said = f"HTTP {response.status_code}"
    if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return (
            f"{said}: a proxy before {response.url.host} takes no request of so many bytes; raise "
            "its limit, or send less at a time"
        )
    return (
        f"{said} {response.reason_phrase}"
        if _is_page(response)
        else f"{said}: {response.text[:300]}"
    )
