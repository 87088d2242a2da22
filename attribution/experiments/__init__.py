"""Delays that are injected at random, and what they prove.

Imports core, path, revenue, read and sensitivity. Begin with `rules`.
"""
