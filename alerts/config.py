"""Pure: the settings of alerting and of what it sends."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Self, Union

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from alerts.people.calendars import CalendarConfig
from alerts.rules.base import RuleConfig
from alerts.rules.dead_man import DeadManConfig
from alerts.rules.kinds import KINDS, parse_rule
from alerts.signature import key_of
from collector.core.config import Address, LocalPath, Section
from collector.core.errors import DecodeError
from collector.core.times import NS_PER_S

DEAD_MAN = "dead-man"  # the rule that dead_man_seconds makes


if TYPE_CHECKING:
    AnyRule = RuleConfig
else:
    # The models of all kinds; `kind` of an entry says which of them reads it.
    AnyRule = Annotated[
        Union[tuple(kind.model for kind in KINDS.values())],  # noqa: UP007 - made from a table
        BeforeValidator(parse_rule),
    ]


class WebhookConfig(Section):
    """One receiver of signed webhooks (Standard Webhooks 1.0.0)."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        max_length=64,
        description="Name of the receiver: a to z, 0 to 9 and -",
    )
    url: Address = Field(pattern=r"^https?://", description="Where to POST, as https://HOST/PATH")
    secret: SecretStr = Field(
        default=SecretStr(""),
        description="whsec_ and base64 of 24 to 64 bytes; from the environment, not from this file",
    )
    previous_secret: SecretStr = Field(
        default=SecretStr(""),
        description="The secret before, which signs too until every receiver knows the new one",
    )
    timeout_s: float = Field(default=15.0, gt=0, le=30, description="Time for one delivery")

    @field_validator("secret", "previous_secret")
    @classmethod
    def _secret_is_usable(cls, secret: SecretStr) -> SecretStr:
        # Commands that only read run without a secret; a service that delivers needs it to start.
        if not secret.get_secret_value():
            return secret
        try:
            key_of(secret.get_secret_value())
        except DecodeError as error:
            raise ValueError(str(error)) from error
        return secret


class AlertmanagerConfig(Section):
    """One Alertmanager. Name every peer of a cluster: each is sent every alert."""

    url: Address = Field(
        pattern=r"^https?://[^\s?#]+$",
        description="Address of its API, as http://HOST:9093, without /api/v2/alerts; may hold a "
        "user and a password",
    )
    timeout_s: float = Field(default=10.0, gt=0, le=30, description="Time for one request")

    @property
    def name(self) -> str:
        """Return the host and port of the address: its name in metrics and in the log."""
        return self.url.partition("://")[2].rpartition("@")[2].rstrip("/")


class AlertsConfig(Section):
    """Rules, receivers, and the state that survives a restart."""

    # The error about a secret must not print the secret.
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    state_path: LocalPath | None = Field(
        default=None, description="SQLite file; by default `alerts.sqlite` beside the store"
    )
    interval_s: float = Field(
        default=5.0, gt=0, le=3600, description="Time between two evaluations of all rules"
    )
    nodata_s: float = Field(
        default=300.0, gt=0, description="Time without decisions after which a state is unknown"
    )
    lateness_s: float = Field(
        default=10.0,
        ge=0,
        description="Data younger than this may still change; windows end before it",
    )
    dead_man_seconds: float = Field(
        default=300.0,
        ge=0,
        description="Silence of data that arrived before, after which the alert dead-man fires; "
        "0 is never",
    )
    dead_man_services: tuple[str, ...] = Field(
        default=(), description="Services (service.name) that are watched one by one as well"
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="Private hosts or networks that webhooks and alerts may be sent to"
    )
    denied_hosts: tuple[str, ...] = Field(
        default=(),
        description="Hosts or networks that nothing is sent to, public or allowed as they may be",
    )
    resend_s: float = Field(
        default=60.0,
        gt=0,
        le=60,
        description="Time after which Alertmanagers are sent a firing alert again; there it ends "
        "by itself after four times this, or four intervals",
    )
    calendars: tuple[CalendarConfig, ...] = Field(
        default=(), description="When budgets of rules allow more or less"
    )
    rules: tuple[AnyRule, ...] = Field(default=(), description="The rules of alerts")
    webhooks: tuple[WebhookConfig, ...] = Field(default=(), description="The receivers of alerts")
    alertmanagers: tuple[AlertmanagerConfig, ...] = Field(
        default=(), description="Alertmanagers that are sent every alert that fires"
    )

    @field_validator("allowed_hosts", "denied_hosts")
    @classmethod
    def _networks_are_networks(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        for entry in entries:
            if "/" not in entry:
                continue
            try:
                ipaddress.ip_network(entry, strict=False)
            except ValueError:
                raise ValueError(
                    f"{entry!r} is not a network; write one as 10.0.0.0/8, or a host name"
                ) from None
        return entries

    def is_silent(self, newest_ns: int, until_ns: int) -> bool:
        """Return whether alerts call it no data, where all is known up to an instant."""
        return until_ns - newest_ns > round((self.lateness_s + self.nodata_s) * NS_PER_S)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for what, names in (
            ("rule", [rule.name for entry in self.rules for rule in entry.by_severity]),
            ("calendar", [calendar.name for calendar in self.calendars]),
            ("webhook", [webhook.name for webhook in self.webhooks]),
            ("alertmanager", [peer.name for peer in self.alertmanagers]),
        ):
            if what == "rule" and DEAD_MAN in names:
                raise ValueError(
                    f"rule {DEAD_MAN} is made by dead_man_seconds; give yours another name"
                )
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(
                    f"{what} {twice[0]} is there twice; state is stored under this name"
                )
        return self

    @model_validator(mode="after")
    def _calendars_are_there(self) -> Self:
        known = {calendar.name for calendar in self.calendars}
        for rule in self.rules:
            for name in rule.follows:
                if name not in known:
                    raise ValueError(
                        f"rule {rule.name} names the calendar {name!r}; there is "
                        f"{', '.join(sorted(known)) or 'none'} in [[alerts.calendars]]"
                    )
        return self

    @property
    def all_rules(self) -> tuple[RuleConfig, ...]:
        """Return the rules that are listed, after the one that `dead_man_seconds` makes.

        One with tiers of both severities is two.
        """
        rules = tuple(rule for entry in self.rules for rule in entry.by_severity)
        if self.dead_man_seconds == 0:
            return rules
        dead_man = DeadManConfig(
            name=DEAD_MAN,
            live=True,
            silence_s=self.dead_man_seconds,
            services=self.dead_man_services,
        )
        return (dead_man, *rules)

    @property
    def not_live(self) -> tuple[str, ...]:
        """Return the rules in shadow by the settings alone: until promoted, or for good."""
        return tuple(rule.name for rule in self.all_rules if not rule.live)

    def said_of_rules(self, shadow: Collection[str]) -> str:
        """Return how many rules are listed, and that those in shadow page nobody."""
        listed = [rule.name for entry in self.rules for rule in entry.by_severity]
        named = [each for each in listed if each in shadow]
        if not named:
            return f"{len(listed)}, none in shadow"
        return (
            f"{len(listed)}, of which {len(named)} in shadow: they page nobody "
            f"({', '.join(named)}); `millworth rules promote NAME`, or live = true"
        )
