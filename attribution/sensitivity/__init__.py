"""How much a millisecond is worth: the slope of value over latency, with its interval.

Imports core, path, revenue and read. Begin with `estimate`; `job` keeps the versions.
"""
