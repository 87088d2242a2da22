"""I/O: a pack: the files of a review in one folder, with the SHA-256 of each in its manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from collector.core.errors import InputError
from dashboard.api.provenance.verdict_files import (
    read_bytes,
    read_private_key,
    read_public_key,
    sign,
    signature_faults,
)
from dashboard.api.review.markdown import markdown

FORMAT = 1
REVIEW, FINDINGS, PAGE = "review.json", "findings.json", "review.md"
MANIFEST, SIGNATURE = "manifest.json", "signature.json"


def pack_of(answer: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of a pack by name, the manifest among them; the same of the same answer."""
    files = {
        REVIEW: _json(answer["review"]),
        FINDINGS: _json(answer["findings"]),
        PAGE: markdown(answer["review"], answer["findings"]).encode(),
    }
    manifest = {
        "format": FORMAT,
        "quarter": answer["review"]["quarter"],
        "sha256": {name: _sha256(content) for name, content in files.items()},
    }
    return {**files, MANIFEST: _json(manifest)}


def write_pack(folder: Path, files: Mapping[str, bytes], key: Path | None) -> str:
    """Write a pack, signed where there is a key; return the SHA-256 of its manifest.

    Raises:
        InputError: another pack is there, which is not overwritten, or a file cannot be written.
    """
    there = folder / MANIFEST
    if there.exists() and _read(there) != files[MANIFEST]:
        raise InputError(
            f"{folder}: holds another pack, {_sha256(_read(there))[:12]}; name another folder"
        )
    more = {}
    if key is not None:
        signature, public_key = sign(json.loads(files[MANIFEST]), read_private_key(key))
        more[SIGNATURE] = _json({"signature": signature, "public_key": public_key})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in {**files, **more}.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}; name a folder to write to") from error
    return _sha256(files[MANIFEST])


def check_pack(folder: Path, sha256: str, public_key: Path | None) -> tuple[str, list[str]]:
    """Return the SHA-256 of a pack's manifest, and what is wrong with the pack, a line each.

    Args:
        folder: of the pack.
        sha256: what that of the manifest shall begin with, as it was printed; "" is any.
        public_key: that the manifest has to be signed by.

    Raises:
        InputError: there is no pack.
    """
    content = _read(folder / MANIFEST)
    try:
        manifest = json.loads(content)
        named = {str(name): str(each) for name, each in manifest["sha256"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{folder / MANIFEST}: is not the manifest of a review; name the folder of one"
        ) from error
    own, wrong = _sha256(content), []
    if not own.startswith(sha256.lower()):
        wrong.append(f"{MANIFEST}: is {own[:12]}, not {sha256[:12]}: it was written again")
    files = (REVIEW, FINDINGS, PAGE)
    wrong += [f"{name}: is not in the manifest" for name in files if name not in named]
    for name, expected in sorted(named.items()):
        if name not in files:
            wrong.append(f"{name[:80]}: is not a file of a review")
        elif not (folder / name).is_file():
            wrong.append(f"{name}: is missing")
        elif _sha256(_read(folder / name)) != expected:
            wrong.append(f"{name}: was changed")
    return own, [*wrong, *_signature(folder, manifest, public_key)]


def _signature(folder: Path, manifest: dict[str, Any], public_key: Path | None) -> Sequence[str]:
    """Check against the key that is given, else against the one beside the signature."""
    path = folder / SIGNATURE
    if not path.exists():
        return [] if public_key is None else ["it is not signed"]
    try:
        sealed = json.loads(_read(path))
        signature, stated_key = sealed["signature"], sealed["public_key"]
    except (ValueError, KeyError, TypeError):
        return [f"{SIGNATURE}: is not a signature"]
    key = str(stated_key) if public_key is None else read_public_key(public_key)
    try:
        return signature_faults(manifest, signature, key)
    except InputError as error:
        return [f"{SIGNATURE}: {error}"]


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(path: Path) -> bytes:
    return read_bytes(path, "name the folder of a review")
