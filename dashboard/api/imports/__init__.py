"""`/api/v1/import` and `/api/v1/reconcile`: files that come in, and revenue against the books.

May import what `dashboard.api` may. Begin with `main`.
"""
