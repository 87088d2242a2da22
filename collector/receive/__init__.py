"""The sockets: a request over gRPC or HTTP is checked, guarded, logged, and acknowledged.

Imports core, auth, otlp, wal and privacy. Begin with `pipeline`, which both receivers call; a
logged request goes on in `collector.write`.
"""
