"""A producer and a verifier of sealed events, written from docs/reference/provenance.md alone.

Nothing of ours is imported: that two implementations agree is what shows that the page suffices.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SPAN_FIELDS = ("trace_id", "span_id", "start_ns", "end_ns", "status")
ATTRIBUTES = (
    "decision.schema", "decision.action", "decision.channel", "decision.region", "decision.cohort",
    "decision.offer_type", "decision.campaign", "decision.route", "decision.vendor",
    "decision.mode", "decision.value_usd", "decision.experiment", "decision.arm", "decision.unit",
    "decision.injected_delay_ns", "decision.ts.ingress", "decision.ts.transform",
    "decision.ts.decision", "decision.ts.egress",
)  # fmt: skip


def text_of(value: object) -> str:
    """Return a value of the wire as the text that is sealed."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _double(value)
    assert isinstance(value, str)
    return value


def _double(value: float) -> str:
    if math.isnan(value):
        return "json: unsupported value: NaN"
    if math.isinf(value):
        return "json: unsupported value: " + ("+Inf" if value > 0 else "-Inf")
    sign = "-" if math.copysign(1, value) < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if not digits:
        return sign + "0"
    if 1e-6 <= abs(value) < 1e21:
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}"
        if point >= len(digits):
            return sign + digits + "0" * (point - len(digits))
        return f"{sign}{digits[:point]}.{digits[point:]}"
    rest = f".{digits[1:]}" if digits[1:] else ""
    return f"{sign}{digits[0]}{rest}e{point - 1:+d}"


def netstrings(texts: Iterable[str]) -> bytes:
    """Return the netstrings of some texts, one behind the other."""
    return b"".join(b"%d:%s," % (len(text.encode()), text.encode()) for text in texts)


Chain = dict[int, tuple[str, str, bytes]]  # predecessor, tag and leaf by number


@dataclass
class Producer:
    """Seals events of one start of one producer."""

    secret: bytes
    kid: str
    producer: str
    epoch: str
    private: bytes
    sign_kid: str
    seq: int = 0
    prev: str = "0" * 32
    leaves: list[bytes] = field(default_factory=list)
    first_seq: int = 0
    prev_root: str = "0" * 64

    def seal(self, span: Mapping[str, str], attributes: Mapping[str, object]) -> dict[str, str]:
        """Return the six attributes of the seal."""
        fields = [span[name] for name in SPAN_FIELDS]
        fields += [text_of(attributes.get(name)) for name in ATTRIBUTES]
        form = _form(self.kid, self.producer, self.epoch, self.seq, self.prev, fields)
        tag = hmac.new(self.secret, form, hashlib.sha256).digest()[:16].hex()
        sealed = {
            "provenance.kid": self.kid,
            "provenance.producer": self.producer,
            "provenance.epoch": self.epoch,
            "provenance.seq": str(self.seq),
            "provenance.prev": self.prev,
            "provenance.tag": tag,
        }
        self.leaves.append(_leaf(form, tag))
        self.seq, self.prev = self.seq + 1, tag
        return sealed

    def checkpoint(self, *, closing: bool = False) -> dict[str, str]:
        """Return the attributes of a checkpoint over what was sealed since the last one."""
        root = _root(self.leaves).hex()
        last_seq = self.first_seq + len(self.leaves) - 1
        said = {
            "provenance.kid": self.sign_kid,
            "provenance.producer": self.producer,
            "provenance.epoch": self.epoch,
            "provenance.first_seq": str(self.first_seq),
            "provenance.last_seq": str(last_seq),
            "provenance.prev_root": self.prev_root,
            "provenance.root": root,
            "provenance.closing": "true" if closing else "false",
        }
        key = Ed25519PrivateKey.from_private_bytes(self.private)
        said["provenance.signature"] = key.sign(_statement(said)).hex()
        self.first_seq, self.prev_root, self.leaves = last_seq + 1, root, []
        return said


def verify(
    lines: Iterable[str], secrets: Mapping[str, bytes], publics: Mapping[str, bytes]
) -> list[str]:
    """Return what is wrong with an export of whole chains; nothing where all holds."""
    wrong: list[str] = []
    chains: dict[tuple[str, str], Chain] = {}
    checkpoints: list[dict[str, str]] = []
    for line in lines:
        said = json.loads(line)
        if "checkpoint" in said:
            checkpoints.append(said["checkpoint"])
            continue
        event = said["event"]
        kid, producer, epoch = (
            event[f"provenance.{name}"] for name in ("kid", "producer", "epoch")
        )
        seq, prev, tag = (
            int(event["provenance.seq"]),
            event["provenance.prev"],
            event["provenance.tag"],
        )
        fields = [event.get(name, "") for name in (*SPAN_FIELDS, *ATTRIBUTES)]
        form = _form(kid, producer, epoch, seq, prev, fields)
        if hmac.new(secrets[kid], form, hashlib.sha256).digest()[:16].hex() != tag:
            wrong.append(f"{producer} {epoch} {seq}: its seal does not hold")
        chain = chains.setdefault((producer, epoch), {})
        if seq in chain:
            wrong.append(f"{producer} {epoch} {seq}: it is there twice")
        chain[seq] = prev, tag, _leaf(form, tag)
    for where, chain in chains.items():
        wrong += _broken_links(where, chain)
    return wrong + _wrong_checkpoints(checkpoints, chains, publics)


def _broken_links(where: tuple[str, str], chain: Chain) -> list[str]:
    before = "0" * 32
    for number in range(max(chain) + 1):
        if number not in chain:
            return [f"{where} {number}: it is not here"]
        if chain[number][0] != before:
            return [f"{where} {number}: it does not follow"]
        before = chain[number][1]
    return []


def _wrong_checkpoints(
    checkpoints: list[dict[str, str]],
    chains: Mapping[tuple[str, str], Chain],
    publics: Mapping[str, bytes],
) -> list[str]:
    wrong: list[str] = []
    roots: dict[tuple[str, str], str] = {}
    for said in sorted(checkpoints, key=lambda each: int(each["provenance.first_seq"])):
        where = said["provenance.producer"], said["provenance.epoch"]
        numbers = range(int(said["provenance.first_seq"]), int(said["provenance.last_seq"]) + 1)
        public = Ed25519PublicKey.from_public_bytes(publics[said["provenance.kid"]])
        try:
            public.verify(bytes.fromhex(said["provenance.signature"]), _statement(said))
        except InvalidSignature:
            wrong.append(f"{where}: a signature does not hold")
        leaves = [chains[where][number][2] for number in numbers if number in chains[where]]
        if _root(leaves).hex() != said["provenance.root"]:
            wrong.append(f"{where}: a root is of other events")
        if said["provenance.prev_root"] != roots.get(where, "0" * 64):
            wrong.append(f"{where}: a checkpoint does not follow")
        roots[where] = said["provenance.root"]
    return wrong


def _form(kid: str, producer: str, epoch: str, seq: int, prev: str, fields: Sequence[str]) -> bytes:
    return netstrings(["millworth.provenance.v1", kid, producer, epoch, str(seq), prev, *fields])


def _leaf(form: bytes, tag: str) -> bytes:
    return hashlib.sha256(b"\0" + form + tag.encode()).digest()


def _root(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\1" + _root(leaves[:split]) + _root(leaves[split:])).digest()


def _statement(said: Mapping[str, str]) -> bytes:
    names = ("kid", "producer", "epoch", "first_seq", "last_seq", "prev_root", "root")
    closing = "closing" if said["provenance.closing"] == "true" else ""
    texts = [said[f"provenance.{name}"] for name in names]
    return netstrings(["millworth.provenance.checkpoint.v1", *texts, closing])
