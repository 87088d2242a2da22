"""Signed webhooks: payload, outbox, retries, and the addresses that are never called.

Imports `alerts.rules`, `alerts.state` and `alerts.config`. Begin with `webhook`.
"""
