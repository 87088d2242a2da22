"""The page of one decision: its spans over time, its packets, its budget.

Imports read and the parts of pages. Begin with `page`.
"""
