"""Judges sealed events as they arrive, and takes what fails out of every sum.

Begin with `job`; `stream` follows the chains and `withdrawals` moves rows.
"""
