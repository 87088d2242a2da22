"""Trace files of other tools on their way into the store, by the same receiver as all else.

Imports `attribution.files`, which reads them, and asks the receiver. Begin with `command`.
"""
