"""I/O: the certificate of one listener: read, checked, and read again when its files change.

A renewed certificate is used by the next connection; those that are open go on. What was put there
and is not good is logged and left alone: the one in use stays.
"""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from collector.core.clock import Clock
from collector.core.config import TlsConfig
from collector.core.counters import Counters
from collector.core.errors import ConfigError, TransientError
from collector.core.key_files import require_secret_mode
from collector.core.log import get_logger
from collector.core.times import NS_PER_S

_LOG = get_logger("collector")
# Asked for over HTTP/1.1 alone; a client that offers HTTP/2 as well is told.
_ALPN = ["http/1.1"]


@dataclass(frozen=True, slots=True)
class Material:
    """The content of the files, checked."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None
    expires_ns: int  # of whichever ends first: ours, one that signed it, an authority of clients


class Certificates:
    """The certificate of one listener, as it is in its files now."""

    def __init__(self, config: TlsConfig, section: str, clock: Clock, counters: Counters) -> None:
        """Read the files.

        Args:
            config: names them; `is_on`.
            section: of the settings, for messages: collector.tls or dashboard.tls.
            clock: tells what has expired.
            counters: shows when the one in use expires.

        Raises:
            ConfigError: a file cannot be read, or is not what it should be.
            TransientError: a certificate has expired, or is not valid yet.
        """
        self._config = config
        self._section = section
        self._clock = clock
        self._counters = counters
        self._lock = threading.Lock()
        self._stamps_read = self._stamps()
        self._material = load(config, section, clock.now_ns())
        self._context = self._server_context()
        self._refused: Exception | None = None
        self._show_expiry()
        # Whoever asks has the files looked at: an idle listener has no handshake that would.
        counters.certificate_refused.labels(section).set_function(self._is_refused)

    @property
    def expires_ns(self) -> int:
        """Return when the certificate in use expires, or one that it or its clients stand on."""
        return self._material.expires_ns

    def refresh(self) -> bool:
        """Read the files again if they changed; return whether another certificate is used now."""
        stamps = self._stamps()
        with self._lock:
            # What is not valid yet becomes so in a file that stays as it is.
            is_other = stamps != self._stamps_read
            if not is_other and not isinstance(self._refused, TransientError):
                return False
            self._stamps_read = stamps
            try:
                material = load(self._config, self._section, self._clock.now_ns())
                self._context = self._server_context()
            except (ConfigError, TransientError, ssl.SSLError, OSError) as error:
                self._refused = error
                if is_other:
                    _LOG.warning("certificate_not_renewed", section=self._section, error=str(error))
                return False
            self._refused = None
            self._material = material
            self._show_expiry()
        _LOG.info("certificate_renewed", section=self._section)
        return True

    def http_context(self) -> ssl.SSLContext:
        """Return the context of a server that has one for all its life.

        At each handshake it hands over to the one that has the certificate of now.
        """
        context = self._server_context()

        def use_newest(
            connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, first: ssl.SSLContext
        ) -> None:
            self.refresh()
            connection.context = self._context

        context.sni_callback = use_newest
        return context

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Return credentials that gRPC asks for the certificate of now at each handshake."""
        used = self._material

        def changed() -> grpc.ServerCertificateConfiguration | None:
            nonlocal used
            self.refresh()
            newest = self._material
            if newest is used:
                return None
            used = newest
            return _grpc_configuration(newest)

        return grpc.dynamic_ssl_server_credentials(
            _grpc_configuration(used),
            changed,  # type: ignore[arg-type]  # None is "no change", which the stubs leave out
            self._config.client_ca_file is not None,
        )

    def _server_context(self) -> ssl.SSLContext:
        assert self._config.cert_file is not None, "made for a listener with TLS"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(_ALPN)
        context.load_cert_chain(self._config.cert_file, self._config.key_file)
        if self._config.client_ca_file is not None:
            context.load_verify_locations(self._config.client_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
            # A session would let a sender in again whose authority is trusted no more. Of TLS 1.3
            # it is a ticket; of 1.2 it is in a memory too, which `ssl` cannot turn off.
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.num_tickets = 0
        return context

    def _stamps(self) -> tuple[object, ...]:
        """Return what changes when a file or its mode is, or is replaced, also behind a link."""
        return tuple(map(_stamp, _files(self._config)))

    def _is_refused(self) -> float:
        self.refresh()
        return float(self._refused is not None)

    def _show_expiry(self) -> None:
        self._counters.certificate_expires.labels(self._section).set(
            self._material.expires_ns // NS_PER_S
        )


def load(config: TlsConfig, section: str, now_ns: int) -> Material:
    """Read and check the files of one listener.

    Raises:
        ConfigError: names the setting, the file and the remedy.
    """
    assert config.cert_file is not None, "asked for a listener with TLS"
    assert config.key_file is not None, "the settings have both or neither"
    certificate = _read(config.cert_file, f"{section}.cert_file")
    key = _read(config.key_file, f"{section}.key_file")
    chain = _certificates(certificate, config.cert_file, f"{section}.cert_file")
    ours = chain[0]
    _require_valid(ours, config.cert_file, f"{section}.cert_file", now_ns)
    _require_key(key, ours, config, section)
    mode = config.key_file.stat().st_mode
    require_secret_mode(config.key_file, mode, f"{section}.key_file", for_group=True)
    client_ca, authorities = None, []
    if config.client_ca_file is not None:
        name = f"{section}.client_ca_file"
        client_ca = _read(config.client_ca_file, name)
        authorities = _certificates(client_ca, config.client_ca_file, name)
        for authority in authorities:
            _require_valid(authority, config.client_ca_file, name, now_ns)
    ends = min(each.not_valid_after_utc for each in (*chain, *authorities))
    return Material(certificate, key, client_ca, _ns(ends))


def _require_valid(certificate: x509.Certificate, path: Path, key: str, now_ns: int) -> None:
    # Where the clock of a machine is wrong at its start, the next attempt finds it right.
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if _ns(ends) <= now_ns:
        raise TransientError(
            f"{key}: the certificate in {path} expired on {ends:%Y-%m-%d}; renew it, or correct "
            "this machine's clock"
        )
    if _ns(begins) > now_ns:
        raise TransientError(
            f"{key}: the certificate in {path} is not valid before {begins:%Y-%m-%d %H:%M} UTC; "
            "wait, or correct this machine's clock"
        )


def _require_key(
    key: bytes, certificate: x509.Certificate, config: TlsConfig, section: str
) -> None:
    name = f"{section}.key_file: {config.key_file}"
    try:
        private = load_pem_private_key(key, password=None)
    except TypeError as error:
        raise ConfigError(
            f"{name} needs a passphrase; take it off with `openssl pkey -in OLD -out NEW`, and "
            "keep the new file readable by the service alone"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{name} is not a private key in PEM; name the right file") from error
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*spki) != certificate.public_key().public_bytes(*spki):
        raise ConfigError(
            f"{name} is not the key of the certificate in {config.cert_file}; name the key that "
            "it was made with"
        )


def _certificates(pem: bytes, path: Path, key: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ConfigError(
            f"{key}: {path} holds no certificate in PEM; name the right file"
        ) from error


def _read(path: Path, key: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{key}: {path} cannot be read: {error.strerror}; correct the path, its owner or mode"
        ) from error


def _files(config: TlsConfig) -> list[Path]:
    return [f for f in (config.cert_file, config.key_file, config.client_ca_file) if f is not None]


def _stamp(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return None
    # Owner and mode may be what was wrong: they move `ctime`, whose clock ticks every few ms alone.
    mode = status.st_mode
    return (status.st_ctime_ns, status.st_mtime_ns, status.st_size, status.st_ino, mode)


def _ns(instant: datetime) -> int:
    """Return Unix nanoseconds; certificates know whole seconds."""
    return int(instant.timestamp()) * NS_PER_S


def _grpc_configuration(material: Material) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(material.key, material.certificate)], material.client_ca
    )
