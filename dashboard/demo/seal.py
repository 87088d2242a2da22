"""I/O: the keys of one demo: the path seals with them, and the service verifies with them."""

from __future__ import annotations

import secrets
from pathlib import Path

from collector.provenance.keyring import public_of

_MAC_KID = "demo-chain"
_SIGN_KID = "demo-audit"


def make_keys(directory: Path) -> tuple[Path, dict[str, str]]:
    """Write a new key ring, and return its path and the keys of the producer.

    The ring has the secret of the chain, as every verifier needs it, and no half that signs.
    """
    mac, private = secrets.token_bytes(32), secrets.token_bytes(32)
    path = directory / "keys.toml"
    path.touch(mode=0o600)
    path.write_text(
        f'[[mac]]\nkid = "{_MAC_KID}"\nsecret = "{mac.hex()}"\n\n'
        f'[[checkpoint]]\nkid = "{_SIGN_KID}"\npublic = "{public_of(private).hex()}"\n'
    )
    producer = {
        "mac_kid": _MAC_KID,
        "mac_secret": mac.hex(),
        "sign_kid": _SIGN_KID,
        "sign_private": private.hex(),
    }
    return path, producer
