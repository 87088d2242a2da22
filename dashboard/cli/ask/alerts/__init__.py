"""`millworth alerts`: see alerts, and act on them; everything goes through `/api/v1`.

May import what `dashboard.cli` may. Begin with `main`.
"""
