"""Sealed decisions: each producer's events form a chain that cannot be changed unseen.

Pure but for the key ring. Imports core and privacy; a customer's service uses `event`, `records`
and `checkpoint`. Begin with `event`, then `verify`; `live` judges what arrives.
"""
