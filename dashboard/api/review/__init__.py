"""The quarterly review: what was earned and spent, and what in it does not hold.

Imports attribution and read. Begin with `job`.
"""
