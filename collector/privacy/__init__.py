"""Personal data: found, replaced by keyed tokens before it is logged, encrypted in the log.

Imports core, otlp and wal. Begin with `guard`, which a request passes; `redact` applies the rules.
"""
