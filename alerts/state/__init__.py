"""The state of every alert and the outbox, in SQLite beside the store, and its copy in the store.

Imports rules. Begin with `sqlite`.
"""
