"""Pure: the settings of the store, the collector, and how a customer's names map to ours."""

from __future__ import annotations

import difflib
import math
import re
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from collector.core.errors import ConfigError
from collector.core.event_schema import MAPPED

# What the outcomes that are sent are complete in.
Complete = Literal["sales", "all"]
# How long after a decision what it earned still counts.
HorizonDays = Literal[30, 90, 365]
# A path of the settings, below the directory in which the command was given where it is relative:
# the service leaves that one for the store's.
LocalPath = Annotated[Path, AfterValidator(Path.absolute)]


def _address(url: str) -> str:
    """Return an address as it is; raise ValueError where nothing can have its host or port.

    The text shows no part of it: of a password with a slash the parser takes a part for the port.
    """
    scheme = url.partition("://")[0]
    if scheme not in {"http", "https", "redis", "rediss", "valkey"}:
        return url
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = "", None
    # Without one, Redis is on this machine.
    has_host = not re.search(r"\s", host) if host else scheme in {"redis", "rediss", "valkey"}
    if host == "" or not has_host or port == 0:
        raise ValueError(
            f"no address: write {scheme}://HOST:PORT, with a port of 1 to 65535, an IPv6 address "
            "in brackets, and / ? # @ and : of a user or a password as %2F %3F %23 %40 and %3A"
        )
    return url


# An address of the settings; one that nothing can have would end a start in a stack of Python.
Address = Annotated[str, AfterValidator(_address)]


class Section(BaseModel):
    """One section of millworth.toml: frozen, and a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_number_is_true(cls, value: object, info: ValidationInfo) -> object:
        # It would be 1.
        kind = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and {kind, *get_args(kind)} & {int, float}:
            raise ValueError("a number is expected, not true or false")
        return value


class StoreConfig(Section):
    """Where ClickHouse is: in this process over one directory, or a server."""

    url: Address = Field(
        default="chdb:///var/lib/millworth/store",
        pattern=r"^(chdb:///|https?://).+",
        description="chdb:///PATH for the embedded engine, or http(s)://user:password@host:port",
    )
    query_url: Address = Field(
        default="",
        pattern=r"^(https?://.+)?$",
        description="The same server, as http(s)://user:password@host:port, with the user for SQL "
        "from outside, who may SELECT from the database and nothing else; by default that of url",
    )
    database: str = Field(
        default="millworth",
        pattern=r"^[a-z_][a-z0-9_]*$",
        description="Database of every table: a to z, 0 to 9 and _",
    )
    cluster: str = Field(
        default="",
        pattern=r"^([A-Za-z_][A-Za-z0-9_.-]*)?$",
        description="Cluster of the server (system.clusters) whose shards hold the tables: "
        "letters, digits, _, . and -; empty for one machine",
    )
    timeout_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Time that a server may take to answer before the call is made again",
    )
    memory_max_mib: int = Field(
        default=4096,
        gt=255,
        description="Memory that the embedded engine may take, and at most half of what the "
        "machine or the cgroup has, below 2 GiB less",
    )
    query_seconds_max: float = Field(
        default=20.0, gt=0, description="Time that one read may take before it is stopped"
    )
    query_rows_max: int = Field(
        default=10_000, gt=0, description="Rows that one query from outside may return"
    )
    query_memory_max_mib: int = Field(
        default=1024,
        gt=0,
        description="Memory that one read may take, and of the embedded engine's at most half, "
        "from outside a quarter",
    )

    @property
    def embedded_path(self) -> Path | None:
        """Return the directory of the embedded engine, None for a server."""
        prefix = "chdb://"
        return Path(self.url.removeprefix(prefix)) if self.url.startswith(prefix) else None

    @property
    def place(self) -> str:
        """Return where the store is, as it may be shown: without user and password."""
        path = self.embedded_path
        if path is not None:
            return str(path)
        return re.sub(r"//[^/]*@", "//", self.url).partition("?")[0]

    @model_validator(mode="after")
    def _path_is_the_engines(self) -> StoreConfig:
        # It ends a path there: the tables of two stores would be in one directory, and the log and
        # the keys in others.
        path = self.embedded_path
        if path is not None and set("?#") & set(str(path)):
            raise ValueError(
                f"store.url is {self.url!r}, and the engine takes what is behind ? or # for "
                "options; name a directory without them"
            )
        return self

    @model_validator(mode="after")
    def _database_is_ours(self) -> StoreConfig:
        taken = {"system", "information_schema"}
        if self.database in taken | ({"default"} if self.embedded_path is not None else set()):
            raise ValueError(
                f"store.database is {self.database!r}, which ClickHouse has for itself; name "
                "another, such as millworth"
            )
        return self

    @model_validator(mode="after")
    def _cluster_has_a_server(self) -> StoreConfig:
        if self.cluster and self.embedded_path is not None:
            raise ValueError(
                f"store.cluster is {self.cluster!r} and store.url is embedded; "
                "name the server in store.url, or leave store.cluster empty"
            )
        if self.query_url and self.embedded_path is not None:
            raise ValueError(
                "store.query_url names a server and store.url is embedded; leave store.query_url "
                "empty: the embedded engine has no rights on anything but its tables"
            )
        return self


class TlsConfig(Section):
    """The certificate of a listener. Its files are read again when they change."""

    cert_file: LocalPath | None = Field(
        default=None, description="Certificate in PEM, its chain after it; by default no TLS"
    )
    key_file: LocalPath | None = Field(
        default=None, description="Its key in PEM, without a passphrase"
    )
    client_ca_file: LocalPath | None = Field(
        default=None,
        description="Authorities in PEM; with them whoever has no certificate of theirs is refused",
    )
    client_seconds_max: float = Field(
        default=300,
        ge=0.1,
        le=86_400,
        description="Seconds after which a client with a certificate has to show it again: as long "
        "may one go on whose authority was taken out of client_ca_file",
    )

    @property
    def is_on(self) -> bool:
        """Return whether there is TLS."""
        return self.cert_file is not None

    @property
    def connection_seconds_max(self) -> float:
        """Return how old a connection may grow, infinity where no client shows a certificate."""
        return math.inf if self.client_ca_file is None else self.client_seconds_max

    @model_validator(mode="after")
    def _belong_together(self) -> TlsConfig:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together; set both, or neither")
        if self.client_ca_file is not None and self.cert_file is None:
            raise ValueError("client_ca_file needs cert_file and key_file; set them too")
        return self


class CollectorConfig(Section):
    """The OTLP receivers and the write-ahead log."""

    host: str = Field(default="127.0.0.1", description="Address of both OTLP receivers")
    grpc_port: int = Field(default=4317, ge=0, le=65535, description="OTLP/gRPC; 0 takes any")
    http_port: int = Field(default=4318, ge=0, le=65535, description="OTLP/HTTP; 0 takes any")
    body_bytes_max: int = Field(
        default=20 * 1024 * 1024, gt=0, description="Largest request after decompression (413 over)"
    )
    connections_max: int = Field(
        default=1024, gt=0, description="Connections of each receiver at a time; 503 over it"
    )
    calls_max: int = Field(
        default=512, gt=0, description="gRPC calls held at a time; RESOURCE_EXHAUSTED over it"
    )
    head_seconds_max: float = Field(
        default=10.0, gt=0, description="Time for a handshake and for the head of a request"
    )
    read_seconds_max: float = Field(
        default=30.0, ge=0, description="Time for the rest of a request"
    )
    idle_seconds_max: float = Field(
        default=120.0, gt=0, description="A connection without a request is closed after this"
    )
    tls: TlsConfig = Field(default_factory=TlsConfig)
    wal_dir: LocalPath | None = Field(
        default=None, description="Write-ahead log; by default `wal` beside the embedded store"
    )
    segment_bytes_max: int = Field(
        default=16 * 1024 * 1024, gt=0, description="A segment of the log is stored at this size"
    )
    segment_seconds_max: float = Field(
        default=3.0, gt=0, description="... or at this age, whichever comes first"
    )
    segment_flush_bytes: int = Field(
        default=1024 * 1024,
        gt=0,
        description="... or at one second, where it has this size: an insert costs as much for a "
        "few spans as for thousands",
    )
    wal_bytes_max: int = Field(
        default=4 * 1024**3,
        gt=0,
        description="Bytes acknowledged and not yet stored before senders are told to wait",
    )
    retention_days: int = Field(
        default=30,
        gt=0,
        le=3_650,
        description="Spans, log records and metrics older than this are refused; at most the days "
        "that [retention] keeps them",
    )
    drain_seconds_max: float = Field(
        default=5.0,
        ge=0,
        description="Time that a stop may take to store what is in the log; the rest "
        "stays there. The process ends 5 s later at the latest",
    )
    accel: bool = Field(
        default=True,
        description="Read spans and log records with the compiled module, where the installation "
        "found a C++ compiler; `millworth doctor` says whether it did",
    )

    def check_limits(self) -> None:
        """Raise ConfigError where the log has no room for a request that may come.

        Twice its size: names and numbers of people are replaced by longer tokens.
        """
        if self.wal_bytes_max < 2 * self.body_bytes_max:
            raise ConfigError(
                f"collector.body_bytes_max is {self.body_bytes_max} and collector.wal_bytes_max "
                f"{self.wal_bytes_max}: what is under the first and over the second is refused for "
                f"good; lower the first, or raise the second to {2 * self.body_bytes_max} or more"
            )


class AttributesConfig(Section):
    """A customer's own attribute names for ours, so that no service needs a change."""

    map: dict[str, str] = Field(
        default_factory=dict,
        description='Ours on the left, yours on the right: "decision.action" = "shop.operation"',
    )

    @field_validator("map")
    @classmethod
    def _ours_are_on_the_left(cls, names: dict[str, str]) -> dict[str, str]:
        for ours, theirs in names.items():
            if ours not in MAPPED:
                near = difflib.get_close_matches(ours, sorted(MAPPED), n=1)
                hint = f"did you mean {near[0]}?" if near else "docs/use/attributes.md lists them"
                if theirs in MAPPED:
                    hint = f'ours stands on the left: "{theirs}" = "{ours}"'
                raise ValueError(f"{ours} is not an attribute of ours that can be mapped; {hint}")
        return names

    def name(self, canonical: str) -> str:
        """Return the customer's name of one of our attributes; our own where none is mapped.

        A reader takes our own name first and this one where ours is absent.
        """
        return self.map.get(canonical, canonical)


class DecisionMatch(Section):
    """A span that matches every key given here is the root of a decision."""

    service: str = Field(default="", description="service.name, empty for any")
    span_name: str = Field(default="", description="Name of the span, empty for any")
    kind: str = Field(
        default="",
        pattern=r"^(|server|client|producer|consumer|internal)$",
        description="Kind of the span: server, client, producer, consumer or internal; empty for "
        "any",
    )
    attributes: dict[str, str] = Field(
        default_factory=dict, description="Attributes and the values they must have"
    )
    action: str = Field(
        default="", description="decision.action of what matches; by default the span's name"
    )

    @model_validator(mode="after")
    def _names_a_span(self) -> DecisionMatch:
        if not (self.service or self.span_name or self.kind or self.attributes):
            raise ValueError(
                "a rule that names no span matches none: "
                "give service, span_name, kind or attributes"
            )
        return self


class DecisionsConfig(Section):
    """Which spans are decisions, beside those that carry decision.action."""

    match: tuple[DecisionMatch, ...] = Field(default=(), description="Rules, each a root")
    auto: bool = Field(
        default=True,
        description="Without a rule and until a span carries decision.action: each root span of a "
        "server or a consumer is a decision of the action `auto METHOD ROUTE`, without a value",
    )

    @property
    def is_auto(self) -> bool:
        """Return whether roots may be decisions that nobody declared."""
        return self.auto and not self.match


class OutcomesConfig(Section):
    """How outcomes are read."""

    currency: str = Field(
        default="USD",
        pattern=r"^[A-Z]{3}$",
        description="Currency of an outcome that names none, as USD",
    )
    complete: Complete = Field(
        default="sales",
        description="What is sent: sales, where a decision without an outcome earned nothing; or "
        "all, where each decision gets one, sold or not, and without it what it earned is unknown",
    )
    horizon_days: HorizonDays = Field(
        default=30,
        description="A sale counts where it happens within so many days of its decision, whenever "
        "it is received; a channel of [channels] may have its own",
    )

    @property
    def all_sent(self) -> bool:
        """Return whether every decision gets an outcome, but in channels that say otherwise."""
        return self.complete == "all"
