"""Certificates: what is refused at the start, what a peer must have, and that a new one is used."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import httpx
import pytest

from collector.auth.tls import Certificates
from collector.core.clock import SystemClock
from collector.core.config import CollectorConfig, StoreConfig, TlsConfig
from collector.core.counters import Counters
from collector.core.errors import ConfigError, TransientError
from collector.core.times import NS_PER_S
from collector.service import CollectorService
from collector.store.connect import Connections
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import span, trace_request
from tests.support.certificates import BEGINS, ENDS, Authority, Files
from tests.support.collector.clients import PROTOBUF, TRACES, WAIT_S

# What each protocol answers at once.
HTTP = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
H2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # no settings
BODY = trace_request(span(trace_id="")).SerializeToString()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return an authority that the other side trusts."""
    return Authority(tmp_path)


def tls_of(files: Files, client_ca: Path | None = None) -> TlsConfig:
    """Return the settings of a listener."""
    return TlsConfig(cert_file=files.cert, key_file=files.key, client_ca_file=client_ca)


def certificates(config: TlsConfig) -> Certificates:
    """Read files as a listener does."""
    return Certificates(config, "collector.tls", ManualClock(), Counters())


def test_missing_file_is_named_with_its_setting(authority: Authority, tmp_path: Path) -> None:
    """The setting, the file and what to do, in one line."""
    good, nowhere = authority.issue("server"), tmp_path / "nowhere.pem"
    for config, key in (
        (TlsConfig(cert_file=nowhere, key_file=good.key), "cert_file"),
        (TlsConfig(cert_file=good.cert, key_file=nowhere), "key_file"),
        (tls_of(good, nowhere), "client_ca_file"),
    ):
        with pytest.raises(
            ConfigError, match=rf"^collector\.tls\.{key}: {nowhere} cannot be read: No such file"
        ):
            certificates(config)


def test_key_of_another_certificate_is_refused(authority: Authority) -> None:
    """OpenSSL says X509_R_KEY_VALUES_MISMATCH; a person wants to know which file."""
    server, other = authority.issue("server"), authority.issue("other")
    with pytest.raises(ConfigError, match=rf"{other.key} is not the key .* in {server.cert}"):
        certificates(TlsConfig(cert_file=server.cert, key_file=other.key))


def test_key_that_anybody_may_read_is_refused(authority: Authority) -> None:
    """Its group may: root hands it to the service that way."""
    server = authority.issue("server")
    server.key.chmod(0o640)
    certificates(TlsConfig(cert_file=server.cert, key_file=server.key))
    server.key.chmod(0o644)
    with pytest.raises(ConfigError, match=r"key_file: .* may be read by others .mode 0644.; run"):
        certificates(TlsConfig(cert_file=server.cert, key_file=server.key))


def test_key_with_a_passphrase_is_refused_with_the_remedy(authority: Authority) -> None:
    """A service that starts by itself cannot be asked for one."""
    with pytest.raises(ConfigError, match="needs a passphrase; take it off with `openssl pkey"):
        certificates(tls_of(authority.issue("server", passphrase=b"secret")))


def test_file_of_something_else_is_refused(authority: Authority) -> None:
    """The two are swapped sooner or later."""
    server = authority.issue("server")
    with pytest.raises(ConfigError, match=r"cert_file: .* holds no certificate in PEM"):
        certificates(TlsConfig(cert_file=server.key, key_file=server.cert))
    with pytest.raises(ConfigError, match=r"key_file: .* is not a private key in PEM"):
        certificates(TlsConfig(cert_file=server.cert, key_file=server.cert))


@pytest.mark.parametrize(
    ("begins", "ends", "said"),
    [
        (BEGINS, datetime.fromtimestamp(NOW_NS // NS_PER_S, UTC), "expired on 2033-05-18; renew"),
        (datetime(2033, 5, 19, tzinfo=UTC), ENDS, "not valid before 2033-05-19 00:00 UTC"),
    ],
)
def test_certificate_out_of_its_time_is_refused(
    authority: Authority, begins: datetime, ends: datetime, said: str
) -> None:
    """Every sender would refuse it; at the next attempt a clock may be right that was wrong."""
    with pytest.raises(TransientError, match=said):
        certificates(tls_of(authority.issue("server", begins=begins, ends=ends)))


def test_settings_that_are_half_there_are_refused() -> None:
    """A key that was forgotten shall not mean: no TLS."""
    with pytest.raises(ValueError, match="go together"):
        TlsConfig(cert_file=Path("/c"))
    with pytest.raises(ValueError, match="client_ca_file needs"):
        TlsConfig(client_ca_file=Path("/a"))


@contextmanager
def collecting(directory: Path, tls: TlsConfig) -> Iterator[CollectorService]:
    """Yield a collector with TLS that never asks its store."""
    config = CollectorConfig(grpc_port=0, http_port=0, tls=tls)
    nowhere = Connections(StoreConfig())
    service = CollectorService(config, nowhere, directory / "wal", Counters(), SystemClock())
    service.start()
    try:
        yield service
    finally:
        service.stop(0)


def send_http(service: CollectorService, trusted: Path, own: Files | None = None) -> int:
    """Send one request and return the status."""
    context = ssl.create_default_context(cafile=trusted)
    if own is not None:
        context.load_cert_chain(own.cert, own.key)
    with httpx.Client(verify=context, trust_env=False, timeout=WAIT_S) as client:
        url = f"https://127.0.0.1:{service.http_port}/v1/traces"
        return client.post(url, content=BODY, headers={"content-type": PROTOBUF}).status_code


def send_grpc(service: CollectorService, trusted: Path, own: Files | None = None) -> int:
    """Send one request and return the status as HTTP has it."""
    credentials = grpc.ssl_channel_credentials(
        trusted.read_bytes(),
        None if own is None else own.key.read_bytes(),
        None if own is None else own.cert.read_bytes(),
    )
    options = [("grpc.use_local_subchannel_pool", 1)]
    target = f"127.0.0.1:{service.grpc_port}"
    with grpc.secure_channel(target, credentials, options=options) as channel:
        channel.unary_unary(TRACES, None, None)(BODY, timeout=WAIT_S)
    return 200


Send = Callable[..., int]
BOTH = pytest.mark.parametrize("send", [send_http, send_grpc])
REFUSED = (httpx.HTTPError, grpc.RpcError)


@pytest.mark.integration
@BOTH
def test_sender_that_trusts_the_authority_is_served(
    authority: Authority, tmp_path: Path, send: Send
) -> None:
    """And one that trusts another is not: it speaks to no stranger."""
    other = Authority(tmp_path, "other-authority")
    with collecting(tmp_path, tls_of(authority.issue("server"))) as service:
        assert send(service, authority.ca) == 200
        with pytest.raises(REFUSED):
            send(service, other.ca)


@pytest.mark.integration
@BOTH
def test_mutual_tls_lets_in_whom_the_authority_signed(
    authority: Authority, tmp_path: Path, send: Send
) -> None:
    """Nobody without a certificate, nobody with one of another authority."""
    stranger = Authority(tmp_path, "stranger")
    with collecting(tmp_path, tls_of(authority.issue("server"), authority.ca)) as service:
        assert send(service, authority.ca, authority.issue("sender")) == 200
        with pytest.raises(REFUSED):
            send(service, authority.ca)
        with pytest.raises(REFUSED):
            send(service, authority.ca, stranger.issue("forged"))


@pytest.mark.integration
# What is tested is that it is gone.
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
@pytest.mark.parametrize("port_of", ["grpc_port", "http_port"])
@pytest.mark.parametrize(
    ("version", "is_served"), [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)]
)
def test_nothing_older_than_tls_1_2(
    authority: Authority,
    tmp_path: Path,
    port_of: str,
    version: ssl.TLSVersion,
    is_served: bool,
) -> None:
    """RFC 8996 took the older ones out of use."""
    context = ssl.create_default_context(cafile=authority.ca)
    # Otherwise the client's own library refuses to speak it, and the test shows nothing.
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    with collecting(tmp_path, tls_of(authority.issue("server"))) as service:
        address = ("127.0.0.1", getattr(service, port_of))
        with socket.create_connection(address, timeout=WAIT_S) as connection:
            if is_served:
                with context.wrap_socket(connection, server_hostname="127.0.0.1") as secured:
                    assert secured.version() == "TLSv1.2"
            else:
                with pytest.raises((ssl.SSLError, ConnectionError)) as raised:
                    context.wrap_socket(connection, server_hostname="127.0.0.1")
                # Refused by the service: what the client itself does not do has other words.
                assert "NO_PROTOCOLS_AVAILABLE" not in str(raised.value)


@pytest.mark.integration
@BOTH
def test_renewed_certificate_is_used_without_a_restart(
    authority: Authority, tmp_path: Path, send: Send
) -> None:
    """Another authority signs it, so that only the new one can be what was used."""
    (tmp_path / "new").mkdir()
    successor = Authority(tmp_path / "new", "successor")
    files = authority.issue("server")
    with collecting(tmp_path, tls_of(files)) as service:
        assert send(service, authority.ca) == 200
        renewed = successor.issue("server")
        shutil.move(renewed.cert, files.cert)
        # Half of it is there: the certificate and the key do not belong together now.
        assert send(service, authority.ca) == 200
        shutil.move(renewed.key, files.key)
        assert send(service, successor.ca) == 200


def test_key_whose_mode_is_put_right_is_used(authority: Authority) -> None:
    """The log asks for a `chmod`, and that is all that whoever follows it does."""
    files = authority.issue("server")
    used = certificates(tls_of(files))
    renewed = authority.issue("next")
    renewed.key.chmod(0o644)
    shutil.move(renewed.key, files.key)
    shutil.move(renewed.cert, files.cert)
    assert not used.refresh()
    files.key.chmod(0o600)
    assert used.refresh()


@pytest.mark.integration
@BOTH
def test_renewed_client_authority_is_used_without_a_restart(
    authority: Authority, tmp_path: Path, send: Send
) -> None:
    """Whoever the old one signed is out from then on."""
    clients, successors = Authority(tmp_path, "clients"), Authority(tmp_path, "successors")
    old, new = clients.issue("old"), successors.issue("new")
    with collecting(tmp_path, tls_of(authority.issue("server"), clients.ca)) as service:
        assert send(service, authority.ca, old) == 200
        shutil.move(successors.ca, clients.ca)
        assert send(service, authority.ca, new) == 200
        with pytest.raises(REFUSED):
            send(service, authority.ca, old)


@pytest.mark.integration
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(("port_of", "request_bytes"), [("grpc_port", H2), ("http_port", HTTP)])
def test_session_lets_nobody_in_whose_authority_is_out(
    authority: Authority,
    tmp_path: Path,
    port_of: str,
    request_bytes: bytes,
    version: ssl.TLSVersion,
) -> None:
    """A handshake that resumes one asks for no certificate: over HTTP that of TLS 1.2 went on."""
    clients, successors = Authority(tmp_path, "clients"), Authority(tmp_path, "successors")
    own = clients.issue("shop")
    context = ssl.create_default_context(cafile=authority.ca)
    context.load_cert_chain(own.cert, own.key)
    context.maximum_version = version
    context.set_alpn_protocols(["h2" if request_bytes == H2 else "http/1.1"])

    def answered(session: ssl.SSLSession | None) -> tuple[bytes, ssl.SSLSession | None]:
        with (
            socket.create_connection(address, timeout=WAIT_S) as connection,
            context.wrap_socket(
                connection, server_hostname="127.0.0.1", session=session
            ) as secured,
        ):
            secured.sendall(request_bytes)
            return secured.recv(4096), secured.session

    with collecting(tmp_path, tls_of(authority.issue("server"), clients.ca)) as service:
        address = ("127.0.0.1", getattr(service, port_of))
        session = None
        with suppress(ssl.SSLError):  # HTTP does not speak 1.2 here
            _, session = answered(None)
        shutil.move(successors.ca, clients.ca)
        answer = b""
        with suppress(ssl.SSLError, ConnectionError):  # with the handshake, or after it
            answer, _ = answered(session)
        assert answer == b""


def test_expiry_of_the_certificate_in_use_is_shown(authority: Authority) -> None:
    """An alert on it beats a morning without data."""
    counters = Counters()
    Certificates(tls_of(authority.issue("server")), "collector.tls", ManualClock(), counters)
    shown = counters.certificate_expires.labels("collector.tls")._value.get()
    assert shown == ENDS.timestamp()


def test_what_ends_first_is_shown(authority: Authority) -> None:
    """All senders are refused as well when the authority that signed for them has ended."""
    files = authority.issue("server")
    counters = Counters()
    soon = ENDS - timedelta(days=300)
    ends_soon = authority.issue("clients", ends=soon).cert
    config = TlsConfig(cert_file=files.cert, key_file=files.key, client_ca_file=ends_soon)
    Certificates(config, "collector.tls", ManualClock(), counters)
    shown = counters.certificate_expires.labels("collector.tls")._value.get()
    assert shown == soon.timestamp()


@pytest.mark.integration
def test_handshake_that_does_not_come_gives_its_place_back(
    authority: Authority, tmp_path: Path
) -> None:
    """A connection counts from the moment it is accepted, not from the end of its handshake."""
    config = CollectorConfig(
        grpc_port=0,
        http_port=0,
        tls=tls_of(authority.issue("server")),
        connections_max=1,
        head_seconds_max=0.1,
    )
    counters, nowhere = Counters(), Connections(StoreConfig())
    service = CollectorService(config, nowhere, tmp_path / "wal", counters, SystemClock())
    service.start()
    try:
        with socket.create_connection(("127.0.0.1", service.http_port), timeout=WAIT_S) as silent:
            assert silent.recv(100) == b""
        assert send_http(service, authority.ca) == 200
        refused = counters.connections_refused.labels("http", "handshake")._value.get()
        assert refused == 1
    finally:
        service.stop(0)


def test_certificate_that_is_not_valid_yet_is_taken_when_it_is(authority: Authority) -> None:
    """Its files do not change again: it was left until somebody touched them."""
    counters, clock = Counters(), ManualClock()
    config = tls_of(authority.issue("server"))
    used = Certificates(config, "collector.tls", clock, counters)
    begins = datetime.fromtimestamp(clock.now_ns() // NS_PER_S + 60, UTC)
    authority.issue("server", begins=begins)
    assert not used.refresh()
    assert not used.refresh()
    clock.ns += 61 * NS_PER_S
    assert used.refresh()
