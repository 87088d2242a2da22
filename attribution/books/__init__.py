"""What was earned against the ledger, and what a decision costs.

Imports core, path, revenue, read and sensitivity. Begin with `reconcile`.
"""
