"""Rules over stored data as if it were live: what would have paged, and what it would have missed.

Imports `alerts.rules` and `alerts.state`. Begin with `replay`.
"""
