"""The loops that write attributions, revenue cells and evidence.

Begin with `attribution`.
"""
