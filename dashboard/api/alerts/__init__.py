"""`/api/v1/alerts`: what people do about alerts, and what could not be delivered.

May import what `dashboard.api` may. Begin with `state`.
"""
