"""What was earned against the ledger, and what a decision costs.

Imports core, path, revenue and read. Begin with `reconcile`.
"""
