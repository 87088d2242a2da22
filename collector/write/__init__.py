"""From the write-ahead log into the tables, each segment once; what cannot go is kept aside.

Imports core, otlp, wal, store and privacy. Begin with `writer`; `quarantine` keeps rejected items
with their bytes and a reason.
"""
