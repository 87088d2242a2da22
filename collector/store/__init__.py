"""ClickHouse, embedded or a server: connections, cursors, retention.

Imports core, otlp, wal and audit. Begin with `connect`; `schema` has the tables.
"""
