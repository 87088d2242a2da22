"""`/api/v1/provenance`, `/audit` and `/store`: what is proven, and whether it is as it was stored.

Begin with `verdicts`.
"""
