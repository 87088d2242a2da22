"""I/O: one TOML with every room's section; the only reader of settings files and environment.

A key is looked up in this order: the environment (`MILLWORTH__STORE__URL`), the file, the default.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import Field, ValidationError, model_validator

from alerts.config import AlertsConfig
from attribution.core.config import AttributionConfig, ChannelConfig
from collector.auth.tokens import AccessConfig
from collector.core.config import (
    Address,
    AttributesConfig,
    CollectorConfig,
    DecisionsConfig,
    OutcomesConfig,
    Section,
    StoreConfig,
    TlsConfig,
)
from collector.core.errors import ConfigError
from collector.core.http.address import authority
from collector.core.key_files import require_secret_mode
from collector.privacy.rules import EncryptionConfig, IdentifiersConfig, require_untouched
from collector.provenance.config import ProvenanceConfig
from collector.store.retention_policy import RetentionConfig
from dashboard.settings.config import DashboardConfig, require_ports_apart
from dashboard.settings.explain import ENV_PREFIX, explain
from packet.config import PacketConfig

DEFAULT_FILE = Path("millworth.toml")
# What lies beside a store of this name has no prefix; beside another it has the store's name.
USUAL_STORE = "store"
_SECRET_KEY: Final = re.compile(
    r"alerts\.webhooks\.\d+\.(?:previous_)?secret|(?:identifiers|encryption)\.keys|access\.token"
)
_PASSWORD: Final = re.compile(r"://[^/@\s:]*:[^/@\s]+@")  # in an address
_TOO_DEEP: Final = "{}: is nested too deep; no setting is: remove brackets, or dots in its keys"


class ReferenceConfig(Section):
    """The reference decision path, which `millworth demo` and the calibration canary run."""

    seed: int = Field(default=20261125, ge=0, description="Seed of the world and of the traffic")
    rate_per_s: float = Field(default=60.0, gt=0, le=1000, description="Decisions a second")
    redis_url: Address | None = Field(
        default=None,
        pattern=r"^(redis|rediss|valkey|unix)://.+",
        description="A Valkey or Redis, as redis://HOST:6379; by default an embedded one",
    )
    canary_every_s: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        description="Send decisions with known delays through a reference path of its own so "
        "often, and export how much of them attribution finds; 0 is never. Needs the extra demo, "
        "or redis_url",
    )


class Settings(Section):
    """Everything that millworth.toml can say."""

    store: StoreConfig = Field(default_factory=StoreConfig)
    collector: CollectorConfig = Field(default_factory=CollectorConfig)
    attributes: AttributesConfig = Field(default_factory=AttributesConfig)
    decisions: DecisionsConfig = Field(default_factory=DecisionsConfig)
    outcomes: OutcomesConfig = Field(default_factory=OutcomesConfig)
    channels: dict[str, ChannelConfig] = Field(
        default_factory=dict, description="Sections channels.NAME, one a decision.channel"
    )
    retention: RetentionConfig = Field(default_factory=RetentionConfig)
    identifiers: IdentifiersConfig = Field(default_factory=IdentifiersConfig)
    encryption: EncryptionConfig = Field(default_factory=EncryptionConfig)
    provenance: ProvenanceConfig = Field(default_factory=ProvenanceConfig)
    packet: PacketConfig = Field(default_factory=PacketConfig)
    attribution: AttributionConfig = Field(default_factory=AttributionConfig)
    alerts: AlertsConfig = Field(default_factory=AlertsConfig)
    dashboard: DashboardConfig = Field(default_factory=DashboardConfig)
    access: AccessConfig = Field(default_factory=AccessConfig)
    reference: ReferenceConfig = Field(default_factory=ReferenceConfig)

    @model_validator(mode="after")
    def _rules_leave_figures_alone(self) -> Settings:
        require_untouched(self.identifiers, self.attributes.map)
        return self

    @model_validator(mode="after")
    def _attribution_reads_outcomes(self) -> Settings:
        # The model is frozen, and this is still its making.
        self.__dict__["attribution"] = self.attribution.reading(self.outcomes, self.channels)
        return self

    @model_validator(mode="after")
    def _sections_agree(self) -> Settings:
        self.attribution.require_kept(self.retention.decisions_days)
        require_ports_apart(self.collector, self.dashboard)
        for key, place in (
            ("collector.wal_dir", self.wal_dir), ("alerts.state_path", self.alerts_path),
        ):  # fmt: skip
            store = self.store.embedded_path
            if store is not None and (place == store or store in place.parents):
                raise ValueError(
                    f"{key} is {place}, within the store at {store}, whose files are the engine's "
                    "alone; name a place beside it"
                )
        return self

    @property
    def data_dir(self) -> Path:
        """Return the directory of everything that is not in the store: the log, alert state."""
        path = self.store.embedded_path
        return path.parent if path is not None else Path("/var/lib/millworth")

    @property
    def wal_dir(self) -> Path:
        """Return the directory of the write-ahead log."""
        return self.collector.wal_dir or self._beside_the_store("wal")

    @property
    def alerts_path(self) -> Path:
        """Return the file that holds the state of alerts."""
        return self.alerts.state_path or self._beside_the_store("alerts.sqlite")

    def _beside_the_store(self, name: str) -> Path:
        """Return a path beside the store that no other store in the same directory has."""
        path = self.store.embedded_path
        is_usual = path is None or path.name == USUAL_STORE
        return self.data_dir / (name if is_usual or path is None else f"{path.name}-{name}")

    @property
    def dashboard_url(self) -> str:
        """Return the address of the pages, "" where the port is not known before the start."""
        d, scheme = self.dashboard, "https" if self.dashboard.tls.is_on else "http"
        return d.public_url or (f"{scheme}://{authority(d.host, d.port)}" if d.port else "")

    @property
    def listeners(self) -> tuple[tuple[str, str, str, TlsConfig], ...]:
        """Return each listener: its name, the key of its address, the address and its TLS."""
        return (
            ("OTLP/gRPC", "collector.host", self.collector.host, self.collector.tls),
            ("OTLP/HTTP", "collector.host", self.collector.host, self.collector.tls),
            ("the dashboard", "dashboard.host", self.dashboard.host, self.dashboard.tls),
        )

    def require_secrets(self) -> None:
        """Raise ConfigError where a webhook or a token lacks its secret, or a door is open.

        Only what serves needs them: a query shall run in a shell that knows no secrets.
        """
        # Imported by what serves alone: they take longer than most commands.
        from collector.auth.gate import require_doors
        from collector.privacy.guard import check_keys
        from collector.provenance.keyring_file import read_ring

        check_keys(self.identifiers, self.encryption)
        if self.provenance.keys_path is not None:
            read_ring(self.provenance.keys_path)
        require_doors(self.access, self.listeners)
        for place, webhook in enumerate(self.alerts.webhooks):
            if not webhook.secret.get_secret_value():
                raise ConfigError(
                    f"alerts.webhooks.{place}.secret: webhook {webhook.name} has none; set "
                    f"{ENV_PREFIX}ALERTS__WEBHOOKS__{place}__SECRET to whsec_ and base64 of 24 to "
                    "64 random bytes"
                )

    def require_certificates(self, now_ns: int) -> dict[str, int]:
        """Return when the certificates of each section with TLS expire, Unix ns.

        Raises:
            ConfigError: a certificate or its key cannot be used.
            TransientError: one cannot be used at this instant.
        """
        from collector.auth.tls import load as load_certificate

        return {
            section: load_certificate(tls, section, now_ns).expires_ns
            for tls, section in (
                (self.collector.tls, "collector.tls"),
                (self.dashboard.tls, "dashboard.tls"),
            )
            if tls.is_on
        }


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each key that is not a default came from (`store.url` -> `env`)."""

    settings: Settings
    origins: dict[str, str]
    file: Path | None = None  # where one was read


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """How systemd wants to hear from us; see sd_notify(3) and sd_watchdog_enabled(3)."""

    notify_socket: str  # empty where nobody listens
    watchdog_seconds: float | None  # None where nobody waits


def service_manager(environment: Mapping[str, str] | None = None) -> ServiceManager:
    """Return what the environment says of the service manager."""
    variables = os.environ if environment is None else environment
    limit = variables.get("WATCHDOG_USEC", "")
    is_for_us = variables.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return ServiceManager(
        notify_socket=variables.get("NOTIFY_SOCKET", ""),
        watchdog_seconds=int(limit) / 1e6
        if limit.isascii() and limit.isdigit() and is_for_us
        else None,
    )


def load(
    path: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """Read the settings.

    Args:
        path: the file; None reads `millworth.toml` here where there is one.
        overrides: values that beat file and environment, nested as the file is.
        environment: by default the process's own.

    Raises:
        ConfigError: one line that names the file or variable, the key and the remedy.
    """
    named = path or DEFAULT_FILE
    origins: dict[str, str] = {}
    file = named if path is not None or named.exists() else None
    tree = {} if file is None else _read_file(file)
    _note(origins, tree, str(named))
    _merge_environment(tree, os.environ if environment is None else environment, origins)
    if overrides:
        _merge(tree, overrides)
        _note(origins, overrides, "command")
    try:
        return Loaded(Settings.model_validate(tree), origins, file)
    except ValidationError as error:
        raise ConfigError(explain(error, Settings, str(named), origins)) from error


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8") as opened:
            mode, text = os.fstat(opened.fileno()).st_mode, opened.read()
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: there is no such file; name one with --config, or write one with "
            "`millworth config print --example > millworth.toml`"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text; save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}; correct its owner or mode, or name "
            "another file with --config"
        ) from error
    try:
        tree = tomllib.loads(text.removeprefix("\ufeff"))
        secrets = list(_secrets(tree, ""))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}; correct that line") from error
    except RecursionError as error:
        raise ConfigError(_TOO_DEEP.format(path)) from error
    for key in secrets:
        require_secret_mode(path, mode, f"{key} is a secret")
    return tree


def _secrets(tree: object, place: str) -> Iterator[str]:
    """Yield the keys under which a file holds secrets."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _secrets(value, f"{place}.{key}" if place else key)
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from _secrets(value, f"{place}.{number}")
    elif isinstance(tree, str) and (
        (tree and _SECRET_KEY.fullmatch(place)) or _PASSWORD.search(tree)
    ):
        yield place


def _merge_environment(
    tree: dict[str, Any], environment: Mapping[str, str], origins: dict[str, str]
) -> None:
    for name in sorted(environment):
        if not name.startswith(ENV_PREFIX):
            _require_prefix(name)
            continue
        keys = [key.lower() for key in name.removeprefix(ENV_PREFIX).split("__")]
        try:
            value = _env_value(environment[name])
        except RecursionError as error:
            raise ConfigError(_TOO_DEEP.format(name)) from error
        _set(tree, keys, value, name)
        origins[".".join(keys)] = name


def _require_prefix(name: str) -> None:
    """Refuse a variable that names a section and would be left out for one underscore."""
    section = name.removeprefix("MILLWORTH_").lower().partition("__")[0]
    if name.startswith("MILLWORTH_") and "__" in name and section in Settings.model_fields:
        meant = ENV_PREFIX + name.removeprefix("MILLWORTH_")
        raise ConfigError(f"{name}: two underscores stand before a section; name it {meant}")


def _env_value(text: str) -> object:
    """Read a variable: JSON where it is JSON (numbers, booleans, lists), else the text itself."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _set(tree: dict[str, Any], keys: list[str], value: object, name: str) -> None:
    """Put a value at a path; a number in the path is an index of a list that is there."""
    here: Any = tree
    for key in keys[:-1]:
        if isinstance(here, list):
            index = int(key) if key.isascii() and key.isdigit() else -1
            if not 0 <= index < len(here):
                raise ConfigError(f"{name}: there is no entry {key}; the file has {len(here)}")
            here = here[index]
        elif key.isascii() and key.isdigit() and key not in here:
            raise ConfigError(
                f"{name}: the settings have no list with an entry {key} there; add the entry to "
                "the file, or name the file with --config"
            )
        else:
            here = here.setdefault(key, {})
        if not isinstance(here, dict | list):
            raise ConfigError(f"{name}: {key} is a value, not a section; remove what follows it")
    if isinstance(here, list):
        raise ConfigError(f"{name}: names an entry of a list; add the key inside it")
    here[keys[-1]] = value


def _merge(tree: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(tree.get(key), dict):
            _merge(tree[key], value)
        else:
            tree[key] = value


def _note(origins: dict[str, str], tree: Mapping[str, Any], origin: str, prefix: str = "") -> None:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            _note(origins, value, origin, f"{prefix}{key}.")
        else:
            origins[f"{prefix}{key}"] = origin
