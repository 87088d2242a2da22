"""Pure: the settings of alerting and of the webhooks it sends."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from alerts.signature import key_of
from collector.core.config import Section
from collector.core.errors import DecodeError

DEAD_MAN = "dead-man"  # what is alerted under this name is data that stopped


class BurnRule(Section):
    """Burn of a dollar budget over two windows: both have to burn, so that an alert also ends."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64, description="Name of the rule"
    )
    severity: str = Field(default="page", pattern=r"^(page|ticket)$", description="page or ticket")
    action: str = Field(default="", description="Only this action; empty judges each by itself")
    region: str = Field(default="", description="Only this region; empty judges each by itself")
    budget_usd: float = Field(gt=0, description="Loss allowed in budget_days")
    budget_days: float = Field(default=30.0, gt=0, description="Time that the budget is for")
    long_window_s: int = Field(gt=0, description="Window that has to burn")
    short_window_s: int = Field(gt=0, description="... and the window that has to burn still")
    budget_share: float = Field(
        gt=0, le=1, description="Share of the budget lost in the long window at which it fires"
    )
    events_min: float = Field(
        default=8.0, ge=1, description="Effective number of losing decisions, (sum l)^2 / sum l^2"
    )
    confidence_z: float = Field(
        default=1.645, ge=0, description="The lower bound at this z has to exceed the threshold"
    )
    for_s: float = Field(default=0.0, ge=0, description="Time it has to hold before it fires")
    keep_firing_s: float = Field(default=180.0, ge=0, description="Time it fires on afterwards")
    runbook_url: str = Field(default="", description="What to do")
    note: str = Field(default="", description="Printed beside the alert")

    @model_validator(mode="after")
    def _short_is_shorter(self) -> Self:
        if self.short_window_s >= self.long_window_s:
            raise ValueError(
                f"rule {self.name}: short_window_s {self.short_window_s} has to be less than "
                f"long_window_s {self.long_window_s}"
            )
        return self


class WebhookConfig(Section):
    """One receiver of signed webhooks (Standard Webhooks 1.0.0)."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64, description="Name of the receiver"
    )
    url: str = Field(pattern=r"^https?://", description="Where to POST")
    secret: SecretStr = Field(
        default=SecretStr(""),
        description="whsec_ and base64 of 24 to 64 bytes; from the environment, not from this file",
    )
    timeout_s: float = Field(default=15.0, gt=0, le=30, description="Time for one delivery")

    @field_validator("secret")
    @classmethod
    def _secret_is_usable(cls, secret: SecretStr) -> SecretStr:
        # Commands that only read run without it; whoever delivers asks for it at its start.
        if not secret.get_secret_value():
            return secret
        try:
            key_of(secret.get_secret_value())
        except DecodeError as error:
            raise ValueError(str(error)) from error
        return secret


class AlertsConfig(Section):
    """Rules, receivers, and the state that survives a restart."""

    # A refused secret must not be printed by the error that refuses it.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    state_path: Path | None = Field(
        default=None, description="SQLite file; by default `alerts.sqlite` beside the store"
    )
    interval_s: float = Field(default=5.0, gt=0, description="Time between two judgements")
    nodata_s: float = Field(
        default=300.0, gt=0, description="Without decisions for so long, a state is unknown"
    )
    lateness_s: float = Field(
        default=10.0, ge=0, description="What is younger may still change; windows end before it"
    )
    dead_man_seconds: float = Field(
        default=300.0,
        ge=0,
        description="Data that were there and stop for so long are an alert, dead-man; 0 is never",
    )
    dead_man_services: tuple[str, ...] = Field(
        default=(), description="Services (service.name) that are watched one by one as well"
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="Private hosts or networks that webhooks may reach"
    )
    rules: tuple[BurnRule, ...] = Field(default=(), description="What to alert on")
    webhooks: tuple[WebhookConfig, ...] = Field(default=(), description="Who is told")

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for what, names in (
            ("rule", [rule.name for rule in self.rules]),
            ("webhook", [webhook.name for webhook in self.webhooks]),
        ):
            if what == "rule" and DEAD_MAN in names:
                raise ValueError(f"rule {DEAD_MAN} is our own; give yours another name")
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} {twice[0]} is there twice; state is kept by this name")
        return self
