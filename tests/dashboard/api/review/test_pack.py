from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from collector.core.errors import InputError
from collector.store.connect import Connections
from dashboard.api.provenance.verdict_files import new_key
from dashboard.api.review.pack import check_pack, pack_of, write_pack
from tests.support.dashboard.app import Api


@pytest.fixture
def files(store: Connections) -> dict[str, bytes]:
    """Return the pack of a quarter of an empty store."""
    answer = Api(store).send("GET", "/api/v1/review", params={"quarter": "2033Q2"})
    assert answer.status_code == 200, answer.text
    return pack_of(answer.json())


def test_pack_is_checked_file_by_file(files: dict[str, bytes], tmp_path: Path) -> None:
    """What was changed, added or removed is named; nothing else is read."""
    folder = tmp_path / "a" / "pack"
    sha256 = write_pack(folder, files, None)
    assert sha256 == hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert check_pack(folder, "", None) == (sha256, [])
    assert check_pack(folder, sha256[:10].upper(), None)[1] == []
    (folder / "review.md").write_bytes(files["review.md"] + b" ")
    (folder / "findings.json").unlink()
    assert check_pack(folder, "", None)[1] == [
        "findings.json: is missing", "review.md: was changed",
    ]  # fmt: skip


def test_manifest_that_is_written_again_is_known_by_its_hash(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    """Whoever changes a figure can write a manifest that fits; the printed hash then does not."""
    sha256 = write_pack(tmp_path, files, None)
    changed = {**files, "review.md": b"all is well\n"}
    manifest = json.loads(files["manifest.json"])
    manifest["sha256"]["review.md"] = hashlib.sha256(changed["review.md"]).hexdigest()
    changed["manifest.json"] = json.dumps(manifest).encode()
    for name, content in changed.items():
        (tmp_path / name).write_bytes(content)
    assert check_pack(tmp_path, "", None)[1] == []
    (line,) = check_pack(tmp_path, sha256, None)[1]
    assert line.endswith(f"not {sha256[:12]}: it was written again")


def test_signature_shows_who_wrote_it(files: dict[str, bytes], tmp_path: Path) -> None:
    """By the key that the reader has; the one beside the signature shows that nothing moved."""
    key, other = tmp_path / "cfo.pem", tmp_path / "other.pem"
    public, another = new_key(key), new_key(other)
    write_pack(tmp_path, files, key)
    assert check_pack(tmp_path, "", None)[1] == []
    assert check_pack(tmp_path, "", public)[1] == []
    assert check_pack(tmp_path, "", another)[1] == ["its signature is not by this key"]
    (tmp_path / "signature.json").write_text("{}")
    assert check_pack(tmp_path, "", public)[1] == ["signature.json: is not a signature"]
    (tmp_path / "signature.json").unlink()
    assert check_pack(tmp_path, "", public)[1] == ["it is not signed"]


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"sha256": 5}', "\xff", '{"sha256": ["a"]}'])
def test_what_is_no_manifest_is_refused(manifest: str, tmp_path: Path) -> None:
    """By its path."""
    (tmp_path / "manifest.json").write_bytes(manifest.encode("latin-1"))
    with pytest.raises(InputError, match="is not the manifest of a review"):
        check_pack(tmp_path, "", None)


def test_manifest_names_no_file_outside(files: dict[str, bytes], tmp_path: Path) -> None:
    """A path in it is nobody's file: it is told, and not read."""
    write_pack(tmp_path, files, None)
    manifest = json.loads(files["manifest.json"])
    manifest["sha256"]["../../etc/passwd"] = "0"
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert check_pack(tmp_path, "", None)[1] == ["../../etc/passwd: is not a file of a review"]


def test_other_pack_is_not_overwritten(files: dict[str, bytes], tmp_path: Path) -> None:
    """What was given to an auditor stays; the same pack again is the same."""
    write_pack(tmp_path, files, None)
    write_pack(tmp_path, files, None)
    with pytest.raises(InputError, match=r"holds another pack, .*; name another folder"):
        write_pack(tmp_path, {**files, "manifest.json": b"{}"}, None)
    with pytest.raises(InputError, match="name a folder to write to"):
        write_pack(tmp_path / "review.md", files, None)
