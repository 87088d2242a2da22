"""Attributions in, verdicts and actions out.

Reads: `revenue_cells`, `attributions`.
Writes: `alert_events`, `capture_requests`; its own state and outbox live in SQLite.
Promises: a page is worth money; an action is safe, reversible and explained.
"""
