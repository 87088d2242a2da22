"""Sealed decisions and outcomes as they are stored, and what was said of each.

Imports the floor of the collector alone. Begin with `store`.
"""
