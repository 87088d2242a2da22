"""What people do about alerts: acknowledge, comment, silence, now or in a maintenance window.

All of it is in the alert state, so it works while the store is away, and each act is noted for the
audit. Imports `alerts.state` and `alerts.rows`. Begin with `silences`.
"""
