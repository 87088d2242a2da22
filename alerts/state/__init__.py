"""The state machine of alerts; states and outbox in SQLite; their copy in the store.

Imports `alerts.rows`. Begin with `state_machine`, which is pure, then `sqlite`.
"""
