"""Signed webhooks: payload, outbox, retries, and the addresses that are not called.

Imports rules and state. Begin with `webhook`.
"""
