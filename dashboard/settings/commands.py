"""Pure: every command of the command line, as its help and the search of the pages name it."""

from __future__ import annotations

from typing import Final

_RUN, _ASK, _PROVE, _OPERATE = "Run", "Ask and act", "Import and prove", "Operate"
_VRAM: Final = "What latency is worth: groups, curves, investments, a gate."

# Name, where it is defined below dashboard.cli, panel of the help, and what the help says.
COMMANDS: Final = (
    ("demo", "running.demo:demo", _RUN, "The whole service on a reference path, with an incident."),
    ("up", "running.up:up", _RUN, "The whole service: receivers, jobs, alerts, pages."),
    ("collect", "running.roles:collect", _RUN, "One role: receive OTLP into a server."),
    ("attribute", "files.attribute:attribute", _RUN, "One role; or split a trace file's latency."),
    ("alert", "running.roles:alert", _RUN, "One role: evaluate rules, deliver webhooks."),
    ("serve", "running.roles:serve", _RUN, "One role: pages and /api/v1."),
    ("capture", "files.capture:capture", _RUN, "One role: record packets; or read capture files."),
    ("trace", "ask.trace:trace", _ASK, "One trace, and how the decision's time was spent."),
    ("rules", "ask.rules.main:rules_app", _ASK, "Rules of alerts: tests, replay, imports."),
    ("alerts", "ask.alerts.main:alerts_app", _ASK, "Alerts, and what people do about them."),
    ("packets", "ask.packets:packets", _ASK, "Kept packets of an incident or trace, as pcapng."),
    ("compare", "vram.questions:compare", _ASK, "Where two populations of decisions differ."),
    ("what-if", "vram.questions:what_if", _ASK, "Replay decisions with other times."),
    ("budgets", "ask.budgets:budgets", _ASK, "Latency budgets: promised and measured."),
    ("query", "ask.query:query", _ASK, "SQL over the store, read-only."),
    ("vram", "vram.main:vram_app", _ASK, _VRAM),
    ("drill", "running.drill:drill", _ASK, "Rehearse a network fault. Needs root."),
    ("import", "imports.main:import_app", _PROVE, "Outcomes, bills, traces from files."),
    ("reconcile", "imports.reconcile:reconcile", _PROVE, "Revenue against the books, by day."),
    ("review", "ask.review:review", _PROVE, "The pack of a quarter, with hashes."),
    ("verify", "verify.main:verify_app", _PROVE, "What was changed after it was recorded."),
    ("hold", "admin.hold:hold_app", _PROVE, "Legal holds: keep rows beyond their days."),
    (
        "doctor",
        "admin.doctor:doctor",
        _OPERATE,
        "What the service lacks on this machine.",
    ),
    ("ready", "admin.access:ready", _OPERATE, "Whether the running service is ready."),
    ("config", "admin.config:config_app", _OPERATE, "Check the settings, or print them."),
    ("token", "admin.access:token_app", _OPERATE, "Tokens for senders and readers."),
    ("migrate", "admin.migrate:migrate", _OPERATE, "Bring the schema up; `up` does it by itself."),
    ("rejected", "admin.rejected:rejected_app", _OPERATE, "What was rejected, and its way back."),
    ("identifiers", "admin.identifiers:identifiers_app", _OPERATE, "Personal data, as stored."),
    ("recompute", "admin.recompute:recompute", _OPERATE, "Attribute a range of time again."),
    ("bench", "admin.bench:bench", _OPERATE, "Measure this machine, beside its rivals."),
)
