"""Outcomes, exchange rates, ledgers and bills from files, into their tables.

Imports core, otlp and store. Begin with `files`.
"""
