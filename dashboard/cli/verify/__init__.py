"""`millworth verify ...`: provenance, retention, the audit.

Begin with `main`.
"""
