"""I/O: what guards personal data in one service: its rules, its cipher, and the keys of both.

The rules need a key to make tokens with. Where none is configured, a random one is made at the
first start and kept beside the log, readable by its owner alone. Nothing is encrypted without a
configured key: one that lay beside what it encrypts would protect nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from collector.core.config import AttributesConfig
from collector.core.errors import ConfigError, DecodeError
from collector.core.key_files import Key, made_keys_file, parse_keys, read_keys_file
from collector.core.log import get_logger
from collector.core.times import NS_PER_DAY
from collector.otlp.check import Signal
from collector.privacy.encryption import (
    HEAD_BYTES_MAX,
    MAGIC,
    Cipher,
    log_place,
    plain_segment,
    rejected_place,
)
from collector.privacy.known_keys import KIDS_FILE, check_known, missing, note_known
from collector.privacy.memory_files import MemoryFiles
from collector.privacy.pseudonyms import Tokeniser
from collector.privacy.redact import Changes, Identifiers
from collector.privacy.rules import JOINED, KEYS_FILE, EncryptionConfig, IdentifiersConfig
from collector.store.connect import Connections
from collector.wal.frames import HEAD_BYTES_MAX as FRAME_BYTES
from collector.wal.frames import TRAILER_BYTES, Frame, request_start

_LOG = get_logger("collector")
KEPT_NS = 31 * NS_PER_DAY  # the TTL of the tables, and a day for the parts that wait for it
# Of a file of keys, for messages.
KEY_PURPOSE = "the key of [identifiers]"
_TABLES_THERE = """
SELECT name FROM system.tables
WHERE database = currentDatabase() AND name IN {names:Array(String)}
"""
_TOKEN_TABLES = ("otel_traces", "otel_logs", "decisions", "outcomes")


class Protection:
    """Rules and cipher; usable after `open`.

    Args:
        identifiers: what becomes of personal data.
        encryption: under which keys the log and `rejected` are.
        attributes: a customer's own names of those that rows are joined by.
        keep: names that no shipped rule shall touch.
        directory: of the log, for a command: the keys are read where it first needs them, since
            most commands run in a shell that knows no secrets.
        store: what is there already holds tokens, which another key would leave alone. Without it
            a command makes no key.
    """

    def __init__(
        self,
        identifiers: IdentifiersConfig | None = None,
        encryption: EncryptionConfig | None = None,
        attributes: AttributesConfig | None = None,
        keep: Iterable[str] = (),
        directory: Path | None = None,
        store: Connections | None = None,
    ) -> None:
        self._config = identifiers or IdentifiersConfig()
        self._encryption = encryption or EncryptionConfig()
        names = attributes or AttributesConfig()
        self._joined = {ours: names.name(ours) for ours in JOINED}
        self._names = names.map
        self._keep = tuple(keep)
        self._directory = directory
        self._is_late = directory is not None
        self._store = store
        self._identifiers: Identifiers | None = None
        self._cipher = Cipher()
        self._memory: MemoryFiles | None = None

    def open(self, directory: Path) -> None:
        """Read the keys.

        Args:
            directory: of the log; a key that is made lies there.

        Raises:
            ConfigError: keys are wrong, cannot be read, or do not open what the log holds; or the
                key that made the tokens of the store is gone, or has become another.
        """
        cipher = self._checked_cipher(directory)
        tokens = _configured(self._config, "identifiers") if self._config.enabled else ()
        if not tokens and self._config.enabled:
            self._require_key_or_nothing_stored(directory / KEYS_FILE)
            if not (directory / KEYS_FILE).exists():
                (directory / KIDS_FILE).unlink(missing_ok=True)  # nothing has their tokens
            tokens = made_keys_file(directory / KEYS_FILE, KEY_PURPOSE)
        check_known(directory, tokens)
        if not self._is_late:
            if tokens and (without := missing(directory, tokens)):
                _LOG.warning(
                    "identifiers_key_missing",
                    ids=without,
                    remedy="nothing that comes has the tokens that these keys made: put them at "
                    "the end of identifiers.keys; where nothing of theirs is stored any more, take "
                    f"their lines out of {directory / KIDS_FILE}",
                )
            note_known(directory, tokens)
        self._directory = None
        if cipher.is_on:
            self._memory = MemoryFiles()
        self._cipher = cipher
        if tokens:
            tokeniser = Tokeniser(tokens, self._config.rotation_days)
            self._identifiers = Identifiers(
                self._config, tokeniser, self._joined, self._keep, self._names
            )

    def _require_key_or_nothing_stored(self, path: Path) -> None:
        if path.exists():
            return
        may_be_made = not self._is_late if self._store is None else not _has_rows(self._store)
        if not may_be_made:
            raise ConfigError(
                f"{KEY_PURPOSE}: {path} is not there, and with another one nothing that "
                "comes has the tokens of what is stored; put it back from a backup, name your "
                "keys in identifiers.keys or keys_path, or, where it is lost for good or nothing "
                f'is stored yet, make one: (umask 077; echo "b1:$(openssl rand -hex 32)" > {path})'
            )

    def describe(self, directory: Path) -> str:
        """Return in words what is in force, and change nothing.

        Raises:
            ConfigError: as `open`.
        """
        is_encrypted = self._checked_cipher(directory).is_on
        path = directory / KEYS_FILE
        place = f"{path}" if path.exists() else f"{path}, which is not there yet"
        configured = _configured(self._config, "identifiers")
        if self._config.enabled and not configured:
            self._require_key_or_nothing_stored(path)
        is_made = self._config.enabled and not configured and path.exists()
        check_known(directory, read_keys_file(path, KEY_PURPOSE) if is_made else configured)
        keys = "your keys" if configured else place
        if configured and (without := missing(directory, configured)):
            keys += f", WITHOUT {', '.join(without)}, which made tokens before"
        rules = "the shipped rules" if self._config.defaults else "no shipped rule"
        text = f"replaced by {rules} and {len(self._config.rules)} of yours, tokens by {keys}"
        log = "the log is encrypted" if is_encrypted else "the log is not encrypted"
        return f"{text if self._config.enabled else 'not replaced'}; {log}"

    def _checked_cipher(self, directory: Path) -> Cipher:
        """Return the cipher of the configured keys, which open what the log holds."""
        cipher = Cipher(_configured(self._encryption, "encryption"))
        for path in sorted(directory.glob("*.segment")):
            with path.open("rb") as segment:
                head = segment.read(FRAME_BYTES + HEAD_BYTES_MAX)
            cipher.check(head[request_start(head) :], f"collector.wal_dir: {path} is")
        return cipher

    def close(self) -> None:
        """Give back what `open` took; nothing is replaced or decrypted after this."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def rewrite(
        self,
        signal: Signal,
        body: bytes,
        now_ns: int,
        changes: Changes | None = None,
    ) -> bytes:
        """Return a request as it may be logged; the same object where no rule applies."""
        rules = self._rules()
        return body if rules is None else rules.rewrite(signal, body, now_ns, changes)

    def has_rule(self, name: str) -> bool:
        """Return whether anything becomes of an attribute by its name."""
        rules = self._rules()
        return rules is not None and rules.has_rule(name)

    def may_hold_pattern(self, body: bytes) -> bool:
        """Return whether a pattern may be in a request; false only where none is."""
        rules = self._rules()
        return rules is not None and rules.may_hold_pattern(body)

    def holds_pattern(self, texts: Iterable[tuple[str, bool]]) -> bool:
        """Return whether a pattern is in a text; with each, whether it is a URL's query alone."""
        rules = self._rules()
        return rules is not None and rules.holds_pattern(texts)

    def replace(self, name: str, value: str, now_ns: int) -> str:
        """Return what stands for the text of one attribute, "" where it is dropped."""
        rules = self._rules()
        return value if rules is None else rules.replace(name, value, now_ns)

    def tokens(self, value: str, now_ns: int) -> list[str]:
        """Return every token that a value may have in rows that are still stored."""
        rules = self._rules()
        return [] if rules is None else rules.tokens(value, now_ns - KEPT_NS, now_ns)

    def seal(self, signal: Signal, request: bytes) -> bytes:
        """Return a request as it goes to the log."""
        return self._cipher.seal(request, log_place(signal))

    def plain_segment(self, signal: Signal, segment: bytes) -> tuple[bytes, tuple[Frame, ...], int]:
        """Return a segment as the store reads it, its frames, and how many bytes are torn off."""
        return plain_segment(segment, self._cipher, log_place(signal))

    def seal_rejected(self, item_id: str, content: bytes) -> bytes:
        """Return bytes as they are kept in `rejected`."""
        return self._cipher.seal(content, rejected_place(item_id))

    def open_rejected(self, item_id: str, content: bytes) -> bytes:
        """Return bytes that were kept in `rejected` as they were.

        Raises:
            ConfigError: they are encrypted under a key that is not there.
            DecodeError: they were changed.
        """
        self._open_late()
        return self._cipher.open(content, rejected_place(item_id))

    def open_frame(self, signal: Signal, item_id: str, content: bytes) -> bytes:
        """Return the request in a frame that was taken for damaged because its key was missing.

        Raises:
            ConfigError: it still is.
            DecodeError: the frame is damaged, and nobody can say what of it.
        """
        try:
            frame = self.open_rejected(item_id, content)
        except DecodeError:
            frame = content  # kept while there was no key at all: as it lay in the log
        if not frame.startswith(MAGIC):
            raise DecodeError("its bytes were changed on the disk, and nobody can say which")
        return self._cipher.open(frame[:-TRAILER_BYTES], log_place(signal))

    def _rules(self) -> Identifiers | None:
        if not self._config.enabled:
            return None
        self._open_late()
        assert self._identifiers is not None, "open comes first"
        return self._identifiers

    def _open_late(self) -> None:
        if self._directory is not None:
            self._directory.mkdir(parents=True, exist_ok=True)
            self.open(self._directory)


def check_keys(identifiers: IdentifiersConfig, encryption: EncryptionConfig) -> None:
    """Raise ConfigError where a key that is given is none, or cannot be read."""
    _configured(identifiers, "identifiers")
    _configured(encryption, "encryption")


def _has_rows(store: Connections) -> bool:
    """Return whether anything is stored that may hold a token."""
    client = store.client()
    answer = client.query(_TABLES_THERE, parameters={"names": list(_TOKEN_TABLES)})
    tables = [row[0] for row in answer.result_rows]  # none in a store without schema
    query = " UNION ALL ".join(f"(SELECT 1 FROM {table} LIMIT 1)" for table in tables)  # noqa: S608 - names of ours
    return bool(tables) and bool(client.query(query).result_rows)


def _configured(config: IdentifiersConfig | EncryptionConfig, section: str) -> tuple[Key, ...]:
    secret = config.keys.get_secret_value() if config.keys is not None else ""
    if secret and config.keys_path is not None:
        raise ConfigError(f"{section}: both keys and keys_path are given; give one")
    if secret:
        return parse_keys(secret, f"{section}.keys")
    if config.keys_path is not None:
        return read_keys_file(config.keys_path, f"{section}.keys_path")
    return ()
