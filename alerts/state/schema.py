"""Pure: the tables of the alert state, and how an older file gets them."""

from __future__ import annotations

from typing import Final

_FIRST: Final = """
CREATE TABLE states (
    rule TEXT, action TEXT, region TEXT, phase TEXT, is_unknown INTEGER, held_ns INTEGER,
    judged_ns INTEGER, data_ns INTEGER, episodes INTEGER, episode_id TEXT, seq INTEGER,
    started_ns INTEGER, PRIMARY KEY (rule, action, region)
) STRICT;
CREATE TABLE events (
    episode_id TEXT, seq INTEGER, at_ns INTEGER, is_mirrored INTEGER DEFAULT 0, row TEXT,
    PRIMARY KEY (episode_id, seq)
) STRICT;
CREATE INDEX events_unmirrored ON events (is_mirrored) WHERE is_mirrored = 0;
CREATE TABLE captures (
    trigger_id TEXT PRIMARY KEY, at_ns INTEGER, is_mirrored INTEGER DEFAULT 0, row TEXT
) STRICT;
CREATE TABLE deliveries (
    webhook_id TEXT PRIMARY KEY, endpoint TEXT, episode_id TEXT, seq INTEGER, kind TEXT,
    body BLOB, status TEXT, attempts INTEGER, due_ns INTEGER, created_ns INTEGER, detail TEXT
) STRICT;
CREATE INDEX deliveries_due ON deliveries (status, due_ns);
CREATE TABLE disabled_endpoints (
    endpoint TEXT PRIMARY KEY, url TEXT, disabled_ns INTEGER
) STRICT;
"""

# What was sent to the Alertmanagers: the labels of an episode are its identity there.
_ROUTED: Final = """
CREATE TABLE routed (
    episode_id TEXT PRIMARY KEY, labels TEXT, ended_ns INTEGER, closed_ns INTEGER
) STRICT;
"""

# How webhook endpoints fare: one that fails is left alone, over a restart too.
_CIRCUITS: Final = """
CREATE TABLE circuits (
    endpoint TEXT PRIMARY KEY, url TEXT, failures INTEGER, rests_until_ns INTEGER
) STRICT;
"""

# What people did, until the audit has it.
_ACTS: Final = """
CREATE TABLE acts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at_ns INTEGER, actor TEXT, action TEXT, detail TEXT,
    is_audited INTEGER DEFAULT 0
) STRICT;
CREATE INDEX acts_unaudited ON acts (is_audited) WHERE is_audited = 0;
"""

# Alerts that others pushed to us.
_EXTERNAL: Final = """
CREATE TABLE external (
    fingerprint TEXT PRIMARY KEY, labels TEXT, annotations TEXT, generator_url TEXT,
    starts_ns INTEGER, ends_ns INTEGER, sender TEXT
) STRICT;
CREATE INDEX external_ends ON external (ends_ns);
"""

# What people hide, and what they say.
_PEOPLE: Final = """
CREATE TABLE silences (
    id INTEGER PRIMARY KEY AUTOINCREMENT, matchers TEXT, starts_ns INTEGER, ends_ns INTEGER,
    actor TEXT, reason TEXT, made_ns INTEGER, ended_by TEXT
) STRICT;
CREATE TABLE notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, episode_id TEXT, kind TEXT, actor TEXT, at_ns INTEGER,
    text TEXT, is_actionable INTEGER
) STRICT;
CREATE INDEX notes_of ON notes (episode_id);
CREATE INDEX deliveries_waiting ON deliveries (endpoint) WHERE status = 'pending';
CREATE INDEX deliveries_of ON deliveries (endpoint, episode_id, seq);
CREATE INDEX events_since ON events (at_ns);
"""

# When an alert ended: what it was about before counts no more.
_ENDED: Final = """
ALTER TABLE states ADD COLUMN ended_ns INTEGER DEFAULT 0;
"""

# Rules that are evaluated, and since when each is routed.
_RULES: Final = """
CREATE TABLE rules (
    rule TEXT PRIMARY KEY, first_ns INTEGER, promoted_ns INTEGER, actor TEXT, reason TEXT
) STRICT;
"""

# When rules were evaluated: a replay does it at the same instants.
_PASSES: Final = """
CREATE TABLE passes (
    end_ns INTEGER, known_ns INTEGER, PRIMARY KEY (end_ns, known_ns)
) STRICT, WITHOUT ROWID;
"""

# What each alert that fires owns of the losses, as of the last pass.
_OWNED: Final = """
CREATE TABLE owned (
    episode_id TEXT PRIMARY KEY, at_ns INTEGER, since_ns INTEGER, lost TEXT, lost_low TEXT,
    lost_high TEXT, at_risk TEXT, at_risk_low TEXT, at_risk_high TEXT, explained_by TEXT
) STRICT;
"""

# Alerts that went to nobody for a time: they are told of with what is true when that is over. When
# a message was last tried, which is not when it was written.
_HELD: Final = """
CREATE TABLE held (
    episode_id TEXT PRIMARY KEY, is_hidden INTEGER, reason TEXT, since_ns INTEGER,
    looked_ns INTEGER, from_ns INTEGER, ready_ns INTEGER, grace_ns INTEGER
) STRICT;
INSERT OR IGNORE INTO held
    SELECT episode_id, 1, detail, created_ns, created_ns, 0, 0, 0 FROM deliveries
    WHERE status = 'held';
ALTER TABLE deliveries ADD COLUMN tried_ns INTEGER DEFAULT 0;
UPDATE deliveries SET tried_ns = due_ns WHERE status = 'delivered';
"""

# A body that was changed after an attempt is another message to whoever has seen it.
_EDITIONS: Final = """
ALTER TABLE deliveries ADD COLUMN edition INTEGER DEFAULT 0;
"""

# Each brings a file from the version that is its place to the next. A released one stays as it is.
STEPS: Final = (
    _FIRST,
    _ROUTED,
    _CIRCUITS,
    _ACTS,
    _EXTERNAL,
    _PEOPLE,
    _ENDED,
    _RULES,
    _PASSES,
    _OWNED,
    _HELD,
    _EDITIONS,
)
SCHEMA_VERSION: Final = len(STEPS)
