"""The write-ahead log: what a sender was told is taken is on disk, and is stored once.

Imports `collector.core` alone. Begin with `log`; `frames` has the form of the file.
"""
