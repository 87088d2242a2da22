"""Writes the generated pages of `docs/`: the event's schema and the metrics.

Begin with `metrics`.
"""
