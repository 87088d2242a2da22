"""Attributions in, alerts out: rules, their states, and signed webhooks.

Reads: `revenue_cells`, `attributions`, and what the kinds in `rules` read.
Writes: `alert_events`, `capture_requests`; states and outbox are in SQLite.
Promises: a page is worth money; an action is safe, reversible and explained. Begin with `job`.
"""
