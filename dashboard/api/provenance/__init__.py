"""`/api/v1/provenance` and `/api/v1/audit`: what is proven, and the sealed rows as they are stored.

Begin with `verdicts`.
"""
