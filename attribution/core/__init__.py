"""What the whole room agrees on: settings, segments, selections, latency budgets.

Imports nothing of the room. Begin with `segments`.
"""
