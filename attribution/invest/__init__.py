"""Investments: net present value, gates, technical debt.

Nothing but its own commands and routes imports it. Begin with `npv`.
"""
