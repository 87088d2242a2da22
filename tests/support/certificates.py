"""Certificates for tests: an authority, and what it signs, written as PEM."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

# Good now and at the tests' own time, 2033.
BEGINS = datetime(2020, 1, 1, tzinfo=UTC)
ENDS = datetime(2045, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Files:
    """A certificate and its key."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates; `ca` is its own."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.ca = directory / f"{name}.pem"
        own = self._sign(self._name, self._key.public_key(), BEGINS, ENDS, is_ca=True)
        self.ca.write_bytes(own.public_bytes(Encoding.PEM))

    def issue(
        self,
        name: str,
        *,
        begins: datetime = BEGINS,
        ends: datetime = ENDS,
        passphrase: bytes | None = None,
    ) -> Files:
        """Write a certificate for 127.0.0.1 and localhost, and its key; over one of that name."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(_name(name), key.public_key(), begins, ends, is_ca=False)
        files = Files(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        files.key.touch(mode=0o600)
        files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
        files.cert.write_bytes(certificate.public_bytes(Encoding.PEM))
        return files

    def _sign(
        self,
        subject: x509.Name,
        public_key: ec.EllipticCurvePublicKey,
        begins: datetime,
        ends: datetime,
        *,
        is_ca: bool,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        if is_ca:
            # Python takes no authority without it from 3.13 on.
            builder = builder.add_extension(
                x509.KeyUsage(
                    digital_signature=False, content_commitment=False, key_encipherment=False,
                    data_encipherment=False, key_agreement=False, key_cert_sign=True,
                    crl_sign=True, encipher_only=False, decipher_only=False,
                ),
                critical=True,
            )  # fmt: skip
        else:
            names = [
                x509.DNSName("localhost"),
                x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            ]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
