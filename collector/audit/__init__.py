"""The audit log: who did what, in one hash chain whose key lies beside the write-ahead log.

Imports `collector.core` alone. Begin with `log`, which appends and checks; `seal` holds the key.
"""
