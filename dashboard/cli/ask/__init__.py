"""Commands that ask a running service: traces, budgets, packets, SQL.

Begin with `trace`.
"""
